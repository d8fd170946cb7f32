-- A transaction says the day that it belongs to (`day`) and the day on which it is booked (`booked_on`). They are the same
-- unless the period of the first is closed: a period whose invoice is final takes nothing any more, so what belongs to it
-- and comes later is booked on a day that is open. So the balances at the end of a closed period never change, and are kept.

ALTER TABLE ledger_transactions ADD COLUMN booked_on date;
ALTER TABLE ledger_transactions ALTER COLUMN booked_on TYPE date USING day;
ALTER TABLE ledger_transactions ALTER COLUMN booked_on SET NOT NULL;
CREATE INDEX ledger_transactions_by_booked_on ON ledger_transactions (account_id, booked_on);
-- Of a day there are as many accruals as passes of the poster; whoever asks for anything else need not read them.
CREATE INDEX ledger_transactions_events ON ledger_transactions (account_id, booked_on) WHERE kind <> 'accrual';
CREATE INDEX ledger_transactions_by_day ON ledger_transactions (account_id, day);

-- Up to which local day an account's books are closed: the last day of the newest period with a final invoice.
CREATE TABLE ledger_closings (
    account_id  uuid NOT NULL,
    last_day    date NOT NULL,
    invoice_id  uuid NOT NULL,                          -- whose becoming final closed it
    closed_at   timestamptz NOT NULL,                   -- billing time
    PRIMARY KEY (account_id, last_day),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CREATE INDEX ledger_closings_by_invoice ON ledger_closings (account_id, invoice_id);

-- What everything booked up to that day sums to. Derived; `tollgate reconcile` computes it again.
CREATE TABLE ledger_checkpoints (
    account_id      uuid NOT NULL,
    last_day        date NOT NULL,
    ledger_account  text NOT NULL,
    balance         numeric(38, 12) NOT NULL,
    PRIMARY KEY (account_id, last_day, ledger_account),
    FOREIGN KEY (account_id, last_day) REFERENCES ledger_closings ON DELETE CASCADE
);

-- The months of a database from before, each with an invoice that is final: the days of a month are told by the month that its
-- period was kept as.
INSERT INTO ledger_closings (account_id, last_day, invoice_id, closed_at)
SELECT DISTINCT ON (i.account_id, last_day) i.account_id, (b.month + interval '1 month')::date - 1 AS last_day,
    i.invoice_id, i.issued_at
FROM invoices i JOIN billing_periods b USING (account_id, period_start)
WHERE i.state IN ('finalized', 'paid') ORDER BY i.account_id, last_day, i.issued_at;

INSERT INTO ledger_checkpoints (account_id, last_day, ledger_account, balance)
WITH moved AS (
    SELECT t.account_id, p.ledger_account, t.last_day, sum(p.amount) AS amount
    FROM (
        SELECT t.account_id, t.transaction_id, min(l.last_day) AS last_day
        FROM ledger_transactions t
        JOIN ledger_closings l ON l.account_id = t.account_id AND l.last_day >= t.booked_on
        GROUP BY t.account_id, t.transaction_id
    ) t JOIN ledger_postings p ON p.account_id = t.account_id AND p.transaction_id = t.transaction_id
    GROUP BY t.account_id, p.ledger_account, t.last_day
)
SELECT account_id, last_day, ledger_account, balance FROM (
    SELECT c.account_id, c.last_day, a.ledger_account,
        sum(m.amount) OVER (PARTITION BY c.account_id, a.ledger_account ORDER BY c.last_day) AS balance
    FROM ledger_closings c JOIN (SELECT DISTINCT account_id, ledger_account FROM moved) a USING (account_id)
    LEFT JOIN moved m USING (account_id, last_day, ledger_account)
) b WHERE balance IS NOT NULL;

-- Whoever closes a period changes the account's row; who books holds it. One waits for the other, and then sees what it did.
CREATE FUNCTION require_open_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed date;
BEGIN
    PERFORM 1 FROM accounts WHERE account_id = NEW.account_id FOR SHARE;
    -- A program of the release before says only the day that it belongs to.
    NEW.booked_on := coalesce(NEW.booked_on, NEW.day);
    SELECT max(last_day) INTO closed FROM ledger_closings WHERE account_id = NEW.account_id;
    IF NEW.booked_on <= closed THEN
        RAISE EXCEPTION 'the books are closed up to %: what belongs to % is booked on a later day', closed, NEW.day
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER ledger_transactions_on_open_days BEFORE INSERT ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION require_open_day();

CREATE FUNCTION require_open_posting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed date;
    booked date;
BEGIN
    SELECT max(last_day) INTO closed FROM ledger_closings WHERE account_id = NEW.account_id;
    SELECT booked_on INTO booked FROM ledger_transactions
        WHERE account_id = NEW.account_id AND transaction_id = NEW.transaction_id;
    IF booked <= closed THEN
        RAISE EXCEPTION 'a transaction of a closed period takes no further posting' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER ledger_postings_of_open_days BEFORE INSERT ON ledger_postings
    FOR EACH ROW EXECUTE FUNCTION require_open_posting();

-- A final invoice closes, in the order of time; only its being void opens again, the newest first.
CREATE FUNCTION require_closing_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    row ledger_closings := CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END;
    invoice_state text;
BEGIN
    SELECT state INTO invoice_state FROM invoices WHERE account_id = row.account_id AND invoice_id = row.invoice_id;
    IF TG_OP = 'UPDATE' OR EXISTS (
        SELECT 1 FROM ledger_closings WHERE account_id = row.account_id AND last_day > row.last_day
    ) OR invoice_state <> ALL (
        CASE TG_OP WHEN 'INSERT' THEN ARRAY['finalized', 'paid'] ELSE ARRAY['void'] END
    ) THEN
        RAISE EXCEPTION 'the closing of % follows the state of its invoice', row.last_day
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN row;
END
$$;
CREATE TRIGGER ledger_closings_in_order BEFORE INSERT OR UPDATE OR DELETE ON ledger_closings
    FOR EACH ROW EXECUTE FUNCTION require_closing_order();

CREATE FUNCTION refuse_checkpoint_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (
        SELECT 1 FROM ledger_closings WHERE account_id = OLD.account_id AND last_day = OLD.last_day
    ) THEN
        RAISE EXCEPTION 'the balances of a closed period never change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER ledger_checkpoints_kept BEFORE UPDATE OR DELETE ON ledger_checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_checkpoint_change();
CREATE TRIGGER ledger_closings_never_emptied BEFORE TRUNCATE ON ledger_closings EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER ledger_checkpoints_never_emptied BEFORE TRUNCATE ON ledger_checkpoints
    EXECUTE FUNCTION refuse_truncate();
