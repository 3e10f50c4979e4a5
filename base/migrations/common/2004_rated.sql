-- What was rated: lines, the keys they are of, and the sums that the next rounding starts from.
-- Measures are unit-milliseconds of what is priced by the hour, units of what is counted; amounts
-- are micro-units.

-- What a line is of, by a number of its tenant's; append-only.
CREATE TABLE rated_keys (
    tenant_id        TEXT NOT NULL,
    key_no           BIGINT NOT NULL,
    kind             TEXT NOT NULL,
    -- '': all of the tenant's resources, of a rate that they share.
    resource_id      TEXT NOT NULL,
    -- 'instance.compute'.
    component        TEXT NOT NULL,
    version_id       TEXT NOT NULL,
    -- The rate's id in the version.
    rate             TEXT NOT NULL,
    -- 'YYYY-MM' in the account's time zone.
    month            TEXT NOT NULL,
    -- The key with which it is rounded: itself, or the shared one.
    group_no         BIGINT NOT NULL,
    -- When it was first rated; lines and bills call it so.
    resource_name    TEXT NOT NULL,
    -- The flavor's id; '': it has none.
    flavor           TEXT NOT NULL,
    -- Of a standard price, per unit and hour (or unit); 0 of the others.
    unit_price_nanos BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_no),
    UNIQUE (tenant_id, month, kind, resource_id, component, version_id, rate)
);
CREATE INDEX rated_keys_by_resource ON rated_keys (tenant_id, kind, resource_id, month);

-- The rated lines; append-only. What a charge in the ledger is made of.
CREATE TABLE charges (
    tenant_id      TEXT NOT NULL,
    -- The charge's number: its transaction has the key 'charge:<tenant>:<number>'.
    charge_no      BIGINT NOT NULL,
    position       BIGINT NOT NULL,
    key_no         BIGINT NOT NULL,
    -- The instant up to which the charge rates.
    at_ms          BIGINT NOT NULL,
    from_ms        BIGINT NOT NULL,
    to_ms          BIGINT NOT NULL,
    -- The fact that it follows from: its sequence.
    opened         BIGINT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('usage', 'adjustment', 'volume', 'minimum')),
    quality        TEXT NOT NULL CHECK (quality IN ('observed', 'estimated', 'corrected')),
    -- How much of its time was observed, in millionths.
    coverage_ppm   BIGINT NOT NULL,
    quantity       BIGINT NOT NULL,
    -- Of its group: so much before this line, and so much by it.
    measure_before BIGINT NOT NULL,
    measure        BIGINT NOT NULL,
    net_before     BIGINT NOT NULL,
    net            BIGINT NOT NULL,
    tax_before     BIGINT NOT NULL,
    tax            BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, charge_no, position)
);
CREATE INDEX charges_by_key ON charges (tenant_id, key_no);
CREATE INDEX charges_by_time ON charges (tenant_id, at_ms);

-- The sums of a group's lines, kept with them.
CREATE TABLE rated_sums (
    tenant_id TEXT NOT NULL,
    key_no    BIGINT NOT NULL,
    measure   BIGINT NOT NULL,
    net       BIGINT NOT NULL,
    tax       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_no)
);

-- Groups whose amount no longer fits; they are charged no further until someone looks.
CREATE TABLE rated_parked (
    tenant_id TEXT NOT NULL,
    key_no    BIGINT NOT NULL,
    reason    TEXT NOT NULL,
    parked_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_no)
);

-- Keys of the lines so far, so that this month's rounding goes on where it stood. What was paused
-- without a price of its own is of the running one's rate.
INSERT INTO rated_keys (tenant_id, key_no, kind, resource_id, component, version_id, rate, month,
    group_no, resource_name, flavor, unit_price_nanos)
SELECT tenant_id, number, resource_kind, resource_id, component, price_version_id, rate, month,
    number, resource_name, flavor, unit_price_nanos
