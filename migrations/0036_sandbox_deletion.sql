-- A sandbox can be deleted: all rows of its accounts go, but for the audit trail. What stays of each account is a
-- tombstone, which only a test account of a deleted sandbox can have; and only of an account that has one do the
-- triggers let rows go.

ALTER TABLE sandboxes ADD COLUMN deleted_at timestamptz;

CREATE TABLE deleted_accounts (
    account_id        uuid PRIMARY KEY,
    sandbox_id        uuid NOT NULL,
    deleted_at        timestamptz NOT NULL,
    emptied_at        timestamptz,                      -- when the last of its rows was gone
    dropped_requests  bigint NOT NULL DEFAULT 0         -- that came in afterwards
);
CREATE INDEX deleted_accounts_not_empty ON deleted_accounts (account_id) WHERE emptied_at IS NULL;

CREATE FUNCTION is_account_deleted(account uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM deleted_accounts WHERE account_id = account)
$$;

-- Deleted once, and for good.
CREATE FUNCTION refuse_sandbox_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.deleted_at IS NULL AND to_jsonb(NEW) - 'deleted_at' = to_jsonb(OLD) - 'deleted_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'sandbox % stays on record', OLD.sandbox_id USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER sandboxes_kept BEFORE UPDATE OR DELETE ON sandboxes
    FOR EACH ROW EXECUTE FUNCTION refuse_sandbox_change();
CREATE TRIGGER sandboxes_never_emptied BEFORE TRUNCATE ON sandboxes EXECUTE FUNCTION refuse_truncate();

-- A number of the legal series belongs to a document that has to be kept, whoever it was made for.
CREATE FUNCTION require_deletable_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM accounts a JOIN sandboxes s ON s.sandbox_id = a.sandbox_id
        WHERE a.account_id = NEW.account_id AND a.mode = 'test' AND a.sandbox_id = NEW.sandbox_id
            AND s.deleted_at IS NOT NULL
    ) OR EXISTS (
        SELECT 1 FROM invoices WHERE account_id = NEW.account_id AND number NOT LIKE '%-TEST-%'
    ) OR EXISTS (
        SELECT 1 FROM credit_notes WHERE account_id = NEW.account_id AND number NOT LIKE '%-TEST-%'
    ) THEN
        RAISE EXCEPTION 'account % is no test account of a deleted sandbox, or has documents of the legal series',
            NEW.account_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER deleted_accounts_of_sandboxes BEFORE INSERT ON deleted_accounts
    FOR EACH ROW EXECUTE FUNCTION require_deletable_account();

CREATE FUNCTION refuse_tombstone_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_change text[] := ARRAY['emptied_at', 'dropped_requests'];
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - may_change = to_jsonb(OLD) - may_change
        AND NEW.dropped_requests >= OLD.dropped_requests
        AND (OLD.emptied_at IS NULL OR NEW.emptied_at IS NOT DISTINCT FROM OLD.emptied_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'that account % was deleted stays on record', OLD.account_id USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER deleted_accounts_kept BEFORE UPDATE OR DELETE ON deleted_accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_tombstone_change();
CREATE TRIGGER deleted_accounts_never_emptied BEFORE TRUNCATE ON deleted_accounts EXECUTE FUNCTION refuse_truncate();

-- Each of these refuses to let rows of accounts go, or notes that they went: of deleted accounts they may.
DO $migration$
DECLARE
    guard text;
BEGIN
    FOREACH guard IN ARRAY ARRAY[
        'refuse_finalized_change', 'refuse_finalized_line_change', 'refuse_closed_result_change',
        'refuse_resolution_change', 'refuse_credit_note_change', 'refuse_change', 'require_closing_order',
        'refuse_checkpoint_change', 'mark_unposted_usage'
    ] LOOP
        EXECUTE regexp_replace(
            pg_get_functiondef(guard::regproc), '\mBEGIN\M',
            E'BEGIN\n    IF TG_OP = ''DELETE'' THEN\n        IF is_account_deleted(OLD.account_id) THEN\n'
            || E'            RETURN OLD;\n        END IF;\n    END IF;');
    END LOOP;
END
$migration$;

CREATE FUNCTION refuse_credit_note_line_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF is_account_deleted(OLD.account_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% is evidence: its rows never change', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
DROP TRIGGER credit_note_lines_frozen ON credit_note_lines;
CREATE TRIGGER credit_note_lines_frozen BEFORE UPDATE OR DELETE ON credit_note_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_credit_note_line_change();

-- An account goes last, and never comes back; meanwhile nothing is opened in it.
CREATE FUNCTION refuse_account_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_account_deleted(OLD.account_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'account % stays on record', OLD.account_id USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER accounts_kept BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse_account_deletion();

CREATE FUNCTION refuse_row_of_deleted_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_account_deleted(NEW.account_id) THEN
        RAISE EXCEPTION 'account % was deleted', NEW.account_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER accounts_not_deleted BEFORE INSERT ON accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_row_of_deleted_account();
CREATE TRIGGER tenants_not_deleted BEFORE INSERT ON tenants
    FOR EACH ROW EXECUTE FUNCTION refuse_row_of_deleted_account();
CREATE TRIGGER projects_not_deleted BEFORE INSERT ON projects
    FOR EACH ROW EXECUTE FUNCTION refuse_row_of_deleted_account();
CREATE TRIGGER api_keys_not_deleted BEFORE INSERT ON api_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_row_of_deleted_account();
CREATE TRIGGER subscriptions_not_deleted BEFORE INSERT ON subscriptions
    FOR EACH ROW EXECUTE FUNCTION refuse_row_of_deleted_account();
CREATE TRIGGER limits_not_deleted BEFORE INSERT ON limits
    FOR EACH ROW EXECUTE FUNCTION refuse_row_of_deleted_account();

-- Reconcile of a month reads the transactions of its invoice.
CREATE INDEX ledger_transactions_by_invoice ON ledger_transactions (account_id, invoice_id)
    WHERE invoice_id IS NOT NULL;
