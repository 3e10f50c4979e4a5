-- What was published, recorded or posted never changes; a correction is a new row.
CREATE TRIGGER price_versions_append_only BEFORE UPDATE OR DELETE ON price_versions
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER prices_append_only BEFORE UPDATE OR DELETE ON prices
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER price_assignments_append_only BEFORE UPDATE OR DELETE ON price_assignments
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_events_append_only BEFORE UPDATE OR DELETE ON usage_events
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_transactions_append_only BEFORE UPDATE OR DELETE ON ledger_transactions
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER rated_lines_append_only BEFORE UPDATE OR DELETE ON rated_lines
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER standing_log_append_only BEFORE UPDATE OR DELETE ON standing_log
FOR EACH ROW EXECUTE FUNCTION append_only();
-- A published version gets no further prices.
CREATE FUNCTION prices_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM price_versions WHERE id = NEW.version_id) THEN
        RAISE EXCEPTION 'the price version is published';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER prices_sealed BEFORE INSERT ON prices
FOR EACH ROW EXECUTE FUNCTION prices_sealed();
