-- Seller-wide: what is sold, at which price from when, and what serves it.

CREATE TABLE plans (
    plan        text PRIMARY KEY CHECK (plan ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    title       text NOT NULL,
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at  timestamptz NOT NULL
);

-- A version never changes once it is stored: any past invoice can be rated again from it to the same bytes.
CREATE TABLE plan_versions (
    plan            text NOT NULL REFERENCES plans,
    version         integer NOT NULL CHECK (version >= 1),
    effective_from  timestamptz NOT NULL,
    document        text NOT NULL,                      -- the YAML as it was applied
    sha256          text NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (plan, version),
    UNIQUE (plan, effective_from)
);

-- The only prices that rating knows: one row for each combination that the version names.
CREATE TABLE effective_prices (
    price_id       text PRIMARY KEY,                    -- plan@version/price_key/tier/meter: names one row for ever
    plan           text NOT NULL,
    version        integer NOT NULL,
    price_key      text NOT NULL,
    tier           text NOT NULL,
    meter          text NOT NULL,
    picounits_per_unit  numeric(38, 0) NOT NULL CHECK (picounits_per_unit >= 0),
    UNIQUE (plan, version, price_key, tier, meter),
    FOREIGN KEY (plan, version) REFERENCES plan_versions
);

CREATE TABLE backends (
    backend       text PRIMARY KEY CHECK (backend ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    base_url      text NOT NULL,
    api_key       text,                                 -- sent upstream; never shown by any listing
    hardware      text NOT NULL DEFAULT '',
    quantisation  text NOT NULL DEFAULT '',
    updated_at    timestamptz NOT NULL
);

CREATE TABLE catalogue_models (
    model            text PRIMARY KEY,
    aliases          text[] NOT NULL DEFAULT '{}',
    backend          text NOT NULL REFERENCES backends,
    upstream_name    text NOT NULL,
    price_key        text NOT NULL,
    context_tokens   bigint NOT NULL CHECK (context_tokens > 0),
    output_tokens    bigint NOT NULL CHECK (output_tokens > 0),
    tenants_allowed  uuid[],                            -- NULL: every tenant
    created_at       timestamptz NOT NULL
);

CREATE TABLE subscriptions (
    account_id       uuid NOT NULL,
    subscription_id  uuid NOT NULL,
    tenant_id        uuid NOT NULL,
    plan             text NOT NULL REFERENCES plans,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz CHECK (ends_at > starts_at),
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (account_id, subscription_id),
    FOREIGN KEY (account_id, tenant_id) REFERENCES tenants
);
CREATE INDEX subscriptions_by_tenant ON subscriptions (account_id, tenant_id, starts_at);
CREATE INDEX subscriptions_by_id ON subscriptions (subscription_id);
