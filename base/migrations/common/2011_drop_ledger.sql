-- The ledger of before 2001 goes. The lines stay, and refer to the journal from now on: a table's
-- foreign keys can't be changed on SQLite, so they move (their triggers are made again in 2101).
CREATE TABLE moved_lines (
    transaction_id   TEXT NOT NULL REFERENCES journal (id),
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
INSERT INTO moved_lines (transaction_id, position, tenant_id, resource_kind, resource_id,
    resource_name, what, meter, price_version_id, month, from_ms, to_ms, unit_price_nanos, quantity,
    amount_micros, kind)
SELECT transaction_id, position, tenant_id, resource_kind, resource_id, resource_name, what, meter,
    price_version_id, month, from_ms, to_ms, unit_price_nanos, quantity, amount_micros, kind
FROM rated_lines;
DROP TABLE rated_lines;
ALTER TABLE moved_lines RENAME TO rated_lines;
CREATE INDEX rated_lines_by_resource ON rated_lines (tenant_id, resource_kind, resource_id, month);

DROP TABLE ledger_entries;
DROP TABLE ledger_transactions;
-- The journal's newest entries are the balance; a limit is a setting with its history.
ALTER TABLE accounts DROP COLUMN posted_micros;
ALTER TABLE accounts DROP COLUMN credit_limit_micros;
