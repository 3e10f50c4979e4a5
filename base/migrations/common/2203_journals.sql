-- The journal that a host's agent keeps, as it says. When another one began, what the one before it
-- had not told is lost from the last report on.
CREATE TABLE host_journals (
    host_id      TEXT PRIMARY KEY REFERENCES hosts (id),
    since_ms     BIGINT NOT NULL,
    -- 0: nothing is.
    lost_from_ms BIGINT NOT NULL
);
