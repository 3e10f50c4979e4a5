-- What was read stays as it was read.
CREATE TRIGGER counter_readings_no_update BEFORE UPDATE ON counter_readings
BEGIN SELECT RAISE(ABORT, 'counter_readings is append-only'); END;
CREATE TRIGGER counter_readings_no_delete BEFORE DELETE ON counter_readings
BEGIN SELECT RAISE(ABORT, 'counter_readings is append-only'); END;
