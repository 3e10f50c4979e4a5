-- SQLite has no TRUNCATE, and its REPLACE is held by the triggers of deletes: every connection of
-- opshawk is opened with recursive_triggers. Both databases have the same versions.
SELECT 1;
