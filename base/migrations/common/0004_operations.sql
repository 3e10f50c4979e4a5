-- A view over a resource row's generations: who asked for what, the steps seen, how it ended.
CREATE TABLE operations (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT,
    actor_kind   TEXT NOT NULL,
    actor_id     TEXT NOT NULL,
    actor_name   TEXT NOT NULL,
    kind         TEXT NOT NULL,
    target_kind  TEXT NOT NULL,
    target_id    TEXT NOT NULL,
    target_name  TEXT NOT NULL,
    -- Of the target; the operation is done when the observed one reached it.
    generation   BIGINT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'superseded')),
    progress_pct BIGINT NOT NULL,
    error_code   TEXT,
    error        TEXT,
    started_ms   BIGINT NOT NULL,
    finished_ms  BIGINT
);
CREATE INDEX operations_open ON operations (target_id, generation) WHERE state = 'running';
CREATE INDEX operations_by_time ON operations (started_ms, id);

CREATE TABLE operation_steps (
    operation_id TEXT NOT NULL REFERENCES operations (id),
    position     BIGINT NOT NULL,
    name         TEXT NOT NULL,
    started_ms   BIGINT NOT NULL,
    finished_ms  BIGINT,
    PRIMARY KEY (operation_id, position)
);
