-- Accounts may be on several nodes: what one commit says of an account is in the account's own rows, and no foreign key
-- leaves them.

-- How far each journal was ingested when it last held something of the account. It moves with the account's records.
CREATE TABLE journal_positions (
    account_id   uuid NOT NULL,
    journal_id   uuid NOT NULL,
    segment      bigint NOT NULL,                       -- 0: nothing yet
    byte_offset  bigint NOT NULL,
    PRIMARY KEY (account_id, journal_id)
) WITH (fillfactor = 50);

INSERT INTO journal_positions (account_id, journal_id, segment, byte_offset)
SELECT a.account_id, j.journal_id, j.segment, j.byte_offset
FROM (SELECT DISTINCT account_id FROM request_rollups) AS a CROSS JOIN journals j;

-- Whoever subscribes holds the plan until the subscription is there.
ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_plan_fkey;

-- True once `tollgate migrate --distributed` spread the accounts over nodes.
ALTER TABLE installation ADD COLUMN is_distributed boolean NOT NULL DEFAULT false;
