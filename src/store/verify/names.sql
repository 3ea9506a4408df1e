-- Hot rows have no foreign keys: that what they name exists is proved here.
WITH named AS (
    SELECT 'balance' AS what, account_id, unit FROM balance
    UNION
    SELECT 'notice', account_id, unit FROM notice WHERE account_id IS NOT NULL
    UNION
    SELECT 'event', account_id, unit FROM inbox WHERE account_id IS NOT NULL
)
SELECT format('%s %s/%s: %s', named.what, coalesce(account.name, '#' || named.account_id),
    named.unit, wrong.says)
FROM named
LEFT JOIN account ON account.account_id = named.account_id
LEFT JOIN unit ON unit.unit = named.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN account.account_id IS NULL
        THEN format('there is no account with the number %s', named.account_id) END,
    CASE WHEN unit.unit IS NULL AND named.unit IS NOT NULL
        THEN format('there is no unit %s', named.unit) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
