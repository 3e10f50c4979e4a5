-- Of the trigger that went with its table (2013).
DROP FUNCTION prices_sealed();
