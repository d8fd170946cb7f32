-- What was used. Records are partitioned by UTC month of acceptance (billing time) and never change; rollups hold the
-- rated amounts. `accepted_at` is the millisecond inside the UUIDv7 of the record.

-- One row for each gateway's journal directory: how far it is ingested. Ingest begins with a compare-and-set of the
-- position and epoch, in the transaction that also holds the records.
CREATE TABLE journals (
    journal_id        uuid PRIMARY KEY,
    gateway           text NOT NULL,
    epoch             bigint NOT NULL,
    segment           bigint NOT NULL DEFAULT 0,
    byte_offset       bigint NOT NULL DEFAULT 0,
    ingested_through  timestamptz,                      -- real time of the last heartbeat inside the position
    snapshot_change   bigint NOT NULL DEFAULT 0,        -- the newest change that the gateway had applied by then
    oldest_open_at    timestamptz,                      -- acceptance of the oldest request still open at the position
    registered_at     timestamptz NOT NULL,
    retired_at        timestamptz,                      -- lost for good, said by hand
    retired_reason    text
);

-- Bytes of a journal that could not be read: shown, never skipped silently.
CREATE TABLE journal_quarantines (
    journal_id   uuid NOT NULL,
    segment      bigint NOT NULL,
    byte_offset  bigint NOT NULL,
    length       bigint NOT NULL,
    reason       text NOT NULL,
    found_at     timestamptz NOT NULL,
    PRIMARY KEY (journal_id, segment, byte_offset)
);

CREATE TABLE request_records (
    account_id       uuid NOT NULL,
    accepted_at      timestamptz NOT NULL,
    record_id        uuid NOT NULL,
    tenant_id        uuid NOT NULL,
    project_id       uuid NOT NULL,
    key_id           uuid NOT NULL,
    subscription_id  uuid NOT NULL,
    operation        text NOT NULL,
    model            text NOT NULL,                     -- as the client named it
    tier_requested   text NOT NULL,
    tier             text NOT NULL,                     -- served, else requested: what promises and prices go by
    is_stream        boolean NOT NULL,
    outcome          text NOT NULL,
    http_status      integer NOT NULL,
    reason           text NOT NULL,
    first_byte_us    bigint,
    first_token_us   bigint,
    last_token_us    bigint,
    end_us           bigint,
    tags             jsonb NOT NULL DEFAULT '{}',
    clock_offset_ms  bigint NOT NULL,
    journal_id       uuid NOT NULL,
    journal_segment  bigint NOT NULL,
    journal_offset   bigint NOT NULL,
    PRIMARY KEY (account_id, accepted_at, record_id)
) PARTITION BY RANGE (accepted_at);
CREATE INDEX request_records_by_id ON request_records (record_id);

CREATE TABLE attempt_records (
    account_id             uuid NOT NULL,
    accepted_at            timestamptz NOT NULL,
    record_id              uuid NOT NULL,
    request_id             uuid NOT NULL,
    number                 integer NOT NULL,
    backend                text NOT NULL,
    upstream_model         text NOT NULL,
    model_served           text NOT NULL,
    price_key              text NOT NULL,
    tier_served            text,                        -- NULL: the engine did not say
    input_uncached         bigint NOT NULL,
    cache_read             bigint NOT NULL,
    cache_write_5m         bigint NOT NULL,
    cache_write_1h         bigint NOT NULL,
    cache_write_long       bigint NOT NULL,
    output_visible         bigint NOT NULL,
    output_reasoning       bigint NOT NULL,
    usage_source           text NOT NULL,
    usage_complete         boolean NOT NULL,
    contradiction          text,
    termination            text NOT NULL,
    finish_reason          text,
    upstream_status        integer NOT NULL,
    upstream_id            text,
    content_events         bigint NOT NULL,
    upstream_sent_us       bigint,
    first_byte_us          bigint,
    first_token_us         bigint,
    last_token_us          bigint,
    end_us                 bigint,
    is_delivered           boolean NOT NULL,
    hardware               text NOT NULL,
    quantisation           text NOT NULL,
    raw_usage              text,
    rating                 text NOT NULL CHECK (rating IN ('rated', 'waived', 'not_billable', 'suspended')),
    plan                   text,
    plan_version           integer,
    tier                   text NOT NULL,               -- the tier that was billed
    amount                 numeric(38, 12) NOT NULL,    -- linear amount; of a waived record: what was waived
    currency               text NOT NULL,
    journal_id             uuid NOT NULL,
    journal_segment        bigint NOT NULL,
    journal_offset         bigint NOT NULL,
    PRIMARY KEY (account_id, accepted_at, record_id)
) PARTITION BY RANGE (accepted_at);
CREATE INDEX attempt_records_by_request ON attempt_records (account_id, request_id);

