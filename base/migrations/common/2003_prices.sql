-- Price versions as documents, drafts of them, and tenants' own prices.

-- '': anybody's.
ALTER TABLE price_books ADD COLUMN tenant_id TEXT NOT NULL DEFAULT '';
-- 'book', or 'overrides': holds a tenant's overrides and is assigned to nobody.
ALTER TABLE price_books ADD COLUMN kind TEXT NOT NULL DEFAULT 'book';

-- The prices of a version, each as JSON.
CREATE TABLE price_rates (
    version_id TEXT NOT NULL,
    position   BIGINT NOT NULL,
    -- Its name in the version: the SKU.
    rate       TEXT NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (version_id, position),
    UNIQUE (version_id, rate)
);
-- The rest of a version; its insert seals the rates. A table of its own, after them: a restored
-- backup fills the tables in the order of their creation.
CREATE TABLE price_documents (
    version_id TEXT PRIMARY KEY REFERENCES price_versions (id),
    kind       TEXT NOT NULL CHECK (kind IN ('regular', 'correction', 'override')),
    -- Why the past was changed, or the tenant has its own prices.
    reason     TEXT NOT NULL,
    tax_mode   TEXT NOT NULL CHECK (tax_mode IN ('included', 'on_top')),
    tax_ppm    BIGINT NOT NULL CHECK (tax_ppm BETWEEN 0 AND 1000000),
    -- Of the document as JSON; '' of versions that are older than documents.
    sha256     TEXT NOT NULL,
    CHECK (kind = 'regular' OR reason <> '')
);

CREATE TABLE price_drafts (
    id             TEXT PRIMARY KEY,
    book_id        TEXT NOT NULL REFERENCES price_books (id),
    document       TEXT NOT NULL,
    -- Of the document that was checked last, and what was found; '' before the first check.
    checked_sha256 TEXT NOT NULL,
    checks         TEXT NOT NULL,
    -- Raised by each change.
    revision       BIGINT NOT NULL,
    actor          TEXT NOT NULL,
    updated_ms     BIGINT NOT NULL
);
CREATE INDEX price_drafts_by_book ON price_drafts (book_id, id);

-- Prices of one tenant that go before its book's.
CREATE TABLE price_overrides (
    tenant_id   TEXT NOT NULL REFERENCES accounts (tenant_id),
    number      BIGINT NOT NULL,
    version_id  TEXT NOT NULL REFERENCES price_versions (id),
    from_ms     BIGINT NOT NULL,
    -- 9223372036854775807: for good.
    to_ms       BIGINT NOT NULL,
    -- The override that this row ends, at from_ms and for good; 0: it is one itself.
    ends_number BIGINT NOT NULL,
    reason      TEXT NOT NULL CHECK (reason <> ''),
    actor       TEXT NOT NULL,
    created_ms  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, number),
    CHECK (from_ms < to_ms)
);

-- What was published so far: standard prices by meter, each a rate of its meter's name, so that
-- rounding goes on where it stands.
INSERT INTO price_rates (version_id, position, rate, document)
SELECT version_id, ROW_NUMBER() OVER (PARTITION BY version_id ORDER BY meter), meter,
       '{"id":"' || meter || '","component":"'
       || CASE WHEN meter = 'disk_gib' THEN 'instance.disk"'
               WHEN meter LIKE 'instance-paused:%' THEN
                   'instance.compute_suspended","where":{"flavor":"' || SUBSTR(meter, 17) || '"}'
               ELSE 'instance.compute","where":{"flavor":"' || SUBSTR(meter, 10) || '"}' END
       || ',"price":"' || CAST(unit_price_nanos / 1000000000 AS TEXT) || '.'
       || SUBSTR(CAST(1000000000 + unit_price_nanos % 1000000000 AS TEXT), 2) || '"}'
FROM prices;
INSERT INTO price_documents (version_id, kind, reason, tax_mode, tax_ppm, sha256)
SELECT id, 'regular', '', 'included', 0, '' FROM price_versions;
