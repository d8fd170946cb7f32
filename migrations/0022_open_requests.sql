-- Requests that are open at a journal's position, by account: one account's open request holds no other account's month.

-- One row for each account that has an open request in the journal.
CREATE TABLE journal_open_requests (
    account_id      uuid NOT NULL,
    journal_id      uuid NOT NULL,
    oldest_open_at  timestamptz NOT NULL,               -- acceptance of the oldest one, or at most a minute before it
    PRIMARY KEY (account_id, journal_id)
);
CREATE INDEX journal_open_requests_by_journal ON journal_open_requests (journal_id);

-- False until all that was open when the journal was last read by an earlier release has ended: until then
-- `oldest_open_at`, of any account, holds every month.
ALTER TABLE journals ADD COLUMN opens_by_account boolean NOT NULL DEFAULT false;
