-- TRUNCATE deletes rows without asking the triggers of rows; what is append-only refuses it as well.
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER price_versions_no_truncate BEFORE TRUNCATE ON price_versions
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER price_assignments_no_truncate BEFORE TRUNCATE ON price_assignments
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER standing_log_no_truncate BEFORE TRUNCATE ON standing_log
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER journal_entries_no_truncate BEFORE TRUNCATE ON journal_entries
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER recharges_no_truncate BEFORE TRUNCATE ON recharges
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER bonuses_no_truncate BEFORE TRUNCATE ON bonuses
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER bonus_ends_no_truncate BEFORE TRUNCATE ON bonus_ends
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER refunds_no_truncate BEFORE TRUNCATE ON refunds
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER vouchers_no_truncate BEFORE TRUNCATE ON vouchers
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER voucher_redemptions_no_truncate BEFORE TRUNCATE ON voucher_redemptions
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER holds_no_truncate BEFORE TRUNCATE ON holds
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER hold_ends_no_truncate BEFORE TRUNCATE ON hold_ends
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER account_settings_no_truncate BEFORE TRUNCATE ON account_settings
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_facts_no_truncate BEFORE TRUNCATE ON usage_facts
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_gaps_no_truncate BEFORE TRUNCATE ON usage_gaps
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_gap_answers_no_truncate BEFORE TRUNCATE ON usage_gap_answers
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_rulings_no_truncate BEFORE TRUNCATE ON usage_rulings
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER price_rates_no_truncate BEFORE TRUNCATE ON price_rates
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER price_documents_no_truncate BEFORE TRUNCATE ON price_documents
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER price_overrides_no_truncate BEFORE TRUNCATE ON price_overrides
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER rated_keys_no_truncate BEFORE TRUNCATE ON rated_keys
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER charges_no_truncate BEFORE TRUNCATE ON charges
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER standing_warnings_no_truncate BEFORE TRUNCATE ON standing_warnings
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER standing_guard_no_truncate BEFORE TRUNCATE ON standing_guard
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER reclaims_no_truncate BEFORE TRUNCATE ON reclaims
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER month_closings_no_truncate BEFORE TRUNCATE ON month_closings
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER invoices_no_truncate BEFORE TRUNCATE ON invoices
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER credit_notes_no_truncate BEFORE TRUNCATE ON credit_notes
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER documents_no_truncate BEFORE TRUNCATE ON documents
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER counter_readings_no_truncate BEFORE TRUNCATE ON counter_readings
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER package_orders_no_truncate BEFORE TRUNCATE ON package_orders
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER package_ends_no_truncate BEFORE TRUNCATE ON package_ends
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER invoice_series_no_truncate BEFORE TRUNCATE ON invoice_series
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
