-- Facts about what tenants use, as they were told; append-only. Clamping, order and gaps belong to
-- the projection, so that a fact which comes late can still find its place.
CREATE TABLE usage_facts (
    id             TEXT PRIMARY KEY,
    -- Who tells, and its own id of the fact.
    source         TEXT NOT NULL,
    source_id      TEXT NOT NULL,
    -- Of what it says; '' where it was moved here from an older schema.
    payload_sha256 TEXT NOT NULL,
    tenant_id      TEXT NOT NULL,
    kind           TEXT NOT NULL,
    resource_id    TEXT NOT NULL,
    resource_name  TEXT NOT NULL,
    state          TEXT NOT NULL,
    -- Flat JSON, keys sorted, values integers and texts.
    attributes     TEXT NOT NULL,
    at_ms          BIGINT NOT NULL,
    recorded_ms    BIGINT NOT NULL,
    -- The source's own order of this resource; 0: it has none, and arrival is the order.
    ordinal        BIGINT NOT NULL CHECK (ordinal >= 0),
    -- Allotted on arrival, rising per resource.
    sequence       BIGINT NOT NULL,
    -- 1: too far in the future when it came; it counts only by a ruling.
    quarantined    BIGINT NOT NULL,
    UNIQUE (source, source_id),
    UNIQUE (kind, resource_id, sequence)
);

-- Where each resource's facts stand; the row's lock orders those who append.
CREATE TABLE usage_heads (
    kind         TEXT NOT NULL,
    resource_id  TEXT NOT NULL,
    sequence     BIGINT NOT NULL,
    -- Of the facts that count.
    last_ordinal BIGINT NOT NULL,
    effective_ms BIGINT NOT NULL,
    tenant_id    TEXT NOT NULL,
    -- From when on nothing is rated, since a fact contradicts; 9223372036854775807: it is not.
    parked_ms    BIGINT NOT NULL,
    -- 1: its next fact may be put behind its last one. 0: it has rulings, gaps or an end, and is
    -- projected anew.
    plain        BIGINT NOT NULL,
    PRIMARY KEY (kind, resource_id)
);

-- The facts as stretches of time, half-open; a projection that can be rebuilt.
CREATE TABLE usage_spans (
    kind          TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    -- The sequence of the fact that opened it.
    opened        BIGINT NOT NULL,
    from_ms       BIGINT NOT NULL,
    -- 9223372036854775807: it goes on.
    to_ms         BIGINT NOT NULL,
    tenant_id     TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    state         TEXT NOT NULL,
    attributes    TEXT NOT NULL,
    -- In a gap: what it was seen to be after it, as {"attributes":{…},"state":"…"}; '' otherwise.
    alternative   TEXT NOT NULL,
    quality       TEXT NOT NULL CHECK (quality IN ('observed', 'estimated', 'corrected')),
    PRIMARY KEY (kind, resource_id, from_ms),
    CHECK (from_ms < to_ms)
);
CREATE INDEX usage_spans_by_tenant ON usage_spans (tenant_id, to_ms);

-- Times of which no facts are left: what it was after them; append-only.
CREATE TABLE usage_gaps (
    id               TEXT PRIMARY KEY,
    source           TEXT NOT NULL,
    source_id        TEXT NOT NULL,
    kind             TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    from_ms          BIGINT NOT NULL,
    to_ms            BIGINT NOT NULL,
    after_state      TEXT NOT NULL,
    after_attributes TEXT NOT NULL,
    -- What is charged until it is answered; as it was set when the gap was found.
    policy           TEXT NOT NULL CHECK (policy IN ('cheaper', 'as_before', 'free')),
    recorded_ms      BIGINT NOT NULL,
    UNIQUE (source, source_id),
    CHECK (from_ms < to_ms)
);
CREATE INDEX usage_gaps_by_resource ON usage_gaps (kind, resource_id);
-- What somebody found out: as before up to an instant of the gap, so from there on; append-only.
CREATE TABLE usage_gap_answers (
    gap_id     TEXT PRIMARY KEY REFERENCES usage_gaps (id),
    state      TEXT NOT NULL,
    attributes TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL CHECK (reason <> ''),
    at_ms      BIGINT NOT NULL
);
-- What becomes of a fact that was put aside or contradicts; append-only.
CREATE TABLE usage_rulings (
    fact_id  TEXT PRIMARY KEY REFERENCES usage_facts (id),
    ruling   TEXT NOT NULL CHECK (ruling IN ('take', 'drop')),
    -- Taken: the instant it counts as.
    at_as_ms BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    reason   TEXT NOT NULL CHECK (reason <> ''),
    at_ms    BIGINT NOT NULL
);

