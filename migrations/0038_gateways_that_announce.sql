-- A gateway whose journal another process ingests says itself that it lives, and which process it is: that ingest stands still
-- does not mean that the gateway is gone.

ALTER TABLE journals
    ADD COLUMN announced_at timestamptz,                       -- real time; NULL where the gateway ingests its journal itself
    ADD COLUMN announced_by uuid;                              -- the process; a new one at each start
