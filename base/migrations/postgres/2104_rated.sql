-- What was rated never changes; a correction is a new line.
CREATE TRIGGER rated_keys_append_only BEFORE UPDATE OR DELETE ON rated_keys
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER charges_append_only BEFORE UPDATE OR DELETE ON charges
FOR EACH ROW EXECUTE FUNCTION append_only();
