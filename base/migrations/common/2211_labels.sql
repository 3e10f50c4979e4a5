-- What its tenant tells an instance apart by: a JSON object of texts.
ALTER TABLE instances ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
