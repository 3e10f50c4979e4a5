-- What was published, recorded or posted never changes; a correction is a new row.
CREATE TRIGGER price_versions_no_update BEFORE UPDATE ON price_versions
BEGIN SELECT RAISE(ABORT, 'price_versions is append-only'); END;
CREATE TRIGGER price_versions_no_delete BEFORE DELETE ON price_versions
BEGIN SELECT RAISE(ABORT, 'price_versions is append-only'); END;
CREATE TRIGGER prices_no_update BEFORE UPDATE ON prices
BEGIN SELECT RAISE(ABORT, 'prices is append-only'); END;
CREATE TRIGGER prices_no_delete BEFORE DELETE ON prices
BEGIN SELECT RAISE(ABORT, 'prices is append-only'); END;
CREATE TRIGGER price_assignments_no_update BEFORE UPDATE ON price_assignments
BEGIN SELECT RAISE(ABORT, 'price_assignments is append-only'); END;
CREATE TRIGGER price_assignments_no_delete BEFORE DELETE ON price_assignments
BEGIN SELECT RAISE(ABORT, 'price_assignments is append-only'); END;
CREATE TRIGGER usage_events_no_update BEFORE UPDATE ON usage_events
BEGIN SELECT RAISE(ABORT, 'usage_events is append-only'); END;
CREATE TRIGGER usage_events_no_delete BEFORE DELETE ON usage_events
BEGIN SELECT RAISE(ABORT, 'usage_events is append-only'); END;
CREATE TRIGGER ledger_transactions_no_update BEFORE UPDATE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'ledger_transactions is append-only'); END;
CREATE TRIGGER ledger_transactions_no_delete BEFORE DELETE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'ledger_transactions is append-only'); END;
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER rated_lines_no_update BEFORE UPDATE ON rated_lines
BEGIN SELECT RAISE(ABORT, 'rated_lines is append-only'); END;
CREATE TRIGGER rated_lines_no_delete BEFORE DELETE ON rated_lines
BEGIN SELECT RAISE(ABORT, 'rated_lines is append-only'); END;
CREATE TRIGGER standing_log_no_update BEFORE UPDATE ON standing_log
BEGIN SELECT RAISE(ABORT, 'standing_log is append-only'); END;
CREATE TRIGGER standing_log_no_delete BEFORE DELETE ON standing_log
BEGIN SELECT RAISE(ABORT, 'standing_log is append-only'); END;
-- A published version gets no further prices.
CREATE TRIGGER prices_sealed BEFORE INSERT ON prices
WHEN EXISTS (SELECT 1 FROM price_versions WHERE id = NEW.version_id)
BEGIN SELECT RAISE(ABORT, 'the price version is published'); END;
