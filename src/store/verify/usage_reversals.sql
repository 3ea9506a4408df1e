-- Semantics 5.5: what is reversed of usage is the share that its reversals name together, rounded
-- once, half away from zero; they wait only for what has not come or is parked. Of a name that was
-- corrected, the newest event counts.
WITH reversed AS (
    SELECT
        usage_key,
        min(usage_source || '/' || usage_id) AS called,
        sum(credits) AS credits,
        count(*) FILTER (WHERE credits IS NULL) AS waiting,
        count(*) FILTER (WHERE credits IS NOT NULL) AS settled,
        count(*) FILTER (WHERE quantity IS NULL) AS whole,
        sum(quantity) AS quantity,
        count(*) FILTER (WHERE event.outcome IS DISTINCT FROM 'applied') AS not_applied
    FROM usage_reversal
    LEFT JOIN (SELECT event_key, outcome FROM inbox) AS event USING (event_key)
    GROUP BY usage_key
),
kept AS (
    SELECT
        reversed.called,
        reversed.credits,
        reversed.waiting,
        reversed.settled,
        reversed.not_applied,
        usage.unit,
        coalesce(usage.outcome, 'parked') = 'parked' AS is_awaited,
        usage.outcome IN ('applied', 'duplicate') AND usage.cost IS NULL AS is_other,
        CASE
            WHEN usage.outcome IN ('declined', 'ignored') OR usage.quantity = 0 THEN 0
            WHEN 0 < reversed.whole THEN usage.cost
            -- Exact, unlike the quotient of two NUMERICs.
            ELSE div(2 * usage.cost * least(reversed.quantity, usage.quantity) + usage.quantity,
                2 * usage.quantity)
        END AS target
    FROM reversed
    LEFT JOIN parked ON parked.event_key = reversed.usage_key
    LEFT JOIN inbox AS usage
        ON usage.event_key = coalesce(parked.newest, reversed.usage_key)
)
SELECT format('usage %s: %s', kept.called, wrong.says)
FROM kept
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN 0 < not_applied
        THEN format('%s of its reversals were not applied', not_applied) END,
    CASE WHEN is_awaited AND 0 < settled
        THEN format('%s of its reversals are settled, but it has not been applied', settled) END,
    CASE WHEN NOT is_awaited AND 0 < waiting
        THEN format('%s of its reversals wait for it, but it has come', waiting) END,
    CASE WHEN is_other THEN 'is reversed, but it is no usage' END,
    CASE WHEN NOT is_awaited AND NOT is_other AND waiting = 0 AND credits <> target
        THEN format('reversed %s but its reversals say %s',
            trim_scale(whole_units(credits, coalesce(decimals, 0))),
            trim_scale(whole_units(target, coalesce(decimals, 0)))) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
