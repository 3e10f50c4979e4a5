-- Rule groups, in Prometheus's YAML.
CREATE TABLE rule_groups (
    name          TEXT PRIMARY KEY,
    -- 'api', or 'file:PATH' for those that a configuration file brought.
    source        TEXT NOT NULL,
    -- A rules file with this one group, as it was written.
    yaml          TEXT NOT NULL,
    -- Raised by each change, so that an evaluation of the old text is not recorded.
    version       BIGINT NOT NULL,
    updated_ms    BIGINT NOT NULL,
    -- The last evaluation: its instant, and how long it took.
    evaluated_ms  BIGINT,
    evaluation_us BIGINT
);

-- The last evaluation of each rule. A row outlives its rule until its series are ended.
CREATE TABLE rule_states (
    group_name    TEXT NOT NULL,
    -- Kind, name, static labels, and the position among equal ones.
    rule_key      TEXT NOT NULL,
    health        TEXT NOT NULL CHECK (health IN ('ok', 'err')),
    error         TEXT,
    evaluated_ms  BIGINT NOT NULL,
    evaluation_us BIGINT NOT NULL,
    -- JSON: the labels of the series that it wrote, which must be ended when they are gone.
    series        TEXT NOT NULL,
    PRIMARY KEY (group_name, rule_key)
);

-- One row an episode: pending, firing, resolved. A pending one that never fired leaves no trace.
CREATE TABLE alerts (
    id            TEXT PRIMARY KEY,
    group_name    TEXT NOT NULL,
    rule_key      TEXT NOT NULL,
    -- Of the labels, as Prometheus computes it: 16 hex digits.
    fingerprint   TEXT NOT NULL,
    name          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    labels        TEXT NOT NULL,
    annotations   TEXT NOT NULL,
    -- From the label 'tenant'.
    tenant_id     TEXT,
    -- A float as text: it may be infinite.
    value         TEXT NOT NULL,
    active_ms     BIGINT NOT NULL,
    fired_ms      BIGINT,
    resolved_ms   BIGINT,
    keep_firing_since_ms BIGINT
);
CREATE UNIQUE INDEX alerts_active ON alerts (group_name, rule_key, fingerprint)
    WHERE state <> 'resolved';
CREATE INDEX alerts_resolved ON alerts (resolved_ms) WHERE state = 'resolved';

-- What a receiver was told last about each group of alerts (Alertmanager's aggregation groups and
-- notification log in one).
CREATE TABLE alert_groups (
    receiver      TEXT NOT NULL,
    group_key     TEXT NOT NULL,
    tenant_id     TEXT,
    labels        TEXT NOT NULL,
    created_ms    BIGINT NOT NULL,
    next_flush_ms BIGINT NOT NULL,
    flushed_ms    BIGINT,
    notified_ms   BIGINT,
    -- JSON: fingerprints.
    firing        TEXT NOT NULL,
    resolved      TEXT NOT NULL,
    PRIMARY KEY (receiver, group_key)
);

-- A notice on its way to one address. It is delivered when the receiver took it, not before.
CREATE TABLE deliveries (
    id            TEXT PRIMARY KEY,
    notice_id     TEXT NOT NULL REFERENCES notices (id),
    channel       TEXT NOT NULL CHECK (channel IN ('mail', 'webhook')),
    -- A mail address, or a webhook's name (its URL may hold a secret and stays in the settings).
    address       TEXT NOT NULL,
    audience      TEXT NOT NULL CHECK (audience IN ('operators', 'tenant')),
    -- What belongs together arrives at an address in order.
    stream        TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts      BIGINT NOT NULL,
    next_ms       BIGINT NOT NULL,
    error         TEXT,
    created_ms    BIGINT NOT NULL,
    finished_ms   BIGINT,
    UNIQUE (notice_id, channel, address)
);
CREATE INDEX deliveries_pending ON deliveries (channel, address, stream, id)
    WHERE state = 'pending';
