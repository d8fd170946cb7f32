-- Credit notes: what is given back of a final invoice. Numbered in a series of their own, and as frozen as invoices.

CREATE TABLE credit_notes (
    account_id      uuid NOT NULL,
    credit_note_id  uuid NOT NULL,
    invoice_id      uuid NOT NULL,
    number          text NOT NULL,
    currency        text NOT NULL,
    total           numeric(38, 12) NOT NULL CHECK (total >= 0),  -- what the customer is given back
    exact_total     numeric(38, 12) NOT NULL,
    settlement      text NOT NULL CHECK (settlement IN ('open_invoice', 'customer_balance')),
    reason          text NOT NULL CHECK (reason <> ''),
    issued_by       text NOT NULL,
    document        text NOT NULL,                                -- all that is shown, as canonical JSON
    issued_at       timestamptz NOT NULL,                         -- billing time, as all times here
    issued_on       date NOT NULL,                                -- local day of the account's zone
    refunded_at     timestamptz,
    PRIMARY KEY (account_id, credit_note_id),
    UNIQUE (account_id, number),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    CHECK (refunded_at IS NULL OR settlement = 'customer_balance')
);
CREATE INDEX credit_notes_by_id ON credit_notes (credit_note_id);
CREATE INDEX credit_notes_by_number ON credit_notes (number);
CREATE INDEX credit_notes_by_invoice ON credit_notes (account_id, invoice_id);

CREATE TABLE credit_note_lines (
    account_id       uuid NOT NULL,
    line_id          uuid NOT NULL,
    credit_note_id   uuid NOT NULL,
    invoice_line_id  uuid NOT NULL,
    ordinal          integer NOT NULL CHECK (ordinal >= 1),
    kind             text NOT NULL,
    exact_amount     numeric(38, 12) NOT NULL,
    amount           numeric(38, 12) NOT NULL,                    -- negative: a credit of the invoice is taken back
    PRIMARY KEY (account_id, line_id),
    UNIQUE (account_id, credit_note_id, ordinal),
    FOREIGN KEY (account_id, credit_note_id) REFERENCES credit_notes,
    FOREIGN KEY (account_id, invoice_line_id) REFERENCES invoice_lines
);
CREATE INDEX credit_note_lines_by_invoice_line ON credit_note_lines (account_id, invoice_line_id);

-- Of a draft and of a void invoice nothing is owed, and of no invoice is more given back than was to be paid.
CREATE FUNCTION require_creditable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owed numeric;
    credited numeric;
BEGIN
    SELECT total INTO owed FROM invoices
        WHERE account_id = NEW.account_id AND invoice_id = NEW.invoice_id AND currency = NEW.currency
            AND state IN ('finalized', 'paid');
    SELECT coalesce(sum(total), 0) INTO credited FROM credit_notes
        WHERE account_id = NEW.account_id AND invoice_id = NEW.invoice_id;
    IF owed IS NULL OR credited + NEW.total > owed THEN
        RAISE EXCEPTION 'credit note % gives back more than is left of its invoice', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER credit_notes_creditable BEFORE INSERT ON credit_notes
    FOR EACH ROW EXECUTE FUNCTION require_creditable();

-- Paid back once; nothing else of it ever changes.
CREATE FUNCTION refuse_credit_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.refunded_at IS NULL AND NEW.refunded_at IS NOT NULL
        AND to_jsonb(NEW) - 'refunded_at' = to_jsonb(OLD) - 'refunded_at'
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'credit note % is issued: it never changes', OLD.number USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER credit_notes_frozen BEFORE UPDATE OR DELETE ON credit_notes
    FOR EACH ROW EXECUTE FUNCTION refuse_credit_note_change();
CREATE TRIGGER credit_note_lines_frozen BEFORE UPDATE OR DELETE ON credit_note_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_record_change();
CREATE TRIGGER credit_notes_never_emptied BEFORE TRUNCATE ON credit_notes EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER credit_note_lines_never_emptied BEFORE TRUNCATE ON credit_note_lines EXECUTE FUNCTION refuse_truncate();
