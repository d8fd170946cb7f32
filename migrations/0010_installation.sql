-- What all gateways of an installation share and nobody else knows.

CREATE TABLE installation (
    singleton       boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    sealing_secret  bytea NOT NULL CHECK (length(sealing_secret) >= 16)  -- under which ids of files and batches are sealed
);
-- Random UUIDs come from Postgres' strong source: 244 random bits.
INSERT INTO installation (sealing_secret)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
