-- Several backends for a model, and which system each backend is.

ALTER TABLE backends
    ADD COLUMN kind     text NOT NULL DEFAULT 'openai-compatible',
    ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';    -- holds AWS credentials; never shown by any listing

CREATE TABLE catalogue_routes (
    model                  text NOT NULL REFERENCES catalogue_models ON DELETE CASCADE,
    position               integer NOT NULL CHECK (position >= 0),    -- as the file lists them
    backend                text NOT NULL REFERENCES backends,
    upstream_name          text NOT NULL,
    weight                 bigint NOT NULL CHECK (weight >= 0),
    input_cost_picounits   bigint CHECK (input_cost_picounits >= 0),  -- 10^-12 US dollars a token; NULL: unknown
    output_cost_picounits  bigint CHECK (output_cost_picounits >= 0),
    PRIMARY KEY (model, position),
    UNIQUE (model, backend, upstream_name)
);

INSERT INTO catalogue_routes (model, position, backend, upstream_name, weight)
SELECT model, 0, backend, upstream_name, 1 FROM catalogue_models;

ALTER TABLE catalogue_models
    DROP COLUMN backend,
    DROP COLUMN upstream_name,
    ADD COLUMN prefer                text NOT NULL DEFAULT 'weight'
        CHECK (prefer IN ('weight', 'price', 'latency', 'throughput')),
    ADD COLUMN regions_allowed       text[] NOT NULL DEFAULT '{}',    -- empty: all
    ADD COLUMN quantisations_allowed text[] NOT NULL DEFAULT '{}',    -- empty: all
    ADD COLUMN tries_max             integer NOT NULL DEFAULT 3 CHECK (tries_max >= 1);
