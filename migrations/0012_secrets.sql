-- Seller-wide: credentials of backends, encrypted by the program; Postgres never sees a key or a value.

CREATE TABLE secrets (
    secret       text PRIMARY KEY CHECK (secret ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    version      bigint NOT NULL CHECK (version >= 1),
    hosts        text[] NOT NULL CHECK (cardinality(hosts) BETWEEN 1 AND 32),  -- where its value may be sent
    sealed       text NOT NULL CHECK (sealed LIKE '1:%'),                      -- 1:KEY:NONCE:CIPHERTEXT
    fingerprint  text NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

-- Which backend names which secret, so that none goes while it is used.
CREATE TABLE backend_secrets (
    backend  text NOT NULL REFERENCES backends ON DELETE CASCADE,
    slot     text NOT NULL CHECK (slot IN ('api_key', 'access_key_id', 'secret_access_key', 'session_token')),
    secret   text NOT NULL REFERENCES secrets,
    PRIMARY KEY (backend, slot)
);
CREATE INDEX backend_secrets_by_secret ON backend_secrets (secret);
