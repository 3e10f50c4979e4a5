-- What 2002 replaced.
DROP TABLE usage_intervals;
DROP TABLE usage_streams;
DROP TABLE usage_events;
