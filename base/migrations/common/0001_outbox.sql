-- What must be told to people: written in the transaction that causes it (base::outbox).
CREATE TABLE notices (
    id         TEXT PRIMARY KEY,
    dedup_key  TEXT NOT NULL UNIQUE,
    topic      TEXT NOT NULL,
    tenant_id  TEXT,
    subject    TEXT NOT NULL,
    body       TEXT NOT NULL,
    data       TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- Set when alerting has made the deliveries; NULL is work to do.
    routed_ms  BIGINT
);
CREATE INDEX notices_unrouted ON notices (created_ms) WHERE routed_ms IS NULL;
