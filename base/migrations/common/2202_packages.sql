-- Monthly packages: ordered by name, charged in advance, renewed on the day of the order. What was
-- charged of them stands with the other rated lines.

CREATE TABLE package_orders (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES accounts (tenant_id),
    -- As the tenant calls it.
    name       TEXT NOT NULL,
    -- Of what: the rate's id in the versions of the tenant's prices.
    rate       TEXT NOT NULL,
    -- When its first month begins; the others are counted from here.
    starts_ms  BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX package_orders_by_tenant ON package_orders (tenant_id, starts_ms);

-- A month that begins then or later is not charged.
CREATE TABLE package_ends (
    order_id   TEXT PRIMARY KEY REFERENCES package_orders (id),
    ends_ms    BIGINT NOT NULL,
    reason     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- From when on an order's months are to be looked at; 9223372036854775807: none is left. Derived.
CREATE TABLE package_renewals (
    order_id  TEXT PRIMARY KEY REFERENCES package_orders (id),
    tenant_id TEXT NOT NULL,
    due_ms    BIGINT NOT NULL
);
CREATE INDEX package_renewals_due ON package_renewals (due_ms);
CREATE INDEX package_renewals_by_tenant ON package_renewals (tenant_id, due_ms);
