-- When each account is due next, and what was found of it last. Derived: whatever is lost here is found
-- again by looking at the account.
CREATE TABLE agenda (
    tenant_id      TEXT PRIMARY KEY REFERENCES accounts (tenant_id),
    -- 0: something changed, look now; 9223372036854775807: not before something changes.
    rate_due_ms    BIGINT NOT NULL,
    stand_due_ms   BIGINT NOT NULL,
    -- The last look at its standing: the balance then, what burned it (nano-units an hour), when it
    -- will be used up and when the next step stops something (9223372036854775807: never).
    assessed_ms    BIGINT NOT NULL,
    balance_micros BIGINT NOT NULL,
    burn_nanos     BIGINT NOT NULL,
    runs_out_ms    BIGINT NOT NULL,
    cut_ms         BIGINT NOT NULL
);
CREATE INDEX agenda_by_rate_due ON agenda (rate_due_ms);
CREATE INDEX agenda_by_stand_due ON agenda (stand_due_ms);
CREATE INDEX agenda_by_assessed ON agenda (assessed_ms);
CREATE INDEX agenda_by_cut ON agenda (cut_ms);

INSERT INTO agenda (tenant_id, rate_due_ms, stand_due_ms, assessed_ms, balance_micros, burn_nanos,
    runs_out_ms, cut_ms)
SELECT tenant_id, 0, 0, 0, 0, 0, 9223372036854775807, 9223372036854775807 FROM accounts;

-- For those that were cut off lately.
CREATE INDEX standing_log_by_time ON standing_log (at_ms);

-- Warnings that were told; append-only. Money that lifts the time left above some of them begins a
-- new arm, in which they are told again.
CREATE TABLE standing_warnings (
    tenant_id    TEXT NOT NULL REFERENCES accounts (tenant_id),
    episode      BIGINT NOT NULL,
    arm          BIGINT NOT NULL,
    threshold_ms BIGINT NOT NULL,
    at_ms        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, episode, arm, threshold_ms)
);
-- The tightest that was told in a tenant's episode (0: none), and the arm. The row follows from the
-- warnings and the payments.
CREATE TABLE standing_told (
    tenant_id   TEXT PRIMARY KEY REFERENCES accounts (tenant_id),
    episode     BIGINT NOT NULL,
    arm         BIGINT NOT NULL,
    tightest_ms BIGINT NOT NULL
);

-- Steps that would stop something and wait for an operator, or are only written down.
CREATE TABLE standing_steps (
    tenant_id  TEXT NOT NULL REFERENCES accounts (tenant_id),
    episode    BIGINT NOT NULL,
    standing   TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('awaiting', 'approved', 'dry_run')),
    at_ms      BIGINT NOT NULL,
    decided_ms BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, episode, standing)
);

-- What a shortage does not stop.
CREATE TABLE standing_exemptions (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES accounts (tenant_id),
    -- An instance; '': all of the tenant's.
    resource_id TEXT NOT NULL,
    from_ms     BIGINT NOT NULL,
    -- 9223372036854775807: without an end. Ending it early brings this forward.
    to_ms       BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    actor       TEXT NOT NULL,
    created_ms  BIGINT NOT NULL
);
CREATE INDEX standing_exemptions_by_tenant ON standing_exemptions (tenant_id, to_ms);

-- Automatic stops pause and go on; append-only, the newest row rules.
CREATE TABLE standing_guard (
    number     BIGINT PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('paused', 'running')),
    tenants    BIGINT NOT NULL,
    of_tenants BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL
);

-- What was deleted for want of money, with the balance that was read under the lock; append-only.
CREATE TABLE reclaims (
    tenant_id       TEXT NOT NULL REFERENCES accounts (tenant_id),
    episode         BIGINT NOT NULL,
    resource_id     TEXT NOT NULL,
    balance_micros  BIGINT NOT NULL,
    account_version BIGINT NOT NULL,
    at_ms           BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, episode, resource_id)
);
