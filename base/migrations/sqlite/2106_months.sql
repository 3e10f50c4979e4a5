-- What was closed and issued never changes.
CREATE TRIGGER month_closings_no_update BEFORE UPDATE ON month_closings
BEGIN SELECT RAISE(ABORT, 'month_closings is append-only'); END;
CREATE TRIGGER month_closings_no_delete BEFORE DELETE ON month_closings
BEGIN SELECT RAISE(ABORT, 'month_closings is append-only'); END;
CREATE TRIGGER invoices_no_update BEFORE UPDATE ON invoices
BEGIN SELECT RAISE(ABORT, 'invoices is append-only'); END;
CREATE TRIGGER invoices_no_delete BEFORE DELETE ON invoices
BEGIN SELECT RAISE(ABORT, 'invoices is append-only'); END;
CREATE TRIGGER credit_notes_no_update BEFORE UPDATE ON credit_notes
BEGIN SELECT RAISE(ABORT, 'credit_notes is append-only'); END;
CREATE TRIGGER credit_notes_no_delete BEFORE DELETE ON credit_notes
BEGIN SELECT RAISE(ABORT, 'credit_notes is append-only'); END;
CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents
BEGIN SELECT RAISE(ABORT, 'documents is append-only'); END;
CREATE TRIGGER documents_no_delete BEFORE DELETE ON documents
BEGIN SELECT RAISE(ABORT, 'documents is append-only'); END;
-- Numbers only go up, by one.
CREATE TRIGGER invoice_series_no_gap BEFORE UPDATE ON invoice_series
WHEN NEW.name <> OLD.name OR NEW.last_number <> OLD.last_number + 1
BEGIN SELECT RAISE(ABORT, 'a series counts by one'); END;
CREATE TRIGGER invoice_series_no_delete BEFORE DELETE ON invoice_series
BEGIN SELECT RAISE(ABORT, 'invoice_series keeps its rows'); END;
-- Credit notes take back no more than the invoice, in net, tax and total.
CREATE TRIGGER credit_notes_ceiling BEFORE INSERT ON credit_notes
WHEN NOT EXISTS (
    SELECT 1 FROM invoices i WHERE i.id = NEW.invoice_id
    AND i.net_micros >= NEW.net_micros + (SELECT COALESCE(SUM(net_micros), 0)
        FROM credit_notes WHERE invoice_id = NEW.invoice_id)
    AND i.tax_micros >= NEW.tax_micros + (SELECT COALESCE(SUM(tax_micros), 0)
        FROM credit_notes WHERE invoice_id = NEW.invoice_id)
)
BEGIN SELECT RAISE(ABORT, 'the credit note is above what is left of the invoice'); END;
