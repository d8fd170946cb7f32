-- What the ledger and the invoices have still to be told of usage: marks, written with every change of the rollups by whoever
-- makes it, and gone with what books them. So neither has to read what did not change.

-- One row for each transaction that changed usage of an hour and model. Rows are never changed: whoever sees a mark sees the
-- usage that it stands for, and whoever removes the marks that it sees removes no other.
CREATE TABLE unposted_usage (
    account_id    uuid NOT NULL,
    period_start  timestamptz NOT NULL,
    hour_start    timestamptz NOT NULL,
    model         text NOT NULL,
    marked_at     timestamptz NOT NULL DEFAULT now(),          -- when the transaction began, and
    backend       integer NOT NULL DEFAULT pg_backend_pid(),   -- whose it was: together which one
    PRIMARY KEY (account_id, period_start, hour_start, model, marked_at, backend)
);

CREATE FUNCTION mark_unposted_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed usage_rollups := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO unposted_usage (account_id, period_start, hour_start, model)
    VALUES (changed.account_id, changed.period_start, changed.hour_start, changed.model)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER usage_rollups_mark_unposted AFTER INSERT OR UPDATE OR DELETE ON usage_rollups
    FOR EACH ROW EXECUTE FUNCTION mark_unposted_usage();

-- The hours of a day, whatever month they are summed under.
CREATE INDEX usage_rollups_by_hour ON usage_rollups (account_id, hour_start);

-- How often the usage of a month changed, and up to which change it is on final invoices.
CREATE TABLE usage_periods (
    account_id       uuid NOT NULL,
    period_start     timestamptz NOT NULL,
    version          bigint NOT NULL CHECK (version >= 1),
    settled_version  bigint NOT NULL DEFAULT 0 CHECK (settled_version BETWEEN 0 AND version),
    PRIMARY KEY (account_id, period_start)
);
CREATE INDEX usage_periods_open ON usage_periods (account_id, period_start) WHERE settled_version < version;

-- What an invoice settles when it becomes final.
CREATE TABLE invoice_usage_periods (
    account_id    uuid NOT NULL,
    invoice_id    uuid NOT NULL,
    period_start  timestamptz NOT NULL,
    version       bigint NOT NULL,
    PRIMARY KEY (account_id, invoice_id, period_start),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices ON DELETE CASCADE
);

CREATE INDEX invoices_by_period ON invoices (account_id, period_start);
CREATE INDEX invoices_drafts ON invoices (account_id) WHERE state = 'draft';
CREATE INDEX service_level_results_by_period ON service_level_results (account_id, period_start);

-- Of a database from before: every month is looked at once more, and every local day on which rollups and ledger differ. Of an
-- account whose zone Postgres does not know one day stands for all: its pass fails as it did, and says so.
INSERT INTO usage_periods (account_id, period_start, version)
SELECT DISTINCT account_id, period_start, 1 FROM usage_rollups;

INSERT INTO unposted_usage (account_id, period_start, hour_start, model)
WITH zones AS (
    SELECT a.account_id, z.name AS zone FROM accounts a LEFT JOIN pg_timezone_names z ON z.name = a.time_zone
), rated AS (
    SELECT r.account_id, r.model, (r.hour_start AT TIME ZONE coalesce(z.zone, 'UTC'))::date AS day,
        min(r.period_start) AS period_start, min(r.hour_start) AS hour_start, sum(r.amount) AS amount, z.zone
    FROM usage_rollups r JOIN zones z USING (account_id)
    GROUP BY r.account_id, r.model, day, z.zone
), booked AS (
    SELECT t.account_id, substr(t.product, 7) AS model, t.day, sum(p.amount) AS amount
    FROM ledger_transactions t JOIN ledger_postings p USING (account_id, transaction_id)
    WHERE t.kind = 'accrual' AND p.ledger_account = 'unbilled_receivables'
    GROUP BY t.account_id, t.product, t.day
)
SELECT account_id, rated.period_start, rated.hour_start, model
FROM rated LEFT JOIN booked USING (account_id, model, day)
WHERE rated.zone IS NULL OR rated.amount <> coalesce(booked.amount, 0);
