-- Billing months, closed one after the other, and the invoices that closing makes. What is closed
-- stands: a later line of a closed month is invoiced with the next month that closes.

CREATE TABLE month_closings (
    tenant_id   TEXT NOT NULL REFERENCES accounts (tenant_id),
    -- 'YYYY-MM' in the account's time zone, and the instant at which it ended.
    month       TEXT NOT NULL,
    ends_ms     BIGINT NOT NULL,
    closed_ms   BIGINT NOT NULL,
    -- The account's last charge then: what was charged up to it is settled.
    settled     BIGINT NOT NULL,
    -- '': there was nothing to invoice.
    invoice_id  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, month)
);

-- A row is the lock of its numbers: raised in the transaction that uses the number, so that none is
-- left out.
CREATE TABLE invoice_series (
    name        TEXT PRIMARY KEY,
    last_number BIGINT NOT NULL
);

CREATE TABLE invoices (
    id              TEXT PRIMARY KEY,
    series          TEXT NOT NULL,
    number          BIGINT NOT NULL CHECK (number > 0),
    tenant_id       TEXT NOT NULL REFERENCES accounts (tenant_id),
    month           TEXT NOT NULL,
    currency        TEXT NOT NULL,
    -- With the currency's digits; rounding is what the total has more than its lines.
    net_micros      BIGINT NOT NULL,
    tax_micros      BIGINT NOT NULL,
    total_micros    BIGINT NOT NULL,
    rounding_micros BIGINT NOT NULL,
    issued_ms       BIGINT NOT NULL,
    UNIQUE (series, number),
    UNIQUE (tenant_id, month),
    CHECK (total_micros = net_micros + tax_micros)
);

-- Take back a part of an invoice; never more than there is of it.
CREATE TABLE credit_notes (
    id             TEXT PRIMARY KEY,
    series         TEXT NOT NULL,
    number         BIGINT NOT NULL CHECK (number > 0),
    invoice_id     TEXT NOT NULL REFERENCES invoices (id),
    net_micros     BIGINT NOT NULL CHECK (net_micros >= 0),
    tax_micros     BIGINT NOT NULL CHECK (tax_micros >= 0),
    total_micros   BIGINT NOT NULL CHECK (total_micros > 0),
    reason         TEXT NOT NULL CHECK (reason <> ''),
    transaction_id TEXT NOT NULL,
    issued_ms      BIGINT NOT NULL,
    UNIQUE (series, number),
    CHECK (total_micros = net_micros + tax_micros)
);
CREATE INDEX credit_notes_by_invoice ON credit_notes (invoice_id);

-- What was issued, as bytes. JSON is the content; the others are made from it alone, once.
CREATE TABLE documents (
    id         TEXT NOT NULL,
    format     TEXT NOT NULL CHECK (format IN ('json', 'html', 'csv', 'pdf')),
    -- 'en', 'zh-CN'; '' where the format has no words.
    language   TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    -- Base64 in a PDF: only text is bound.
    body       TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (id, format, language)
);
