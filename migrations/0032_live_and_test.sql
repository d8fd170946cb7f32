-- An account is live or test from its beginning. Only test accounts have a clock that can be moved: that of their sandbox,
-- which several may share. Seller-wide, because a sandbox's accounts may be anywhere.

CREATE TABLE sandboxes (
    sandbox_id  uuid PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    created_at  timestamptz NOT NULL
);

-- What billing time of a sandbox was at any instant of real time follows from its moves.
CREATE TABLE sandbox_moves (
    sandbox_id      uuid NOT NULL REFERENCES sandboxes,
    number          bigint NOT NULL CHECK (number >= 1),
    moved_at        timestamptz NOT NULL,               -- real time
    from_offset_ms  bigint NOT NULL CHECK (from_offset_ms >= 0),
    to_offset_ms    bigint NOT NULL,
    moved_by        text NOT NULL,
    PRIMARY KEY (sandbox_id, number),
    CHECK (to_offset_ms > from_offset_ms)
);

CREATE FUNCTION refuse_sandbox_move_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a move of a test clock stays on record' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER sandbox_moves_kept BEFORE UPDATE OR DELETE ON sandbox_moves
    FOR EACH ROW EXECUTE FUNCTION refuse_sandbox_move_change();
CREATE TRIGGER sandbox_moves_never_emptied BEFORE TRUNCATE ON sandbox_moves EXECUTE FUNCTION refuse_truncate();

-- Whoever moved an account's clock was trying something out: such an account is test, alone in its sandbox, and its moves
-- begin with where the clock stands now. Its invoices keep their numbers.
ALTER TABLE accounts
    ADD COLUMN mode text NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'test')),
    ADD COLUMN sandbox_id uuid;
INSERT INTO sandboxes (sandbox_id, name, created_at)
SELECT account_id, name, created_at FROM accounts WHERE clock_offset_ms > 0 OR clock_change > 0;
INSERT INTO sandbox_moves (sandbox_id, number, moved_at, from_offset_ms, to_offset_ms, moved_by)
SELECT account_id, 1, date_trunc('milliseconds', now()), 0, clock_offset_ms, 'migration'
FROM accounts WHERE clock_offset_ms > 0;
UPDATE accounts SET mode = 'test', sandbox_id = account_id
WHERE account_id = ANY (ARRAY(SELECT sandbox_id FROM sandboxes));
ALTER TABLE accounts
    ADD CHECK ((mode = 'test') = (sandbox_id IS NOT NULL)),
    ADD CHECK (mode = 'test' OR clock_offset_ms = 0);
CREATE INDEX accounts_by_sandbox ON accounts (sandbox_id) WHERE sandbox_id IS NOT NULL;

CREATE FUNCTION refuse_mode_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.mode <> OLD.mode OR NEW.sandbox_id IS DISTINCT FROM OLD.sandbox_id THEN
        RAISE EXCEPTION 'account % is %, and stays so', OLD.account_id, OLD.mode USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.clock_offset_ms <> OLD.clock_offset_ms AND NOT EXISTS (
        SELECT 1 FROM sandbox_moves WHERE sandbox_id = NEW.sandbox_id AND to_offset_ms = NEW.clock_offset_ms
    ) THEN
        RAISE EXCEPTION 'the clock of account % moves with its sandbox', OLD.account_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER accounts_keep_mode BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse_mode_change();

-- No test invoice takes a number of a legal series, nor the other way round.
CREATE FUNCTION refuse_number_of_other_mode() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    account_mode text;
BEGIN
    IF NEW.number IS NULL OR TG_OP = 'UPDATE' AND OLD.number IS NOT DISTINCT FROM NEW.number THEN
        RETURN NEW;
    END IF;
    SELECT mode INTO account_mode FROM accounts WHERE account_id = NEW.account_id;
    IF (account_mode = 'test') <> (position('-TEST-' IN NEW.number) > 0) THEN
        RAISE EXCEPTION 'account % is %: % is no number of its series', NEW.account_id, account_mode, NEW.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invoices_number_of_mode BEFORE INSERT OR UPDATE ON invoices
    FOR EACH ROW EXECUTE FUNCTION refuse_number_of_other_mode();
CREATE TRIGGER credit_notes_number_of_mode BEFORE INSERT OR UPDATE ON credit_notes
    FOR EACH ROW EXECUTE FUNCTION refuse_number_of_other_mode();

-- tollgate: replaces 79ebce68506b5932ed7e75441b444269ec26a99efa65909aa3f9c28a31773643
-- tollgate: replaces 7c95e80fad01b85a38cde57e315018ada2983a8c15773c4b655b527c4e63769c
