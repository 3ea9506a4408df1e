-- Semantics 8.2, 10.4: a coming expiry is told by its own command, and once a lot.
WITH told AS (
    SELECT notice.account_id, notice.unit, notice.sequence, inbox.type, inbox.source,
        count(*) OVER (PARTITION BY notice.event_key) AS notices,
        count(*) OVER (PARTITION BY notice.account_id, notice.unit) AS of_balance
    FROM notice
    LEFT JOIN inbox USING (event_key)
    WHERE notice.type = 'balance.expiring'
),
warned AS (
    SELECT account_id, unit, count(*) AS lots
    FROM lot
    WHERE warned
    GROUP BY account_id, unit
)
SELECT format('notice %s of %s: %s', told.sequence,
    coalesce((SELECT name FROM account WHERE account.account_id = told.account_id),
        '#' || told.account_id),
    wrong.says)
FROM told
LEFT JOIN warned USING (account_id, unit)
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN (source, type) IS DISTINCT FROM ('creditd', 'lot.warn')
        THEN 'tells of a coming expiry, and no command asked for it' END,
    CASE WHEN 1 < notices THEN 'tells of a coming expiry that another tells of, too' END,
    CASE WHEN coalesce(lots, 0) < of_balance
        THEN format('is one of %s that tell of a coming expiry, but %s lots were told of',
            of_balance, coalesce(lots, 0)) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
