-- The ledger of before 2001 goes, and its lines, which 2004 moved.
DROP TABLE rated_lines;
DROP TABLE ledger_entries;
DROP TABLE ledger_transactions;
-- The journal's newest entries are the balance; a limit is a setting with its history.
ALTER TABLE accounts DROP COLUMN posted_micros;
ALTER TABLE accounts DROP COLUMN credit_limit_micros;
