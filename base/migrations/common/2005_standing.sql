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
