-- What was closed and issued never changes.
CREATE TRIGGER month_closings_append_only BEFORE UPDATE OR DELETE ON month_closings
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER invoices_append_only BEFORE UPDATE OR DELETE ON invoices
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER credit_notes_append_only BEFORE UPDATE OR DELETE ON credit_notes
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER documents_append_only BEFORE UPDATE OR DELETE ON documents
FOR EACH ROW EXECUTE FUNCTION append_only();
-- Numbers only go up, by one.
CREATE FUNCTION invoice_series_no_gap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name <> OLD.name OR NEW.last_number <> OLD.last_number + 1 THEN
        RAISE EXCEPTION 'a series counts by one';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_series_no_gap BEFORE UPDATE ON invoice_series
FOR EACH ROW EXECUTE FUNCTION invoice_series_no_gap();
CREATE TRIGGER invoice_series_no_delete BEFORE DELETE ON invoice_series
FOR EACH ROW EXECUTE FUNCTION append_only();
-- Credit notes take back no more than the invoice, in net, tax and total.
CREATE FUNCTION credit_notes_ceiling() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM invoices i WHERE i.id = NEW.invoice_id
        AND i.net_micros >= NEW.net_micros + (SELECT COALESCE(SUM(net_micros), 0)
            FROM credit_notes WHERE invoice_id = NEW.invoice_id)
        AND i.tax_micros >= NEW.tax_micros + (SELECT COALESCE(SUM(tax_micros), 0)
            FROM credit_notes WHERE invoice_id = NEW.invoice_id)
    ) THEN
        RAISE EXCEPTION 'the credit note is above what is left of the invoice';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER credit_notes_ceiling BEFORE INSERT ON credit_notes
FOR EACH ROW EXECUTE FUNCTION credit_notes_ceiling();