-- What somebody should look at: open, and seen so often, until it is resolved.
CREATE TABLE findings (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    -- '': nobody's.
    tenant_id     TEXT NOT NULL,
    severity      TEXT NOT NULL CHECK (severity IN ('warning', 'error')),
    detail        TEXT NOT NULL,
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms  BIGINT NOT NULL,
    seen          BIGINT NOT NULL,
    -- 0: not yet.
    reported_ms   BIGINT NOT NULL,
    resolved_ms   BIGINT NOT NULL
);
CREATE UNIQUE INDEX findings_open ON findings (kind, subject) WHERE resolved_ms = 0;

-- What was recorded so far. An event that had no sequence was put aside; it stands where it came.
INSERT INTO usage_facts (id, source, source_id, payload_sha256, tenant_id, kind, resource_id,
    resource_name, state, attributes, at_ms, recorded_ms, ordinal, sequence, quarantined)
SELECT id, 'agent', source_id, '', tenant_id, resource_kind, resource_id, resource_name, state,
    '{"disk_gib":' || disk_gib || ',"flavor":"' || flavor_id || '"}', at_ms, recorded_ms, 0,
    ROW_NUMBER() OVER (PARTITION BY resource_kind, resource_id ORDER BY place, aside, id), aside
FROM (
    SELECT e.*,
        CASE WHEN e.sequence IS NULL THEN 1 ELSE 0 END AS aside,
        COALESCE(e.sequence, (SELECT MAX(b.sequence) FROM usage_events b
            WHERE b.resource_kind = e.resource_kind AND b.resource_id = e.resource_id
              AND b.recorded_ms <= e.recorded_ms), 0) AS place
    FROM usage_events e
) events;

INSERT INTO usage_heads (kind, resource_id, sequence, last_ordinal, effective_ms, tenant_id,
    parked_ms, plain)
SELECT s.resource_kind, s.resource_id,
    (SELECT MAX(f.sequence) FROM usage_facts f
     WHERE f.kind = s.resource_kind AND f.resource_id = s.resource_id),
    0, s.effective_ms, s.tenant_id, 9223372036854775807, 1
FROM usage_streams s;

-- A fact that differs from the one before opens a span, which the next one closes.
INSERT INTO usage_spans (kind, resource_id, opened, from_ms, to_ms, tenant_id, resource_name,
    state, attributes, alternative, quality)
SELECT kind, resource_id, sequence, effective_ms, to_ms, tenant_id, resource_name, state,
    attributes, '', 'observed'
FROM (
    SELECT turns.*, COALESCE(LEAD(effective_ms) OVER w, 9223372036854775807) AS to_ms
    FROM (
        SELECT f.*, e.effective_ms,
            f.tenant_id || ' ' || f.state || ' ' || f.attributes AS shape,
            LAG(f.tenant_id || ' ' || f.state || ' ' || f.attributes)
                OVER (PARTITION BY f.kind, f.resource_id ORDER BY f.sequence) AS before
        FROM usage_facts f JOIN usage_events e ON e.id = f.id
        WHERE f.quarantined = 0
    ) turns
    WHERE before IS NULL OR before <> shape
    WINDOW w AS (PARTITION BY kind, resource_id ORDER BY sequence)
) spans
WHERE to_ms > effective_ms AND state <> 'absent';
