-- What was posted never changes; a correction is a new transaction.
CREATE TRIGGER journal_entries_no_update BEFORE UPDATE ON journal_entries
BEGIN SELECT RAISE(ABORT, 'journal_entries is append-only'); END;
CREATE TRIGGER journal_entries_no_delete BEFORE DELETE ON journal_entries
BEGIN SELECT RAISE(ABORT, 'journal_entries is append-only'); END;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'journal is append-only'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'journal is append-only'); END;
CREATE TRIGGER recharges_no_update BEFORE UPDATE ON recharges
BEGIN SELECT RAISE(ABORT, 'recharges is append-only'); END;
CREATE TRIGGER recharges_no_delete BEFORE DELETE ON recharges
BEGIN SELECT RAISE(ABORT, 'recharges is append-only'); END;
CREATE TRIGGER bonuses_no_update BEFORE UPDATE ON bonuses
BEGIN SELECT RAISE(ABORT, 'bonuses is append-only'); END;
CREATE TRIGGER bonuses_no_delete BEFORE DELETE ON bonuses
BEGIN SELECT RAISE(ABORT, 'bonuses is append-only'); END;
CREATE TRIGGER bonus_ends_no_update BEFORE UPDATE ON bonus_ends
BEGIN SELECT RAISE(ABORT, 'bonus_ends is append-only'); END;
CREATE TRIGGER bonus_ends_no_delete BEFORE DELETE ON bonus_ends
BEGIN SELECT RAISE(ABORT, 'bonus_ends is append-only'); END;
CREATE TRIGGER refunds_no_update BEFORE UPDATE ON refunds
BEGIN SELECT RAISE(ABORT, 'refunds is append-only'); END;
CREATE TRIGGER refunds_no_delete BEFORE DELETE ON refunds
BEGIN SELECT RAISE(ABORT, 'refunds is append-only'); END;
CREATE TRIGGER vouchers_no_update BEFORE UPDATE ON vouchers
BEGIN SELECT RAISE(ABORT, 'vouchers is append-only'); END;
CREATE TRIGGER vouchers_no_delete BEFORE DELETE ON vouchers
BEGIN SELECT RAISE(ABORT, 'vouchers is append-only'); END;
CREATE TRIGGER voucher_redemptions_no_update BEFORE UPDATE ON voucher_redemptions
BEGIN SELECT RAISE(ABORT, 'voucher_redemptions is append-only'); END;
CREATE TRIGGER voucher_redemptions_no_delete BEFORE DELETE ON voucher_redemptions
BEGIN SELECT RAISE(ABORT, 'voucher_redemptions is append-only'); END;
CREATE TRIGGER holds_no_update BEFORE UPDATE ON holds
BEGIN SELECT RAISE(ABORT, 'holds is append-only'); END;
CREATE TRIGGER holds_no_delete BEFORE DELETE ON holds
BEGIN SELECT RAISE(ABORT, 'holds is append-only'); END;
CREATE TRIGGER hold_ends_no_update BEFORE UPDATE ON hold_ends
BEGIN SELECT RAISE(ABORT, 'hold_ends is append-only'); END;
CREATE TRIGGER hold_ends_no_delete BEFORE DELETE ON hold_ends
BEGIN SELECT RAISE(ABORT, 'hold_ends is append-only'); END;
CREATE TRIGGER account_settings_no_update BEFORE UPDATE ON account_settings
BEGIN SELECT RAISE(ABORT, 'account_settings is append-only'); END;
CREATE TRIGGER account_settings_no_delete BEFORE DELETE ON account_settings
BEGIN SELECT RAISE(ABORT, 'account_settings is append-only'); END;
-- A transaction's debits equal its credits, all of its own tenant; it seals them.
CREATE TRIGGER journal_balances BEFORE INSERT ON journal
WHEN (SELECT COALESCE(SUM(CASE direction WHEN 'debit' THEN amount_micros ELSE -amount_micros END), 0)
      FROM journal_entries WHERE transaction_id = NEW.id) <> 0
BEGIN SELECT RAISE(ABORT, 'the transaction does not balance'); END;
CREATE TRIGGER journal_of_one_tenant BEFORE INSERT ON journal
WHEN EXISTS (SELECT 1 FROM journal_entries
             WHERE transaction_id = NEW.id AND tenant_id <> NEW.tenant_id)
BEGIN SELECT RAISE(ABORT, 'an entry of the transaction is another tenant''s'); END;
CREATE TRIGGER journal_sealed BEFORE INSERT ON journal_entries
WHEN EXISTS (SELECT 1 FROM journal WHERE id = NEW.transaction_id)
BEGIN SELECT RAISE(ABORT, 'the transaction is sealed'); END;
-- Upper bounds of sums of what is positive hold in whatever order rows are restored.
CREATE TRIGGER refunds_ceiling BEFORE INSERT ON refunds
WHEN (SELECT COALESCE(SUM(amount_micros), 0) FROM refunds WHERE recharge_id = NEW.recharge_id)
       + NEW.amount_micros
     > (SELECT amount_micros FROM recharges WHERE transaction_id = NEW.recharge_id)
BEGIN SELECT RAISE(ABORT, 'more is refunded than was paid'); END;
CREATE TRIGGER hold_ends_ceiling BEFORE INSERT ON hold_ends
WHEN NEW.posted_micros > (SELECT amount_micros FROM holds WHERE id = NEW.hold_id)
BEGIN SELECT RAISE(ABORT, 'more is posted than was held'); END;
