-- Semantics 6.2: an account's opening balance has one lot, of that amount, and no other.
WITH stated AS (
    SELECT account_id, own.unit, (own.said ->> 'opening_balance')::NUMERIC AS credits
    FROM account
    CROSS JOIN LATERAL jsonb_each(settings) AS own (unit, said)
    WHERE own.said ? 'opening_balance'
),
granted AS (
    SELECT account_id, unit, sum(granted) AS credits, count(*) AS lots
    FROM lot
    WHERE package = 'opening_balance'
    GROUP BY account_id, unit
)
SELECT format('account %s in %s: %s',
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, wrong.says)
FROM (
    SELECT account_id, unit,
        stated.credits IS NOT NULL AS is_stated,
        coalesce(whole_units(stated.credits, coalesce(scale.decimals, 0)), 0) AS stated,
        coalesce(whole_units(granted.credits, coalesce(scale.decimals, 0)), 0) AS granted,
        granted.lots
    FROM stated
    FULL JOIN granted USING (account_id, unit)
    LEFT JOIN unit AS scale USING (unit)
) AS kept
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN NOT is_stated THEN 'has a lot of an opening balance that nothing states' END,
    CASE WHEN is_stated AND stated <> granted
        THEN format('began with %s, but was granted %s', trim_scale(stated),
            trim_scale(granted)) END,
    CASE WHEN 1 < lots THEN format('has %s lots of its opening balance', lots) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
