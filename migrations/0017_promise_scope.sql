-- By which rule a month's requests and charges were told to belong to a tier's promises (`PromiseScope.Rule`). What was
-- judged before stays judged as it was.

ALTER TABLE service_level_results ADD COLUMN scope_rule smallint NOT NULL DEFAULT 1;
