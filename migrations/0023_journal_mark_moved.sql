-- When ingest last moved a journal's position, in real time. A gateway that works off a backlog moves it by heartbeats that are
-- old, and is alive.

ALTER TABLE journals ADD COLUMN mark_moved_at timestamptz;     -- NULL: not since this column is here
