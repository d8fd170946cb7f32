-- Who pays, who uses, and with which keys. The unit of distribution is the billing account: `account_id` comes first in
-- every primary key and unique index of a table that belongs to one, so that the schema also runs distributed by it.

CREATE TABLE accounts (
    account_id       uuid PRIMARY KEY,
    name             text NOT NULL CHECK (name <> ''),
    currency         text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    time_zone        text NOT NULL,                     -- IANA name; periods and rollup hours are local to it
    legal_name       text NOT NULL DEFAULT '',
    address          text[] NOT NULL DEFAULT '{}',      -- lines as they stand on the invoice
    tax_id           text NOT NULL DEFAULT '',
    email            text NOT NULL DEFAULT '',
    clock_offset_ms  bigint NOT NULL DEFAULT 0 CHECK (clock_offset_ms >= 0),  -- test clock: billing minus real time
    clock_change     bigint NOT NULL DEFAULT 0,         -- the snapshot change that carried the last clock move
    parked_reason    text,                              -- books that do not balance: the batch goes on without it
    created_at       timestamptz NOT NULL
);

CREATE TABLE tenants (
    account_id  uuid NOT NULL REFERENCES accounts,
    tenant_id   uuid NOT NULL,
    name        text NOT NULL CHECK (name <> ''),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, tenant_id)
);
CREATE INDEX tenants_by_id ON tenants (tenant_id);

CREATE TABLE projects (
    account_id  uuid NOT NULL,
    tenant_id   uuid NOT NULL,
    project_id  uuid NOT NULL,
    name        text NOT NULL CHECK (name <> ''),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id),
    FOREIGN KEY (account_id, tenant_id) REFERENCES tenants
);
CREATE INDEX projects_by_id ON projects (project_id);

CREATE TABLE api_keys (
    account_id     uuid NOT NULL,
    key_id         uuid NOT NULL,
    tenant_id      uuid NOT NULL,
    project_id     uuid NOT NULL,
    name           text NOT NULL CHECK (name <> ''),
    secret_sha256  bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),  -- the secret itself is shown once, never stored
    secret_hint    text NOT NULL,                       -- the first characters, to recognise a key by
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz,                         -- set when rotated: the old key works until then
    revoked_at     timestamptz,
    replaced_by    uuid,
    PRIMARY KEY (account_id, key_id),
    UNIQUE (account_id, secret_sha256),
    FOREIGN KEY (account_id, tenant_id) REFERENCES tenants,
    FOREIGN KEY (account_id, project_id) REFERENCES projects
);
CREATE INDEX api_keys_by_id ON api_keys (key_id);

-- What the gateways must learn of, in an order that is also the order of visibility: the number is given under a lock
-- that is held until commit. NOTIFY only wakes; whoever missed it finds the rows by polling.
CREATE TABLE snapshot_changes (
    number      bigint PRIMARY KEY,
    kind        text NOT NULL,
    entity      text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION record_change(change_kind text, change_entity text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    next_number bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tollgate.snapshot_changes'));
    SELECT coalesce(max(number), 0) + 1 INTO next_number FROM snapshot_changes;
    INSERT INTO snapshot_changes (number, kind, entity) VALUES (next_number, change_kind, change_entity);
    PERFORM pg_notify('tollgate_changes', next_number::text);
    RETURN next_number;
END
$$;
