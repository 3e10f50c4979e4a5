-- What was told, decided and deleted stays as it was.
CREATE TRIGGER standing_warnings_append_only BEFORE UPDATE OR DELETE ON standing_warnings
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER standing_guard_append_only BEFORE UPDATE OR DELETE ON standing_guard
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER reclaims_append_only BEFORE UPDATE OR DELETE ON reclaims
FOR EACH ROW EXECUTE FUNCTION append_only();
