-- The first instant of each account's billing months, from when it was first needed on: kept, not derived again, because a
-- changed zone database would derive another one, and usage that was summed under the old one would belong to no month.

CREATE TABLE billing_periods (
    account_id    uuid NOT NULL,
    month         date NOT NULL CHECK (extract(day FROM month) = 1),
    period_start  timestamptz NOT NULL,
    PRIMARY KEY (account_id, month),
    UNIQUE (account_id, period_start)
);

-- The middle of a month is in the same month in every zone.
INSERT INTO billing_periods (account_id, month, period_start)
SELECT DISTINCT ON (account_id, month) account_id, month, period_start
FROM (
    SELECT account_id, date_trunc('month', (period_start + interval '14 days') AT TIME ZONE 'UTC')::date AS month,
        period_start
    FROM (
        SELECT account_id, period_start FROM invoices
        UNION SELECT account_id, period_end FROM invoices
        UNION SELECT account_id, period_start FROM usage_rollups
        UNION SELECT account_id, period_start FROM request_rollups
        UNION SELECT account_id, period_start FROM service_level_results
    ) AS starts
) AS months
ORDER BY account_id, month, period_start
ON CONFLICT DO NOTHING;
