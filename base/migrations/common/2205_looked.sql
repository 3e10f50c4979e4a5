-- When an account's standing was looked at last; 0: it is to be looked at again. What was found then
-- (`assessed_ms` and beside it) stays true meanwhile.
ALTER TABLE agenda ADD COLUMN looked_ms BIGINT NOT NULL DEFAULT 0;
DROP INDEX agenda_by_assessed;
CREATE INDEX agenda_by_looked ON agenda (looked_ms);
-- Whose invoices are listed, newest first.
CREATE INDEX invoices_by_tenant ON invoices (tenant_id, id);
