-- Prices under conditions (long prompts, places, times of day), and fees a request. A version's rows without conditions are stored when it is
-- published; those under conditions when they are first used.

ALTER TABLE effective_prices ADD COLUMN variant text NOT NULL DEFAULT '';  -- context_above_272000+region_us-*+time_peak
ALTER TABLE effective_prices DROP CONSTRAINT effective_prices_plan_version_price_key_tier_meter_key;
ALTER TABLE effective_prices ADD UNIQUE (plan, version, price_key, tier, variant, meter);

-- The conditions that held for an attempt: with plan, version, tier and meter they name its price rows.
ALTER TABLE attempt_records ADD COLUMN price_variant text NOT NULL DEFAULT '';

-- 1 for what counts as an answered request, else 0; what a fee a request is for.
ALTER TABLE attempt_records ADD COLUMN requests bigint NOT NULL DEFAULT 0;

ALTER TABLE invoice_lines ADD COLUMN variant text NOT NULL DEFAULT '';