FROM (
    SELECT k.*, ROW_NUMBER() OVER (PARTITION BY tenant_id
        ORDER BY month, resource_kind, resource_id, component, price_version_id, rate) AS number
    FROM (
        SELECT l.tenant_id, l.resource_kind, l.resource_id, l.price_version_id, l.month,
            MIN(l.resource_name) AS resource_name, MIN(l.unit_price_nanos) AS unit_price_nanos,
            CASE WHEN l.meter = 'disk_gib' THEN 'instance.disk'
                 WHEN l.meter LIKE 'instance-paused:%' THEN 'instance.compute_suspended'
                 ELSE 'instance.compute' END AS component,
            CASE WHEN l.meter LIKE 'instance-paused:%' THEN SUBSTR(l.meter, 17)
                 WHEN l.meter LIKE 'instance:%' THEN SUBSTR(l.meter, 10)
                 ELSE '' END AS flavor,
            CASE WHEN l.meter LIKE 'instance-paused:%' AND NOT EXISTS (SELECT 1 FROM prices p
                     WHERE p.version_id = l.price_version_id AND p.meter = l.meter)
                 THEN 'instance:' || SUBSTR(l.meter, 17)
                 ELSE l.meter END AS rate
        FROM rated_lines l
        GROUP BY l.tenant_id, l.resource_kind, l.resource_id, l.price_version_id, l.month, l.meter
    ) k
) numbered;

INSERT INTO charges (tenant_id, charge_no, position, key_no, at_ms, from_ms, to_ms, opened, kind,
    quality, coverage_ppm, quantity, measure_before, measure, net_before, net, tax_before, tax)
SELECT tenant_id, charge_no, position, key_no, at_ms, from_ms, to_ms, 0, kind,
    CASE kind WHEN 'adjustment' THEN 'corrected' ELSE 'observed' END, 1000000, quantity,
    CAST(SUM(measure) OVER w AS BIGINT) - measure, measure,
    CAST(SUM(amount_micros) OVER w AS BIGINT) - amount_micros, amount_micros, 0, 0
FROM (
    SELECT l.*, k.key_no, t.at_ms, 
        CAST(REPLACE(t.dedup_key, 'charge:' || t.tenant_id || ':', '') AS BIGINT) AS charge_no,
        l.quantity * (l.to_ms - l.from_ms) AS measure
    FROM rated_lines l
    JOIN ledger_transactions t ON t.id = l.transaction_id
    JOIN rated_keys k ON k.tenant_id = l.tenant_id AND k.month = l.month
        AND k.kind = l.resource_kind AND k.resource_id = l.resource_id
        AND k.version_id = l.price_version_id
        AND k.component = CASE WHEN l.meter = 'disk_gib' THEN 'instance.disk'
            WHEN l.meter LIKE 'instance-paused:%' THEN 'instance.compute_suspended'
            ELSE 'instance.compute' END
        AND k.flavor = CASE WHEN l.meter LIKE 'instance-paused:%' THEN SUBSTR(l.meter, 17)
            WHEN l.meter LIKE 'instance:%' THEN SUBSTR(l.meter, 10) ELSE '' END
) placed
WINDOW w AS (PARTITION BY tenant_id, key_no ORDER BY charge_no, position);

INSERT INTO rated_sums (tenant_id, key_no, measure, net, tax)
SELECT tenant_id, key_no, CAST(SUM(measure) AS BIGINT), CAST(SUM(net) AS BIGINT), 0
FROM charges GROUP BY tenant_id, key_no;

INSERT INTO rated_parked (tenant_id, key_no, reason, parked_ms)
SELECT k.tenant_id, k.key_no, MIN(p.reason), MIN(p.parked_ms)
FROM parked_lines p JOIN rated_keys k ON k.tenant_id = p.tenant_id AND k.month = p.month
    AND k.kind = p.resource_kind AND k.resource_id = p.resource_id
    AND k.version_id = p.price_version_id
    AND (k.rate = p.meter OR k.rate = 'instance:' || SUBSTR(p.meter, 17))
GROUP BY k.tenant_id, k.key_no;
