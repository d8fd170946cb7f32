-- Limits on what a key, project, tenant or account may use, and what of them is left.

CREATE TABLE limits (
    account_id  uuid NOT NULL REFERENCES accounts,
    limit_id    uuid NOT NULL,
    scope       text NOT NULL CHECK (scope IN ('account', 'tenant', 'project', 'key')),
    scope_id    uuid NOT NULL,
    model       text NOT NULL DEFAULT '',               -- public name; '' for the requests of all models
    kind        text NOT NULL CHECK (kind IN (
        'requests_per_minute', 'input_tokens_per_minute', 'output_tokens_per_minute', 'tokens_per_minute',
        'concurrent_requests'
    )),
    value       bigint NOT NULL CHECK (value BETWEEN 0 AND 1000000000000),
    is_shadow   boolean NOT NULL,                       -- only counts what would have been refused
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, limit_id),
    UNIQUE (account_id, scope_id, model, kind, is_shadow)
);
CREATE INDEX limits_by_id ON limits (limit_id);

-- What is left of a limit for all gateways; the row is also the lock under which slices are given out.
CREATE TABLE limit_levels (
    account_id  uuid NOT NULL,
    limit_id    uuid NOT NULL,
    level       bigint NOT NULL,                        -- in 60,000ths; below zero a debt; of rates only
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, limit_id),
    FOREIGN KEY (account_id, limit_id) REFERENCES limits ON DELETE CASCADE
) WITH (fillfactor = 50);

-- What each gateway process has of a limit.
CREATE TABLE limit_slices (
    account_id  uuid NOT NULL,
    limit_id    uuid NOT NULL,
    gateway     uuid NOT NULL,                          -- another one at each start
    held        bigint NOT NULL CHECK (held >= 0),      -- not given to any request
    reserved    bigint NOT NULL,                        -- given to requests that run
    spent       bigint NOT NULL,                        -- taken less given back, as it last reported
    lapses_at   timestamptz NOT NULL,
    PRIMARY KEY (account_id, limit_id, gateway),
    FOREIGN KEY (account_id, limit_id) REFERENCES limits ON DELETE CASCADE
) WITH (fillfactor = 50);
