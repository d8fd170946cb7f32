-- Double entry, append-only. Debits are positive, credits negative; every transaction sums to zero.

CREATE TABLE ledger_transactions (
    account_id      uuid NOT NULL REFERENCES accounts,
    transaction_id  uuid NOT NULL,
    kind            text NOT NULL,                      -- accrual, invoice, sla_credit …
    product         text NOT NULL,
    day             date NOT NULL,                      -- local day of the account's zone
    revision        integer NOT NULL CHECK (revision >= 1),
    currency        text NOT NULL,
    booked_at       timestamptz NOT NULL,               -- billing time
    invoice_id      uuid,
    description     text NOT NULL,
    PRIMARY KEY (account_id, transaction_id),
    UNIQUE (account_id, kind, product, day, revision)
);

CREATE TABLE ledger_postings (
    account_id      uuid NOT NULL,
    transaction_id  uuid NOT NULL,
    line            integer NOT NULL CHECK (line >= 1),
    ledger_account  text NOT NULL,
    amount          numeric(38, 12) NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (account_id, transaction_id, line),
    FOREIGN KEY (account_id, transaction_id) REFERENCES ledger_transactions
);
CREATE INDEX ledger_postings_by_ledger_account ON ledger_postings (account_id, ledger_account);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: book a correction instead', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER ledger_transactions_append_only BEFORE UPDATE OR DELETE ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_postings_append_only BEFORE UPDATE OR DELETE ON ledger_postings
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total numeric;
BEGIN
    SELECT coalesce(sum(amount), 0) INTO total FROM ledger_postings
        WHERE account_id = NEW.account_id AND transaction_id = NEW.transaction_id;
    IF total <> 0 THEN
        RAISE EXCEPTION 'ledger transaction % sums to %, not to zero', NEW.transaction_id, total
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER ledger_postings_balance AFTER INSERT ON ledger_postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_balance();
