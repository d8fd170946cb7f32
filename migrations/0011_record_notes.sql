-- What a record notes beside its numbers, as names joined by commas, and the model as the client wrote it where that is not
-- the model's own name: `model` is the name that limits, prices, rollups and invoices go by.
ALTER TABLE request_records
    ADD COLUMN notes            text NOT NULL DEFAULT '',
    ADD COLUMN model_requested  text;                 -- NULL: as in `model`

ALTER TABLE attempt_records
    ADD COLUMN notes            text NOT NULL DEFAULT '';
