-- A published version, and who had which prices, never changes; a correction is a new row.
CREATE TRIGGER price_rates_append_only BEFORE UPDATE OR DELETE ON price_rates
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER price_documents_append_only BEFORE UPDATE OR DELETE ON price_documents
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER price_overrides_append_only BEFORE UPDATE OR DELETE ON price_overrides
FOR EACH ROW EXECUTE FUNCTION append_only();
-- A published version gets no further rates.
CREATE FUNCTION price_rates_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM price_documents WHERE version_id = NEW.version_id) THEN
        RAISE EXCEPTION 'the price version is published';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER price_rates_sealed BEFORE INSERT ON price_rates
FOR EACH ROW EXECUTE FUNCTION price_rates_sealed();
