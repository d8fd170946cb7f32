-- How usage left suspense: waived (it is billed to nobody) or rated after all, by whom, and by which version of a plan.
-- A price may reach back for suspended usage alone; the version is kept, so that the amount can be computed again.

ALTER TABLE suspense
    ADD COLUMN outcome       text CHECK (outcome IN ('waived', 'rated')),
    ADD COLUMN resolved_by   text,
    ADD COLUMN plan          text,
    ADD COLUMN plan_version  integer;
UPDATE suspense SET outcome = 'waived', resolved_by = '' WHERE resolved_at IS NOT NULL;
ALTER TABLE suspense
    ADD CHECK ((outcome IS NULL) = (resolved_at IS NULL) AND (outcome IS NULL) = (resolved_by IS NULL)),
    ADD CHECK ((outcome IS NOT DISTINCT FROM 'rated') = (plan IS NOT NULL AND plan_version IS NOT NULL));
CREATE INDEX suspense_waiting ON suspense (account_id, period_start) WHERE resolved_at IS NULL;
