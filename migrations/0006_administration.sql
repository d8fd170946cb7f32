-- Seller-wide: who may call the admin API, and answers kept so that a repeated call changes nothing.

CREATE TABLE admin_keys (
    admin_key_id   uuid PRIMARY KEY,
    name           text NOT NULL CHECK (name <> ''),
    role           text NOT NULL CHECK (role IN ('viewer', 'billing', 'admin')),
    secret_sha256  bytea NOT NULL UNIQUE CHECK (octet_length(secret_sha256) = 32),
    secret_hint    text NOT NULL,
    created_at     timestamptz NOT NULL,
    revoked_at     timestamptz
);

CREATE TABLE idempotency_keys (
    admin_key_id    uuid NOT NULL REFERENCES admin_keys,
    idempotency_key text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    method_and_path text NOT NULL,
    request_sha256  text NOT NULL,
    state           text NOT NULL CHECK (state IN ('running', 'done')),
    status          integer,
    body            text,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (admin_key_id, idempotency_key)
);
