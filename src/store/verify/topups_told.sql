-- Semantics 8.5, 10.4: what was asked for was told, each request once, as far back as notices are
-- kept.
WITH kept_from AS (
    SELECT coalesce(max(pruned_before), '-infinity') AS at FROM notice_horizon
),
asked AS (
    SELECT account_id, unit,
        (asking ->> 'asked')::BIGINT AS requests,
        asking #>> '{newest,id}' AS newest,
        (asking #>> '{newest,at}')::TIMESTAMPTZ AS newest_at
    FROM balance
    WHERE asking IS NOT NULL
),
told AS (
    SELECT account_id, unit, count(*) AS notices, count(DISTINCT request) AS requests_told,
        array_agg(request) AS told
    FROM (
        SELECT account_id, unit, data::JSON ->> 'topup_request_id' AS request
        FROM notice
        WHERE type = 'topup.requested'
    ) AS requested
    GROUP BY account_id, unit
)
SELECT format('balance %s/%s: %s',
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, wrong.says)
FROM (
    SELECT account_id, unit, coalesce(requests, 0) AS requests, newest, newest_at,
        coalesce(notices, 0) AS notices, coalesce(requests_told, 0) AS requests_told, told
    FROM asked
    FULL JOIN told USING (account_id, unit)
) AS kept
CROSS JOIN kept_from
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN requests < notices OR (notices < requests AND at = '-infinity')
        THEN format('asked for a top-up %s times, but %s topup.requested tell of it', requests,
            notices) END,
    CASE WHEN requests_told < notices
        THEN format('%s topup.requested name %s requests', notices, requests_told) END,
    CASE WHEN at <= newest_at AND NOT newest = ANY (coalesce(told, '{}'))
        THEN format('asked for %s, and no topup.requested tells of it', newest) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
