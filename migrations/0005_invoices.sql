-- Draft, finalized, paid or void. A finalized invoice never changes.

-- Who sends the invoices: one row.
CREATE TABLE seller (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    name        text NOT NULL,
    address     text[] NOT NULL DEFAULT '{}',
    tax_id      text NOT NULL DEFAULT '',
    email       text NOT NULL DEFAULT '',
    payment_terms_days  integer NOT NULL DEFAULT 14 CHECK (payment_terms_days >= 0),
    payment_instructions  text NOT NULL DEFAULT ''
);

-- Consecutive numbers without a gap: taken only in the transaction that finalizes.
CREATE TABLE number_series (
    series       text PRIMARY KEY,
    next_number  bigint NOT NULL CHECK (next_number >= 1)
);

CREATE TABLE invoices (
    account_id         uuid NOT NULL REFERENCES accounts,
    invoice_id         uuid NOT NULL,
    period_start       timestamptz NOT NULL,
    period_end         timestamptz NOT NULL CHECK (period_end > period_start),
    state              text NOT NULL CHECK (state IN ('draft', 'finalized', 'paid', 'void')),
    number             text,
    currency           text NOT NULL,
    total              numeric(38, 12) NOT NULL,        -- sum of the rounded lines
    exact_total        numeric(38, 12) NOT NULL,        -- before rounding
    journal_positions  jsonb NOT NULL,                  -- what the run had read of each journal: rates again so
    document           text NOT NULL,                   -- all that is shown, as canonical JSON: equal is equal bytes
    created_at         timestamptz NOT NULL,            -- billing time, as all times here
    issued_at          timestamptz,
    issued_on          date,                            -- local day of the account's zone
    due_on             date,
    paid_at            timestamptz,
    voided_at          timestamptz,
    PRIMARY KEY (account_id, invoice_id),
    UNIQUE (account_id, number),
    CHECK ((state = 'draft') = (number IS NULL)),
    CHECK (state = 'draft' OR (issued_at IS NOT NULL AND issued_on IS NOT NULL AND due_on IS NOT NULL))
);
CREATE INDEX invoices_by_id ON invoices (invoice_id);
CREATE INDEX invoices_by_number ON invoices (number);
CREATE UNIQUE INDEX invoices_one_a_period ON invoices (account_id, period_start) WHERE state <> 'void';

CREATE TABLE invoice_lines (
    account_id       uuid NOT NULL,
    line_id          uuid NOT NULL,                     -- derived from (subscription, charge, period, version)
    invoice_id       uuid NOT NULL,
    ordinal          integer NOT NULL CHECK (ordinal >= 1),
    kind             text NOT NULL CHECK (kind IN ('usage', 'base_fee', 'sla_credit', 'adjustment')),
    subscription_id  uuid,
    plan             text,
    plan_version     integer,
    model            text,
    price_key        text,
    meter            text,
    tier             text,
    service_level_result_id  uuid,                      -- of a credit line; what is applied of a result is their sum
    description      text NOT NULL,
    period_start     timestamptz NOT NULL,
    period_end       timestamptz NOT NULL,
    quantity         numeric(38, 0),
    unit_price       numeric(38, 12),                   -- per million base units
    exact_amount     numeric(38, 12) NOT NULL,
    amount           numeric(38, 12) NOT NULL,          -- rounded to the minor unit
    PRIMARY KEY (account_id, line_id),
    UNIQUE (account_id, invoice_id, ordinal),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CREATE INDEX invoice_lines_by_period ON invoice_lines (account_id, period_start, kind);

-- One promise's result for one month of one subscription, with the evidence that the credit rests on. Computed again as
-- long as the month's invoice is a draft, then never.
CREATE TABLE service_level_results (
    account_id         uuid NOT NULL REFERENCES accounts,
    result_id          uuid NOT NULL,
    subscription_id    uuid NOT NULL,
    period_start       timestamptz NOT NULL,
    period_end         timestamptz NOT NULL,
    plan               text NOT NULL,
    plan_version       integer NOT NULL,
    tier               text NOT NULL,
    objective          text NOT NULL,                   -- availability, time_to_first_token
    threshold_ms       bigint,                          -- NULL where the objective is not a time
    status             text NOT NULL CHECK (status IN ('kept', 'broken', 'not_judged')),
    promised_percent   numeric(9, 6) NOT NULL,
    requests           bigint NOT NULL,                 -- eligible
    good               bigint NOT NULL,
    excluded           bigint NOT NULL,
    credit_percent     numeric(9, 6) NOT NULL,
    base_amount        numeric(38, 12) NOT NULL,        -- the tier's exact charges of the month
    exact_credit       numeric(38, 12) NOT NULL CHECK (exact_credit >= 0),
    credit_amount      numeric(38, 12) NOT NULL CHECK (credit_amount >= 0),  -- rounded to the minor unit
    currency           text NOT NULL,
    evidence           jsonb NOT NULL,
    evaluated_at       timestamptz NOT NULL,
    PRIMARY KEY (account_id, result_id),
    UNIQUE NULLS NOT DISTINCT (account_id, subscription_id, period_start, tier, objective, threshold_ms)
);

CREATE FUNCTION refuse_finalized_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft' AND (
        TG_OP = 'DELETE' OR NEW.number IS DISTINCT FROM OLD.number OR NEW.total <> OLD.total
        OR NEW.exact_total <> OLD.exact_total OR NEW.document <> OLD.document OR NEW.issued_at <> OLD.issued_at
        OR NEW.state = 'draft' OR NEW.journal_positions <> OLD.journal_positions
    ) THEN
        RAISE EXCEPTION 'invoice % is %: issue a credit note or an adjustment instead', OLD.number, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER invoices_frozen BEFORE UPDATE OR DELETE ON invoices
    FOR EACH ROW EXECUTE FUNCTION refuse_finalized_change();

CREATE FUNCTION refuse_finalized_line_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line invoice_lines := CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END;
BEGIN
    IF EXISTS (SELECT 1 FROM invoices WHERE account_id = line.account_id AND invoice_id = line.invoice_id
        AND state <> 'draft') THEN
        RAISE EXCEPTION 'a line of a finalized invoice never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER invoice_lines_frozen BEFORE INSERT OR UPDATE OR DELETE ON invoice_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_finalized_line_change();

CREATE FUNCTION refuse_closed_result_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM invoices WHERE account_id = OLD.account_id AND period_start = OLD.period_start
        AND state IN ('finalized', 'paid')) THEN
        RAISE EXCEPTION 'the month of this result is invoiced: the result never changes'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER service_level_results_frozen BEFORE UPDATE OR DELETE ON service_level_results
    FOR EACH ROW EXECUTE FUNCTION refuse_closed_result_change();
