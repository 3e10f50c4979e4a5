-- Moved to price_rates by 2003; its triggers go with it.
DROP TABLE prices;
