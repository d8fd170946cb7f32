-- Who changed what: an entry for each change, chained by hash in each account, and for the seller in a chain of its own,
-- whose account_id is all zeros. Entries are never changed or removed, and join only at the end of their chain.

CREATE TABLE audit_heads (
    account_id  uuid PRIMARY KEY,
    number      bigint NOT NULL CHECK (number >= 0),                       -- of the newest entry; 0 before the first
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32)           -- the newest entry's; zeros before the first
);

CREATE TABLE audit_entries (
    account_id       uuid NOT NULL,
    number           bigint NOT NULL CHECK (number >= 1),                  -- in its chain, without a gap
    entry_id         uuid NOT NULL,
    recorded_at      timestamptz NOT NULL,                                 -- real time
    action           text NOT NULL CHECK (action <> ''),
    subject          text NOT NULL CHECK (subject <> ''),                  -- what was changed
    actor_kind       text NOT NULL CHECK (actor_kind IN ('admin_key', 'operator', 'job')),
    actor_id         text NOT NULL,
    actor_name       text NOT NULL,
    origin           text NOT NULL,                                        -- the address or host that it came from
    before           json,                                                 -- null where it is new
    after            json,                                                 -- null where it is gone
    reason           text NOT NULL,
    previous_sha256  bytea NOT NULL CHECK (octet_length(previous_sha256) = 32),
    sha256           bytea NOT NULL CHECK (octet_length(sha256) = 32),
    PRIMARY KEY (account_id, number),
    CHECK (before IS NOT NULL OR after IS NOT NULL)
);
CREATE INDEX audit_entries_by_id ON audit_entries (entry_id);
CREATE INDEX audit_entries_by_subject ON audit_entries (account_id, subject, number);

-- What others are told of a change, written with it. The number is that of the change's audit entry, so the events of an
-- account have one order, and it is that of the changes.
CREATE TABLE outbox_events (
    account_id   uuid NOT NULL,
    number       bigint NOT NULL,
    event_id     uuid NOT NULL,
    name         text NOT NULL CHECK (name <> ''),
    occurred_at  timestamptz NOT NULL,
    payload      json NOT NULL,
    PRIMARY KEY (account_id, number),
    FOREIGN KEY (account_id, number) REFERENCES audit_entries
);

-- A chain that was removed whole is missed: each account has a head.
INSERT INTO audit_heads (account_id, number, sha256)
SELECT account_id, 0, decode(repeat('00', 32), 'hex') FROM accounts
UNION ALL
SELECT '00000000-0000-0000-0000-000000000000', 0, decode(repeat('00', 32), 'hex');

CREATE FUNCTION require_audit_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM audit_heads
        WHERE account_id = NEW.account_id AND number = NEW.number - 1 AND sha256 = NEW.previous_sha256
    ) THEN
        RAISE EXCEPTION 'audit entry % does not follow the newest one of its chain', NEW.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_entries_in_order BEFORE INSERT ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION require_audit_order();

CREATE FUNCTION refuse_audit_head_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.number = 0 AND NEW.sha256 = decode(repeat('00', 32), 'hex') THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NEW.account_id = OLD.account_id AND NEW.number = OLD.number + 1 AND EXISTS (
            SELECT 1 FROM audit_entries
            WHERE account_id = NEW.account_id AND number = NEW.number AND sha256 = NEW.sha256
        ) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the head of an audit chain only moves on to its newest entry'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_heads_forward BEFORE INSERT OR UPDATE OR DELETE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_head_change();

CREATE FUNCTION refuse_record_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is evidence: its rows never change', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_entries_kept BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_record_change();
CREATE TRIGGER outbox_events_kept BEFORE UPDATE OR DELETE ON outbox_events
    FOR EACH ROW EXECUTE FUNCTION refuse_record_change();
CREATE TRIGGER audit_entries_never_emptied BEFORE TRUNCATE ON audit_entries EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER audit_heads_never_emptied BEFORE TRUNCATE ON audit_heads EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER outbox_events_never_emptied BEFORE TRUNCATE ON outbox_events EXECUTE FUNCTION refuse_truncate();
