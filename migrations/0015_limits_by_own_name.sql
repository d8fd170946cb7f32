-- Limits go by a model's own name; one on an alias was never enforced.

UPDATE limits l SET model = c.model FROM catalogue_models c
WHERE l.model = ANY(c.aliases) AND NOT EXISTS (SELECT 1 FROM catalogue_models o WHERE o.model = l.model)
    AND NOT EXISTS (
        SELECT 1 FROM limits t
        WHERE t.account_id = l.account_id AND t.scope_id = l.scope_id AND t.model = c.model AND t.kind = l.kind
            AND t.is_shadow = l.is_shadow
    );
