-- Usage is rated by the rows that a version was published with, so no row changes or goes.

CREATE FUNCTION refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published price never changes: publish the next version of plan %', OLD.plan
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER effective_prices_frozen BEFORE UPDATE OR DELETE ON effective_prices
    FOR EACH ROW EXECUTE FUNCTION refuse_price_change();
