-- The double-entry journal: append-only, each entry with the running balance of its account, so that
-- no balance is a column that somebody updates. Amounts are micro-units of the account's currency.
--
-- An account belongs to a tenant, so that no row is shared by all of them. A tenant's accounts are
-- ordered by `account_sequence`: its unique key makes the database refuse two posters at once.
CREATE TABLE journal_entries (
    transaction_id   TEXT NOT NULL,
    position         BIGINT NOT NULL,
    tenant_id        TEXT NOT NULL,
    account          TEXT NOT NULL CHECK (account IN ('payments', 'cash', 'bonus', 'holds',
        'receivable', 'revenue', 'tax', 'promotions', 'refunds', 'rounding')),
    direction        TEXT NOT NULL CHECK (direction IN ('debit', 'credit')),
    amount_micros    BIGINT NOT NULL CHECK (amount_micros > 0),
    account_sequence BIGINT NOT NULL CHECK (account_sequence > 0),
    -- Credits minus debits of the tenant's account, this entry included.
    balance_micros   BIGINT NOT NULL,
    PRIMARY KEY (transaction_id, position),
    UNIQUE (tenant_id, account, account_sequence)
);
-- A transaction; inserting it seals its entries, which come first.
CREATE TABLE journal (
    id             TEXT PRIMARY KEY,
    tenant_id      TEXT NOT NULL REFERENCES accounts (tenant_id),
    -- Of the tenant, from 1 without a gap.
    number         BIGINT NOT NULL,
    -- Names the fact ('charge:<tenant>:<number>'), with the hash of the request that told of it.
    dedup_key      TEXT NOT NULL UNIQUE,
    request_sha256 TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('recharge', 'bonus', 'bonus_end', 'voucher',
        'charge', 'close', 'rounding', 'hold', 'hold_end', 'refund', 'credit_note', 'correction')),
    currency       TEXT NOT NULL,
    -- A charge: the instant up to which it rates.
    at_ms          BIGINT NOT NULL,
    -- 'YYYY-MM' in the account's time zone; '' for what was posted before there was this column.
    month          TEXT NOT NULL,
    memo           TEXT NOT NULL,
    reason         TEXT NOT NULL,
    -- The transaction that this one is about: a bonus that ends, a hold, a refunded recharge.
    corrects_id    TEXT NOT NULL,
    actor          TEXT NOT NULL,
    created_ms     BIGINT NOT NULL,
    UNIQUE (tenant_id, number),
    CHECK (kind NOT IN ('refund', 'credit_note', 'correction') OR reason <> '')
);
CREATE INDEX journal_by_time ON journal (tenant_id, at_ms);

-- Money that came in, once for each id of its provider.
CREATE TABLE recharges (
    transaction_id TEXT PRIMARY KEY REFERENCES journal (id),
    tenant_id      TEXT NOT NULL,
    provider       TEXT NOT NULL,
    provider_id    TEXT NOT NULL,
    amount_micros  BIGINT NOT NULL CHECK (amount_micros > 0),
    UNIQUE (provider, provider_id)
);
CREATE INDEX recharges_by_tenant ON recharges (tenant_id);
-- Money that was given, by itself, with a recharge, or for a voucher.
CREATE TABLE bonuses (
    transaction_id TEXT PRIMARY KEY REFERENCES journal (id),
    tenant_id      TEXT NOT NULL,
    -- '' where it came with none.
    recharge_id    TEXT NOT NULL,
    amount_micros  BIGINT NOT NULL CHECK (amount_micros > 0),
    -- 0: never.
    expires_ms     BIGINT NOT NULL
);
CREATE INDEX bonuses_by_tenant ON bonuses (tenant_id);
CREATE INDEX bonuses_by_expiry ON bonuses (expires_ms);
-- The time of these was over, and what was left of them went back.
CREATE TABLE bonus_ends (
    bonus_id TEXT PRIMARY KEY REFERENCES bonuses (transaction_id),
    at_ms    BIGINT NOT NULL
);
CREATE TABLE refunds (
    transaction_id TEXT PRIMARY KEY REFERENCES journal (id),
    tenant_id      TEXT NOT NULL,
    recharge_id    TEXT NOT NULL REFERENCES recharges (transaction_id),
    amount_micros  BIGINT NOT NULL CHECK (amount_micros > 0)
);
CREATE INDEX refunds_by_recharge ON refunds (recharge_id);
CREATE TABLE vouchers (
    id               TEXT PRIMARY KEY,
    -- The code itself is shown once and not kept.
    code_sha256      TEXT NOT NULL UNIQUE,
    currency         TEXT NOT NULL,
    amount_micros    BIGINT NOT NULL CHECK (amount_micros > 0),
    -- Who may redeem it; '' for anybody.
    tenant_id        TEXT NOT NULL,
    valid_from_ms    BIGINT NOT NULL,
    -- 0: for ever.
    valid_to_ms      BIGINT NOT NULL,
    -- Of the bonus that it becomes; 0: never.
    bonus_expires_ms BIGINT NOT NULL,
    memo             TEXT NOT NULL,
    actor            TEXT NOT NULL,
    created_ms       BIGINT NOT NULL
);
-- Its key is what makes it happen once.
CREATE TABLE voucher_redemptions (
    voucher_id     TEXT PRIMARY KEY REFERENCES vouchers (id),
    tenant_id      TEXT NOT NULL,
    transaction_id TEXT NOT NULL REFERENCES journal (id),
    at_ms          BIGINT NOT NULL
);
CREATE INDEX voucher_redemptions_by_tenant ON voucher_redemptions (tenant_id);
-- Money that is put aside. A hold's id is that of its transaction.
CREATE TABLE holds (
    id            TEXT PRIMARY KEY REFERENCES journal (id),
    tenant_id     TEXT NOT NULL,
    amount_micros BIGINT NOT NULL CHECK (amount_micros > 0),
    -- How much of it is from the bonus; the rest is cash.
    bonus_micros  BIGINT NOT NULL CHECK (bonus_micros >= 0),
    purpose       TEXT NOT NULL,
    expires_ms    BIGINT NOT NULL,
    created_ms    BIGINT NOT NULL,
    CHECK (bonus_micros <= amount_micros)
);
CREATE INDEX holds_by_tenant ON holds (tenant_id);
CREATE INDEX holds_by_expiry ON holds (expires_ms);
CREATE TABLE hold_ends (
    hold_id        TEXT PRIMARY KEY REFERENCES holds (id),
    outcome        TEXT NOT NULL CHECK (outcome IN ('posted', 'voided', 'expired')),
    posted_micros  BIGINT NOT NULL CHECK (posted_micros >= 0),
    transaction_id TEXT NOT NULL,
    at_ms          BIGINT NOT NULL
);
-- What is set for one account, as JSON; the newest row rules, and the others are its history.
CREATE TABLE account_settings (
    tenant_id    TEXT NOT NULL REFERENCES accounts (tenant_id),
    number       BIGINT NOT NULL,
    effective_ms BIGINT NOT NULL,
    document     TEXT NOT NULL,
    actor        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    PRIMARY KEY (tenant_id, number)
);

