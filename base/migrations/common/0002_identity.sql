CREATE TABLE tenants (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT
);

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    -- An e-mail address, or a plain name for an operator.
    login         TEXT NOT NULL UNIQUE,
    role          TEXT NOT NULL CHECK (role IN ('operator', 'member')),
    tenant_id     TEXT REFERENCES tenants (id),
    -- argon2id in PHC form; NULL until a password is set.
    password_hash TEXT,
    created_ms    BIGINT NOT NULL,
    disabled_ms   BIGINT,
    CHECK ((role = 'member') = (tenant_id IS NOT NULL))
);

-- Tokens, sessions and links are stored hashed (SHA-256 of 256 random bits).
CREATE TABLE sessions (
    token_sha256 TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id),
    created_ms   BIGINT NOT NULL,
    expires_ms   BIGINT NOT NULL
);

CREATE TABLE setup_links (
    token_sha256 TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id),
    created_ms   BIGINT NOT NULL,
    expires_ms   BIGINT NOT NULL,
    used_ms      BIGINT
);

CREATE TABLE api_tokens (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    role         TEXT NOT NULL CHECK (role IN ('operator', 'member', 'agent')),
    tenant_id    TEXT REFERENCES tenants (id),
    host_id      TEXT,
    created_ms   BIGINT NOT NULL,
    expires_ms   BIGINT,
    revoked_ms   BIGINT,
    CHECK ((role = 'member') = (tenant_id IS NOT NULL)),
    CHECK ((role = 'agent') = (host_id IS NOT NULL))
);

-- Who did what to what; append-only (a trigger refuses changes).
CREATE TABLE audit (
    id          TEXT PRIMARY KEY,
    at_ms       BIGINT NOT NULL,
    actor_kind  TEXT NOT NULL,
    actor_id    TEXT NOT NULL,
    actor_name  TEXT NOT NULL,
    tenant_id   TEXT,
    action      TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    detail      TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (at_ms, id);

-- The answer to a request with an Idempotency-Key, written in the transaction of its effect.
CREATE TABLE idempotency_keys (
    actor          TEXT NOT NULL,
    key            TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    status         BIGINT,
    body           TEXT,
    created_ms     BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);
