-- The kinds that came after the first four, for the tenants that are there. New tenants get theirs
-- when they are made.
INSERT INTO quotas (tenant_id, resource, hard_limit, used)
SELECT t.id, k.resource, k.hard_limit, 0
FROM tenants t CROSS JOIN (
    SELECT 'public_ips' AS resource, 50 AS hard_limit
    UNION ALL SELECT 'volumes', 10
    UNION ALL SELECT 'snapshots', 10
    UNION ALL SELECT 'routers', 10
    UNION ALL SELECT 'networks', 10
    UNION ALL SELECT 'security_groups', 10
    UNION ALL SELECT 'key_pairs', 100
) k
WHERE NOT EXISTS (
    SELECT 1 FROM quotas q WHERE q.tenant_id = t.id AND q.resource = k.resource
);

-- A tenant asks for more, an operator decides.
CREATE TABLE quota_requests (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    -- [{"resource":"instances","limit":20}], as asked and as approved.
    items        TEXT NOT NULL,
    granted      TEXT,
    reason       TEXT NOT NULL,
    state        TEXT NOT NULL
                 CHECK (state IN ('pending', 'approved', 'refused', 'withdrawn')),
    asked_kind   TEXT NOT NULL,
    asked_id     TEXT NOT NULL,
    asked_name   TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    decided_kind TEXT,
    decided_id   TEXT,
    decided_name TEXT,
    decided_ms   BIGINT,
    answer       TEXT,
    CHECK ((state = 'pending') = (decided_ms IS NULL)),
    CHECK ((state = 'approved') = (granted IS NOT NULL))
);
CREATE INDEX quota_requests_by_tenant ON quota_requests (tenant_id, id);
CREATE INDEX quota_requests_by_state ON quota_requests (state, id);
