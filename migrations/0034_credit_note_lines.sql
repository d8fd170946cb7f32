-- A credit note has the lines that it was issued with: none joins it later.
CREATE FUNCTION require_new_credit_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Its row was written by this transaction (xmin has the lower 32 bits of the number).
    IF EXISTS (
        SELECT 1 FROM credit_notes
        WHERE account_id = NEW.account_id AND credit_note_id = NEW.credit_note_id
            AND xmin::text::bigint = pg_current_xact_id()::text::bigint % 4294967296
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a credit note that is issued takes no further line' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER credit_note_lines_of_new_notes BEFORE INSERT ON credit_note_lines
    FOR EACH ROW EXECUTE FUNCTION require_new_credit_note();
