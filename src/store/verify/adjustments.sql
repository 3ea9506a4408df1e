-- Semantics 6.1: an adjustment that moved anything says who did it and why, and moved what it says.
WITH moved AS (
    SELECT account_id, unit, event_key, sum(credits) AS credits
    FROM entry
    WHERE kind = 'adjusted'
    GROUP BY account_id, unit, event_key
)
SELECT format('event %s in %s/%s: %s',
    coalesce((SELECT source || '/' || id FROM inbox WHERE inbox.event_key = kept.event_key),
        kept.event_key::TEXT),
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, wrong.says)
FROM (
    SELECT account_id, unit, event_key,
        whole_units(adjustment.credits, coalesce(
            (SELECT unit.decimals FROM unit WHERE unit.unit = adjustment.unit), 0)) AS stated,
        whole_units(moved.credits, coalesce(
            (SELECT unit.decimals FROM unit WHERE unit.unit = moved.unit), 0)) AS moved
    FROM adjustment
    FULL JOIN moved USING (account_id, unit, event_key)
) AS kept
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN stated IS NULL
        THEN format('adjusted %s, but nobody says who did it and why', trim_scale(moved)) END,
    CASE WHEN stated IS NOT NULL AND stated IS DISTINCT FROM moved
        THEN format('is an adjustment of %s, but its entries adjusted %s', trim_scale(stated),
            coalesce(trim_scale(moved), 0)) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
