-- Up to which of its transactions, and with which credit limit, an account's standing was looked at
-- last: what came since may make warnings to be told again. An instant would not do, since who posts
-- takes it before the account's lock.
ALTER TABLE agenda ADD COLUMN looked_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agenda ADD COLUMN looked_credit_micros BIGINT NOT NULL DEFAULT 0;
