-- Counters that are read now and then.
CREATE TABLE counter_series (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    component   TEXT NOT NULL,
    port        TEXT NOT NULL,
    -- 1: each life of the counter has a name. 0: a drop is a new one.
    has_epochs  BIGINT NOT NULL,
    UNIQUE (kind, resource_id, component, port)
);
-- As read; append-only.
CREATE TABLE counter_readings (
    series_id   TEXT NOT NULL REFERENCES counter_series (id),
    at_ms       BIGINT NOT NULL,
    epoch       TEXT NOT NULL,
    value       BIGINT NOT NULL CHECK (value >= 0),
    recorded_ms BIGINT NOT NULL,
    PRIMARY KEY (series_id, at_ms, epoch)
);
-- What was counted between readings, cut where the owner or the owner's billing month changes; a
-- projection.
CREATE TABLE usage_deltas (
    series_id    TEXT NOT NULL,
    from_ms      BIGINT NOT NULL,
    to_ms        BIGINT NOT NULL,
    tenant_id    TEXT NOT NULL,
    quantity     BIGINT NOT NULL CHECK (quantity >= 0),
    quality      TEXT NOT NULL CHECK (quality IN ('observed', 'estimated', 'corrected')),
    coverage_ppm BIGINT NOT NULL,
    PRIMARY KEY (series_id, to_ms),
    CHECK (from_ms < to_ms)
);
CREATE INDEX usage_deltas_by_tenant ON usage_deltas (tenant_id, to_ms);
