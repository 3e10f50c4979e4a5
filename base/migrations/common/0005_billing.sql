-- Money. Amounts are micro-units of the account's currency, prices nano-units per unit and hour.

CREATE TABLE price_books (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    currency     TEXT NOT NULL,
    -- Of its versions; the row's lock orders those who publish.
    last_version BIGINT NOT NULL,
    created_ms   BIGINT NOT NULL
);

-- A version is published by the insert of its row, after its prices; both never change then. The
-- prices come first here, too: a restored backup fills the tables in the order of their creation.
CREATE TABLE prices (
    version_id       TEXT NOT NULL,
    meter            TEXT NOT NULL,
    unit_price_nanos BIGINT NOT NULL CHECK (unit_price_nanos >= 0),
    PRIMARY KEY (version_id, meter)
);
CREATE TABLE price_versions (
    id           TEXT PRIMARY KEY,
    book_id      TEXT NOT NULL REFERENCES price_books (id),
    number       BIGINT NOT NULL,
    effective_ms BIGINT NOT NULL,
    published_ms BIGINT NOT NULL,
    UNIQUE (book_id, number)
);

-- A tenant's money. The row is the lock of all that admits, posts or changes standing.
CREATE TABLE accounts (
    tenant_id          TEXT PRIMARY KEY REFERENCES tenants (id),
    currency           TEXT NOT NULL,
    -- IANA name; its calendar makes the billing months.
    timezone           TEXT NOT NULL,
    -- Raised by whoever takes the lock.
    version            BIGINT NOT NULL,
    -- The sum of the tenant's ledger entries, kept with them: credits minus debits.
    posted_micros      BIGINT NOT NULL,
    credit_limit_micros BIGINT NOT NULL CHECK (credit_limit_micros >= 0),
    -- Of charges; part of the next one's key.
    last_charge        BIGINT NOT NULL,
    -- The last hour (or month) whose end was posted.
    ticked_ms          BIGINT NOT NULL,
    standing           TEXT NOT NULL CHECK (standing IN ('active', 'warned', 'overdue',
        'suspended', 'stopped', 'reclaim_pending', 'reclaimed')),
    standing_since_ms  BIGINT NOT NULL,
    -- From leaving active to returning to it.
    episode            BIGINT NOT NULL,
    created_ms         BIGINT NOT NULL
);

-- Which book prices a tenant's usage, from when; the latest row of an instant wins.
CREATE TABLE price_assignments (
    tenant_id    TEXT NOT NULL REFERENCES accounts (tenant_id),
    number       BIGINT NOT NULL,
    effective_ms BIGINT NOT NULL,
    book_id      TEXT NOT NULL REFERENCES price_books (id),
    PRIMARY KEY (tenant_id, number)
);

-- Facts about what tenants use; append-only.
CREATE TABLE usage_events (
    id            TEXT PRIMARY KEY,
    source_id     TEXT NOT NULL UNIQUE,
    tenant_id     TEXT NOT NULL,
    resource_kind TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('running', 'paused', 'stopped', 'absent')),
    flavor_id     TEXT NOT NULL,
    disk_gib      BIGINT NOT NULL,
    -- As reported, and as counted: never before its predecessor.
    at_ms         BIGINT NOT NULL,
    effective_ms  BIGINT NOT NULL,
    recorded_ms   BIGINT NOT NULL,
    -- Per resource, from 1; NULL is quarantined (too far in the future) and not counted.
    sequence      BIGINT,
    UNIQUE (resource_kind, resource_id, sequence)
);

-- The head of each resource's events; the row's lock orders those who append.
CREATE TABLE usage_streams (
    resource_kind TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    sequence      BIGINT NOT NULL,
    effective_ms  BIGINT NOT NULL,
    tenant_id     TEXT NOT NULL,
    PRIMARY KEY (resource_kind, resource_id)
);

-- The events as stretches of time; a projection that can be rebuilt from them.
CREATE TABLE usage_intervals (
    resource_kind TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    meter         TEXT NOT NULL,
    -- The sequence of the event that opened it.
    opened        BIGINT NOT NULL,
    tenant_id     TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    quantity      BIGINT NOT NULL,
    from_ms       BIGINT NOT NULL,
    -- NULL: still open.
    to_ms         BIGINT,
    PRIMARY KEY (resource_kind, resource_id, meter, opened)
);
CREATE INDEX usage_intervals_by_tenant ON usage_intervals (tenant_id, to_ms);

