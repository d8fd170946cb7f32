-- Numbers of test documents are TEST-2026-000001 where an earlier text of 0032 was applied, and INV-TEST-2026-000001 or
-- CN-TEST-2026-000001 everywhere since: of both it is told that they are of no legal series.

CREATE OR REPLACE FUNCTION refuse_number_of_other_mode() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    account_mode text;
BEGIN
    IF NEW.number IS NULL OR TG_OP = 'UPDATE' AND OLD.number IS NOT DISTINCT FROM NEW.number THEN
        RETURN NEW;
    END IF;
    SELECT mode INTO account_mode FROM accounts WHERE account_id = NEW.account_id;
    IF (account_mode = 'test') <> (position('TEST-' IN NEW.number) > 0) THEN
        RAISE EXCEPTION 'account % is %: % is no number of its series', NEW.account_id, account_mode, NEW.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION require_deletable_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM accounts a JOIN sandboxes s ON s.sandbox_id = a.sandbox_id
        WHERE a.account_id = NEW.account_id AND a.mode = 'test' AND a.sandbox_id = NEW.sandbox_id
            AND s.deleted_at IS NOT NULL
    ) OR EXISTS (
        SELECT 1 FROM invoices WHERE account_id = NEW.account_id AND number NOT LIKE '%TEST-%'
    ) OR EXISTS (
        SELECT 1 FROM credit_notes WHERE account_id = NEW.account_id AND number NOT LIKE '%TEST-%'
    ) THEN
        RAISE EXCEPTION 'account % is no test account of a deleted sandbox, or has documents of the legal series',
            NEW.account_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
