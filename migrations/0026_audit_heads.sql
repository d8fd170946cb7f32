-- Each account has the head of its audit chain from its first moment, whoever makes it: a program of the release before does not.

INSERT INTO audit_heads (account_id, number, sha256)
SELECT account_id, 0, decode(repeat('00', 32), 'hex') FROM accounts
ON CONFLICT DO NOTHING;

CREATE FUNCTION begin_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_heads (account_id, number, sha256) VALUES (NEW.account_id, 0, decode(repeat('00', 32), 'hex'))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER accounts_begin_audit_chain AFTER INSERT ON accounts
    FOR EACH ROW EXECUTE FUNCTION begin_audit_chain();
