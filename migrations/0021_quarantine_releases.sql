-- Damaged bytes of a journal hold the accounts that they could concern until someone says that they looked. A record that
-- the database refused names its account, and waits in suspense.

ALTER TABLE journal_quarantines
    ADD COLUMN account_id      uuid,                    -- NULL: unknown, so whoever has records of that journal
    ADD COLUMN released_at     timestamptz,
    ADD COLUMN released_by     text,
    ADD COLUMN release_reason  text;
UPDATE journal_quarantines SET released_at = found_at, released_by = 'ingest', release_reason = 'it waits in suspense'
    WHERE reason = 'refused_by_database';
ALTER TABLE journal_quarantines
    ADD CHECK ((released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_reason IS NULL));

CREATE FUNCTION refuse_release_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.released_at IS NOT NULL AND to_jsonb(NEW) <> to_jsonb(OLD) THEN
        RAISE EXCEPTION 'what could not be read of a journal stays on record' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER journal_quarantines_kept BEFORE UPDATE OR DELETE ON journal_quarantines
    FOR EACH ROW EXECUTE FUNCTION refuse_release_change();
