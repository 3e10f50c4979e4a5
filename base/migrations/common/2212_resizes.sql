-- What an instance is becoming, from the ask until its host has done it; until then its own columns say
-- what it is, and what it is billed by.
ALTER TABLE instances ADD COLUMN resize_flavor_id TEXT REFERENCES flavors (id);
ALTER TABLE instances ADD COLUMN resize_vcpus BIGINT;
ALTER TABLE instances ADD COLUMN resize_memory_mib BIGINT;
ALTER TABLE instances ADD COLUMN resize_disk_gib BIGINT;
-- The instance's generation that asks for it.
ALTER TABLE instances ADD COLUMN resize_generation BIGINT;
-- When it was asked for.
ALTER TABLE instances ADD COLUMN resize_ms BIGINT;
