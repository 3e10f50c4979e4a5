-- What counters say is rated when it is known, apart from the hours: from when on a resource's counted
-- use may be otherwise than posted (NULL: it is posted), and up to when anything was ever counted.
ALTER TABLE rating_resources ADD COLUMN counted_ms BIGINT;
ALTER TABLE rating_resources ADD COLUMN counted_to_ms BIGINT NOT NULL DEFAULT 0;
