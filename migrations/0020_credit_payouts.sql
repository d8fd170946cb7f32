-- Credits that were paid out, because no later invoice will carry them: the customer left.

CREATE TABLE service_level_payouts (
    account_id    uuid NOT NULL,
    result_id     uuid NOT NULL,
    amount        numeric(38, 12) NOT NULL CHECK (amount >= 0),  -- in whole minor units: what was paid
    exact_amount  numeric(38, 12) NOT NULL CHECK (exact_amount > 0),
    paid_at       timestamptz NOT NULL,                          -- billing time
    reason        text NOT NULL CHECK (reason <> ''),
    paid_by       text NOT NULL,
    PRIMARY KEY (account_id, result_id),
    FOREIGN KEY (account_id, result_id) REFERENCES service_level_results
);
CREATE TRIGGER service_level_payouts_append_only BEFORE UPDATE OR DELETE ON service_level_payouts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER service_level_payouts_never_emptied BEFORE TRUNCATE ON service_level_payouts
    EXECUTE FUNCTION refuse_truncate();