-- How far each tenant's use of each resource was rated.
CREATE TABLE rating_resources (
    tenant_id        TEXT NOT NULL,
    resource_kind    TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    rated_ms         BIGINT NOT NULL,
    -- The end of its last interval; NULL while one is open.
    ends_ms          BIGINT,
    -- The earliest instant at which facts or prices changed since the last rating; NULL: none did.
    dirty_ms         BIGINT,
    -- The event that changed it last, and when it counted.
    sequence         BIGINT NOT NULL,
    changed_ms       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, resource_kind, resource_id)
);

-- Double entry, append-only. Every transaction's debits equal its credits.
CREATE TABLE ledger_transactions (
    id         TEXT PRIMARY KEY,
    -- Names the fact: 'charge:<tenant>:<number>', 'topup:<tenant>:<key>'.
    dedup_key  TEXT NOT NULL UNIQUE,
    tenant_id  TEXT NOT NULL REFERENCES accounts (tenant_id),
    kind       TEXT NOT NULL CHECK (kind IN ('topup', 'charge')),
    currency   TEXT NOT NULL,
    -- A charge: the instant up to which it rates.
    at_ms      BIGINT NOT NULL,
    memo       TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX ledger_transactions_by_tenant ON ledger_transactions (tenant_id, kind, at_ms);
CREATE TABLE ledger_entries (
    transaction_id TEXT NOT NULL REFERENCES ledger_transactions (id),
    position       BIGINT NOT NULL,
    -- 'tenant:<id>', 'revenue:<currency>', 'payments:<currency>'.
    account        TEXT NOT NULL,
    direction      TEXT NOT NULL CHECK (direction IN ('debit', 'credit')),
    amount_micros  BIGINT NOT NULL CHECK (amount_micros > 0),
    PRIMARY KEY (transaction_id, position)
);
CREATE INDEX ledger_entries_by_account ON ledger_entries (account);

-- What a charge is made of; append-only. An adjustment's quantity is the difference.
CREATE TABLE rated_lines (
    transaction_id   TEXT NOT NULL REFERENCES ledger_transactions (id),
    position         BIGINT NOT NULL,
    tenant_id        TEXT NOT NULL,
    resource_kind    TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    resource_name    TEXT NOT NULL,
    what             TEXT NOT NULL,
    meter            TEXT NOT NULL,
    price_version_id TEXT NOT NULL,
    -- 'YYYY-MM' in the account's time zone.
    month            TEXT NOT NULL,
    from_ms          BIGINT NOT NULL,
    to_ms            BIGINT NOT NULL,
    unit_price_nanos BIGINT NOT NULL,
    quantity         BIGINT NOT NULL,
    amount_micros    BIGINT NOT NULL,
    kind             TEXT NOT NULL CHECK (kind IN ('usage', 'adjustment')),
    PRIMARY KEY (transaction_id, position)
);
CREATE INDEX rated_lines_by_resource ON rated_lines (tenant_id, resource_kind, resource_id, month);

-- What is posted per rounding key, so that the next rounding telescopes.
CREATE TABLE rated_totals (
    tenant_id        TEXT NOT NULL,
    resource_kind    TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    meter            TEXT NOT NULL,
    price_version_id TEXT NOT NULL,
    month            TEXT NOT NULL,
    amount_micros    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, resource_kind, resource_id, meter, price_version_id, month)
);

-- Rounding keys whose amount no longer fits; they are charged no further until someone looks.
CREATE TABLE parked_lines (
    tenant_id        TEXT NOT NULL,
    resource_kind    TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    meter            TEXT NOT NULL,
    price_version_id TEXT NOT NULL,
    month            TEXT NOT NULL,
    reason           TEXT NOT NULL,
    parked_ms        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, resource_kind, resource_id, meter, price_version_id, month)
);

-- Each change of standing, once an episode; append-only.
CREATE TABLE standing_log (
    tenant_id      TEXT NOT NULL REFERENCES accounts (tenant_id),
    episode        BIGINT NOT NULL,
    standing       TEXT NOT NULL,
    at_ms          BIGINT NOT NULL,
    balance_micros BIGINT NOT NULL,
    -- 'none', 'paused', 'stopped': what was wanted of the tenant's instances from then on.
    hold           TEXT NOT NULL,
    PRIMARY KEY (tenant_id, episode, standing)
);
