-- What is issued or booked cannot be changed in the database either. A final invoice may only be paid or made void;
-- every other column is frozen, those of later migrations too. Tables that are evidence are never emptied.

CREATE OR REPLACE FUNCTION refuse_finalized_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_change text[] := ARRAY['state', 'paid_at', 'voided_at'];
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - may_change) = (to_jsonb(OLD) - may_change) THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) THEN
            RETURN NEW;
        END IF;
        -- Finalized once, then paid or void once, each with its instant and nothing else.
        IF OLD.state = 'finalized' AND NEW.state = 'paid' AND NEW.paid_at IS NOT NULL AND NEW.voided_at IS NULL THEN
            RETURN NEW;
        END IF;
        IF OLD.state = 'finalized' AND NEW.state = 'void' AND NEW.voided_at IS NOT NULL AND NEW.paid_at IS NULL THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'invoice % is %: issue a credit note or an adjustment instead', OLD.number, OLD.state
        USING ERRCODE = 'restrict_violation';
END
$$;

-- Both ends of an update: a line can neither leave a final invoice nor join one.
CREATE OR REPLACE FUNCTION refuse_finalized_line_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') AND EXISTS (
        SELECT 1 FROM invoices
        WHERE account_id = OLD.account_id AND invoice_id = OLD.invoice_id AND state <> 'draft'
    ) OR TG_OP IN ('INSERT', 'UPDATE') AND EXISTS (
        SELECT 1 FROM invoices
        WHERE account_id = NEW.account_id AND invoice_id = NEW.invoice_id AND state <> 'draft'
    ) THEN
        RAISE EXCEPTION 'a line of a finalized invoice never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;

CREATE OR REPLACE FUNCTION refuse_closed_result_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') AND EXISTS (
        SELECT 1 FROM invoices
        WHERE account_id = OLD.account_id AND period_start = OLD.period_start AND state IN ('finalized', 'paid')
    ) OR TG_OP IN ('INSERT', 'UPDATE') AND EXISTS (
        SELECT 1 FROM invoices
        WHERE account_id = NEW.account_id AND period_start = NEW.period_start AND state IN ('finalized', 'paid')
    ) THEN
        RAISE EXCEPTION 'the month of this result is invoiced: the result never changes'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
DROP TRIGGER service_level_results_frozen ON service_level_results;
CREATE TRIGGER service_level_results_frozen BEFORE INSERT OR UPDATE OR DELETE ON service_level_results
    FOR EACH ROW EXECUTE FUNCTION refuse_closed_result_change();

-- How usage left suspense stays as it was said.
CREATE FUNCTION refuse_resolution_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.resolved_at IS NOT NULL AND to_jsonb(NEW) <> to_jsonb(OLD) THEN
        RAISE EXCEPTION 'what was in suspense stays on record' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER suspense_kept BEFORE UPDATE OR DELETE ON suspense
    FOR EACH ROW EXECUTE FUNCTION refuse_resolution_change();

-- Numbers run on: a series that went back would give a number twice.
CREATE FUNCTION refuse_number_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.series <> OLD.series OR NEW.next_number < OLD.next_number THEN
        RAISE EXCEPTION 'the numbers of series % never run back', OLD.series USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER number_series_forward BEFORE UPDATE OR DELETE ON number_series
    FOR EACH ROW EXECUTE FUNCTION refuse_number_again();

CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is evidence and is never emptied', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER invoices_never_emptied BEFORE TRUNCATE ON invoices EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER invoice_lines_never_emptied BEFORE TRUNCATE ON invoice_lines EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER service_level_results_never_emptied BEFORE TRUNCATE ON service_level_results
    EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER ledger_transactions_never_emptied BEFORE TRUNCATE ON ledger_transactions
    EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER ledger_postings_never_emptied BEFORE TRUNCATE ON ledger_postings EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER number_series_never_emptied BEFORE TRUNCATE ON number_series EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER suspense_never_emptied BEFORE TRUNCATE ON suspense EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER journal_quarantines_never_emptied BEFORE TRUNCATE ON journal_quarantines
    EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER plan_versions_never_emptied BEFORE TRUNCATE ON plan_versions EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER effective_prices_never_emptied BEFORE TRUNCATE ON effective_prices EXECUTE FUNCTION refuse_truncate();