-- The ledger so far had one account a tenant. What it held above zero was cash, what it lacked
-- receivable: an old transaction moves both by what its running sum B did to max(B, 0) and min(B, 0).
INSERT INTO journal_entries (transaction_id, position, tenant_id, account, direction, amount_micros,
    account_sequence, balance_micros)
WITH per_transaction AS (
    SELECT t.id, t.tenant_id, t.kind, t.created_ms,
        CAST(SUM(CASE e.direction WHEN 'credit' THEN e.amount_micros ELSE -e.amount_micros END)
            AS BIGINT) AS moved
    FROM ledger_transactions t
    JOIN ledger_entries e ON e.transaction_id = t.id AND e.account = 'tenant:' || t.tenant_id
    GROUP BY t.id, t.tenant_id, t.kind, t.created_ms
), running AS (
    SELECT p.*, CAST(SUM(moved) OVER (PARTITION BY tenant_id ORDER BY created_ms, id) AS BIGINT)
        AS after_it
    FROM per_transaction p
), moves AS (
    SELECT r.*, after_it - moved AS before_it FROM running r
), legs AS (
    SELECT id, tenant_id, created_ms, 0 AS position, 'cash' AS account,
        (CASE WHEN after_it > 0 THEN after_it ELSE 0 END)
        - (CASE WHEN before_it > 0 THEN before_it ELSE 0 END) AS credited
    FROM moves
    UNION ALL
    SELECT id, tenant_id, created_ms, 1, 'receivable',
        (CASE WHEN after_it < 0 THEN after_it ELSE 0 END)
        - (CASE WHEN before_it < 0 THEN before_it ELSE 0 END)
    FROM moves
    UNION ALL
    SELECT id, tenant_id, created_ms, 2,
        CASE kind WHEN 'topup' THEN 'payments' ELSE 'revenue' END, -moved
    FROM moves
)
SELECT id, position, tenant_id, account, CASE WHEN credited > 0 THEN 'credit' ELSE 'debit' END,
    ABS(credited),
    ROW_NUMBER() OVER (PARTITION BY tenant_id, account ORDER BY created_ms, id),
    CAST(SUM(credited) OVER (PARTITION BY tenant_id, account ORDER BY created_ms, id) AS BIGINT)
FROM legs WHERE credited <> 0;

INSERT INTO journal (id, tenant_id, number, dedup_key, request_sha256, kind, currency, at_ms, month,
    memo, reason, corrects_id, actor, created_ms)
SELECT id, tenant_id, ROW_NUMBER() OVER (PARTITION BY tenant_id ORDER BY created_ms, id), dedup_key,
    '', CASE kind WHEN 'topup' THEN 'recharge' ELSE 'charge' END, currency, at_ms, '', memo, '', '',
    'system:migration', created_ms
FROM ledger_transactions;

INSERT INTO recharges (transaction_id, tenant_id, provider, provider_id, amount_micros)
SELECT t.id, t.tenant_id, 'opshawk', t.dedup_key, e.amount_micros
FROM ledger_transactions t
JOIN ledger_entries e ON e.transaction_id = t.id AND e.direction = 'credit'
WHERE t.kind = 'topup';

INSERT INTO account_settings (tenant_id, number, effective_ms, document, actor, reason)
SELECT tenant_id, 1, created_ms,
    '{"credit_limit":"' || CAST(credit_limit_micros / 1000000 AS TEXT) || '.'
        || SUBSTR(CAST(1000000 + credit_limit_micros % 1000000 AS TEXT), 2) || '"}',
    'system:migration', 'set before there was a history'
FROM accounts WHERE credit_limit_micros <> 0;
