-- A published version, and who had which prices, never changes; a correction is a new row.
CREATE TRIGGER price_rates_no_update BEFORE UPDATE ON price_rates
BEGIN SELECT RAISE(ABORT, 'price_rates is append-only'); END;
CREATE TRIGGER price_rates_no_delete BEFORE DELETE ON price_rates
BEGIN SELECT RAISE(ABORT, 'price_rates is append-only'); END;
CREATE TRIGGER price_documents_no_update BEFORE UPDATE ON price_documents
BEGIN SELECT RAISE(ABORT, 'price_documents is append-only'); END;
CREATE TRIGGER price_documents_no_delete BEFORE DELETE ON price_documents
BEGIN SELECT RAISE(ABORT, 'price_documents is append-only'); END;
CREATE TRIGGER price_overrides_no_update BEFORE UPDATE ON price_overrides
BEGIN SELECT RAISE(ABORT, 'price_overrides is append-only'); END;
CREATE TRIGGER price_overrides_no_delete BEFORE DELETE ON price_overrides
BEGIN SELECT RAISE(ABORT, 'price_overrides is append-only'); END;
-- A published version gets no further rates.
CREATE TRIGGER price_rates_sealed BEFORE INSERT ON price_rates
WHEN EXISTS (SELECT 1 FROM price_documents WHERE version_id = NEW.version_id)
BEGIN SELECT RAISE(ABORT, 'the price version is published'); END;
