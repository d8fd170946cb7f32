-- Limits go by a model's own name; one on an alias was never enforced. Of several that would become the same limit the
-- strictest moves, and the others stay under their alias, in sight, until somebody deletes them.
-- tollgate: replaces 16a2acc1b84cac63ffe2524519d0aed2e0e0b892739e38a417cf18e3ac45ec00

UPDATE limits l SET model = m.own_name
FROM (
    SELECT DISTINCT ON (l.account_id, l.scope_id, c.model, l.kind, l.is_shadow)
        l.account_id, l.limit_id, c.model AS own_name
    FROM limits l JOIN catalogue_models c ON l.model = ANY(c.aliases)
    WHERE NOT EXISTS (SELECT 1 FROM catalogue_models o WHERE o.model = l.model)
        AND NOT EXISTS (
            SELECT 1 FROM limits t
            WHERE t.account_id = l.account_id AND t.scope_id = l.scope_id AND t.model = c.model AND t.kind = l.kind
                AND t.is_shadow = l.is_shadow
        )
    ORDER BY l.account_id, l.scope_id, c.model, l.kind, l.is_shadow, l.value, l.limit_id
) m
WHERE l.account_id = m.account_id AND l.limit_id = m.limit_id;
