-- What was posted never changes; a correction is a new transaction.
CREATE TRIGGER journal_entries_append_only BEFORE UPDATE OR DELETE ON journal_entries
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE ON journal
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER recharges_append_only BEFORE UPDATE OR DELETE ON recharges
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER bonuses_append_only BEFORE UPDATE OR DELETE ON bonuses
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER bonus_ends_append_only BEFORE UPDATE OR DELETE ON bonus_ends
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER refunds_append_only BEFORE UPDATE OR DELETE ON refunds
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER vouchers_append_only BEFORE UPDATE OR DELETE ON vouchers
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER voucher_redemptions_append_only BEFORE UPDATE OR DELETE ON voucher_redemptions
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER holds_append_only BEFORE UPDATE OR DELETE ON holds
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER hold_ends_append_only BEFORE UPDATE OR DELETE ON hold_ends
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER account_settings_append_only BEFORE UPDATE OR DELETE ON account_settings
FOR EACH ROW EXECUTE FUNCTION append_only();
-- A transaction's debits equal its credits, all of its own tenant; it seals them.
CREATE FUNCTION journal_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT COALESCE(SUM(CASE direction WHEN 'debit' THEN amount_micros ELSE -amount_micros END), 0)
        FROM journal_entries WHERE transaction_id = NEW.id) <> 0 THEN
        RAISE EXCEPTION 'the transaction does not balance';
    END IF;
    IF EXISTS (SELECT 1 FROM journal_entries
               WHERE transaction_id = NEW.id AND tenant_id <> NEW.tenant_id) THEN
        RAISE EXCEPTION 'an entry of the transaction is another tenant''s';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER journal_balances BEFORE INSERT ON journal
FOR EACH ROW EXECUTE FUNCTION journal_balances();
CREATE FUNCTION journal_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal WHERE id = NEW.transaction_id) THEN
        RAISE EXCEPTION 'the transaction is sealed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER journal_sealed BEFORE INSERT ON journal_entries
FOR EACH ROW EXECUTE FUNCTION journal_sealed();
-- Upper bounds of sums of what is positive hold in whatever order rows are restored. Two refunds at
-- once are kept apart by the account's lock: neither trigger sees the other's uncommitted row.
CREATE FUNCTION refunds_ceiling() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT COALESCE(SUM(amount_micros), 0) FROM refunds WHERE recharge_id = NEW.recharge_id)
           + NEW.amount_micros
       > (SELECT amount_micros FROM recharges WHERE transaction_id = NEW.recharge_id) THEN
        RAISE EXCEPTION 'more is refunded than was paid';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_ceiling BEFORE INSERT ON refunds
FOR EACH ROW EXECUTE FUNCTION refunds_ceiling();
CREATE FUNCTION hold_ends_ceiling() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.posted_micros > (SELECT amount_micros FROM holds WHERE id = NEW.hold_id) THEN
        RAISE EXCEPTION 'more is posted than was held';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_ends_ceiling BEFORE INSERT ON hold_ends
FOR EACH ROW EXECUTE FUNCTION hold_ends_ceiling();
