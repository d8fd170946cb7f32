-- What waits in suspense leaves it only by being rated or waived, and a subscription only ends: neither can be moved to
-- another month, account or plan. (Records are held against the journals that they came from, by reconcile.)

CREATE OR REPLACE FUNCTION refuse_resolution_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_change text[] := ARRAY['resolved_at', 'resolution', 'resolved_by', 'outcome', 'plan', 'plan_version'];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) THEN
            RETURN NEW;
        END IF;
        -- Rated usage belongs to the month that its account's zone has it in, which may not have been known before.
        IF NEW.outcome = 'rated' THEN
            may_change := array_append(may_change, 'period_start');
        END IF;
        IF OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL
            AND to_jsonb(NEW) - may_change = to_jsonb(OLD) - may_change
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'what was in suspense stays on record' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_subscription_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'ends_at' = to_jsonb(OLD) - 'ends_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'subscription % is what fees are owed for: end it and make another', OLD.subscription_id
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER subscriptions_kept BEFORE UPDATE ON subscriptions
    FOR EACH ROW EXECUTE FUNCTION refuse_subscription_change();

CREATE TRIGGER subscriptions_never_emptied BEFORE TRUNCATE ON subscriptions EXECUTE FUNCTION refuse_truncate();