-- Makes the partitions of the UTC month that holds `instant`; harmless when they are there.
CREATE FUNCTION ensure_usage_partitions(instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month_start timestamptz := date_trunc('month', instant AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    month_end timestamptz := (date_trunc('month', instant AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    suffix text := to_char(instant AT TIME ZONE 'UTC', 'YYYY_MM');
    parent text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['request_records', 'attempt_records'] LOOP
        IF to_regclass(parent || '_' || suffix) IS NULL THEN
            -- Only who has to make one waits here, and looks again: another may have been faster.
            PERFORM pg_advisory_xact_lock(hashtext('tollgate.usage_partitions'));
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                parent || '_' || suffix, parent, month_start, month_end);
        END IF;
    END LOOP;
END
$$;

-- Sums by local hour of the account's zone (stored as its UTC start). `period_start` is the billing period, so that no
-- boundary splits a row; the effective price row says model price key, tier and meter.
CREATE TABLE usage_rollups (
    account_id       uuid NOT NULL,
    period_start     timestamptz NOT NULL,
    hour_start       timestamptz NOT NULL,
    tenant_id        uuid NOT NULL,
    project_id       uuid NOT NULL,
    key_id           uuid NOT NULL,
    subscription_id  uuid NOT NULL,
    model            text NOT NULL,
    price_id         text NOT NULL,
    records          bigint NOT NULL,                   -- attempts that added to the billed quantity
    quantity         numeric(38, 0) NOT NULL,           -- billed base units
    amount           numeric(38, 12) NOT NULL,          -- billed, exact
    waived_quantity  numeric(38, 0) NOT NULL DEFAULT 0,
    waived_amount    numeric(38, 12) NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, period_start, hour_start, tenant_id, project_id, key_id, subscription_id, model, price_id)
);

CREATE TABLE request_rollups (
    account_id       uuid NOT NULL,
    period_start     timestamptz NOT NULL,
    hour_start       timestamptz NOT NULL,
    tenant_id        uuid NOT NULL,
    project_id       uuid NOT NULL,
    key_id           uuid NOT NULL,
    subscription_id  uuid NOT NULL,
    model            text NOT NULL,
    tier             text NOT NULL,
    requests         bigint NOT NULL,
    successes        bigint NOT NULL,
    client_errors    bigint NOT NULL,
    client_aborts    bigint NOT NULL,
    provider_errors  bigint NOT NULL,
    gateway_losses   bigint NOT NULL,
    PRIMARY KEY (account_id, period_start, hour_start, tenant_id, project_id, key_id, subscription_id, model, tier)
);

-- Null is not zero: usage without a price, or that contradicts itself. Blocks the account's invoice until resolved.
CREATE TABLE suspense (
    account_id   uuid NOT NULL,
    record_id    uuid NOT NULL,                         -- of the attempt
    accepted_at  timestamptz NOT NULL,
    period_start timestamptz NOT NULL,
    reason       text NOT NULL,
    detail       text NOT NULL,
    resolved_at  timestamptz,
    resolution   text,
    PRIMARY KEY (account_id, record_id)
);

CREATE TABLE refusals (
    account_id  uuid NOT NULL,                          -- all zeros when the key was not known
    key_id      uuid NOT NULL,                          -- all zeros when the key was not known
    minute      timestamptz NOT NULL,
    reason      text NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (account_id, key_id, minute, reason)
);
