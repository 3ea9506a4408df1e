-- Semantics 8.4, 10.4: every latch has its notice, which names the lowest threshold that the event
-- crossed, and every such notice its latch; unless it repeated one told a short while before: then
-- it was held back, and what was true when that while ended was told by whatever came then. A threshold may be let go without a word, but
-- balance.recovered never comes without letting one go. As far back as notices are kept.
WITH kept_from AS (
    SELECT coalesce(max(pruned_before), '-infinity') AS at FROM notice_horizon
),
flipped AS (
    SELECT
        account_id,
        unit,
        event_key,
        CASE WHEN threshold IS NULL THEN 'balance.depleted'
            WHEN latched THEN 'balance.low'
            ELSE 'balance.recovered' END AS type,
        bool_or(latched) AS is_latched,
        bool_and(held) AS is_held,
        CASE WHEN bool_or(latched) THEN min(threshold) FILTER (WHERE NOT held)
            ELSE max(threshold) END AS threshold
    FROM latch_flip
    WHERE (latched OR threshold IS NOT NULL) AND (SELECT at FROM kept_from) <= recorded_at
    GROUP BY account_id, unit, event_key, 4, latched
),
told AS (
    SELECT account_id, unit, event_key, type, count(*) AS notices,
        min((data::JSON ->> 'threshold')::NUMERIC) AS threshold
    FROM notice
    WHERE type IN ('balance.low', 'balance.depleted', 'balance.recovered')
        AND (SELECT at FROM kept_from) <= recorded_at
    GROUP BY account_id, unit, event_key, type
)
SELECT format('event %s in %s/%s: %s',
    coalesce((SELECT source || '/' || id FROM inbox WHERE inbox.event_key = kept.event_key),
        kept.event_key::TEXT),
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, wrong.says)
FROM (
    SELECT account_id, unit, event_key, type, told.notices,
        flipped.is_latched,
        flipped.is_held,
        whole_units(flipped.threshold, coalesce(
            (SELECT unit.decimals FROM unit WHERE unit.unit = flipped.unit), 0)) AS threshold,
        told.threshold AS threshold_told,
        EXISTS (
            SELECT FROM latch_flip
            WHERE latch_flip.account_id = coalesce(flipped.account_id, told.account_id)
                AND latch_flip.unit = coalesce(flipped.unit, told.unit)
                AND latch_flip.held
        ) AS was_held
    FROM flipped
    FULL JOIN told USING (account_id, unit, event_key, type)
) AS kept
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN is_latched AND notices IS NULL AND NOT is_held
        THEN format('latched %s and no %s tells of it',
            coalesce('threshold ' || trim_scale(threshold)::TEXT, 'depletion'), type) END,
    CASE WHEN is_latched IS NULL AND NOT was_held
        THEN format('a %s tells of a threshold that it did not %s', type,
            CASE type WHEN 'balance.recovered' THEN 'let go' ELSE 'latch' END) END,
    CASE WHEN 1 < notices THEN format('%s notices are %s', notices, type) END,
    CASE WHEN is_latched AND threshold_told <> threshold AND NOT was_held
        THEN format('%s tells of threshold %s instead of %s', type,
            trim_scale(threshold_told), trim_scale(threshold)) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
