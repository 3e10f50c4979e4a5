-- What was read stays as it was read.
CREATE TRIGGER counter_readings_append_only BEFORE UPDATE OR DELETE ON counter_readings
FOR EACH ROW EXECUTE FUNCTION append_only();
