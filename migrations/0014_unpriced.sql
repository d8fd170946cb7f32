-- Since this version a plan refuses what it has no price for, unless it says `unpriced: suspend`. Versions published before
-- keep what they were published under: such usage is served and waits in suspense.

ALTER TABLE plan_versions
    ADD COLUMN unpriced text NOT NULL DEFAULT 'suspend' CHECK (unpriced IN ('refuse', 'suspend'));
ALTER TABLE plan_versions ALTER COLUMN unpriced DROP DEFAULT;
