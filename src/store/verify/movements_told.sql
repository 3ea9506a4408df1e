-- Semantics 10.4: what moved is told, and what is told moved, as far back as notices are kept. Usage
-- and repayment are not told, nor what happens to a lot before it opens.
WITH kept_from AS (
    SELECT coalesce(max(pruned_before), '-infinity') AS at FROM notice_horizon
),
moved AS (
    SELECT
        account_id,
        unit,
        event_key,
        sum(credits) FILTER (WHERE kind IN ('granted', 'opened')) AS granted,
        count(*) FILTER (WHERE kind IN ('granted', 'opened')) AS grants,
        -sum(credits) FILTER (WHERE kind = 'revoked') AS revoked,
        sum(credits) FILTER (WHERE kind = 'restored') AS restored,
        -sum(credits) FILTER (WHERE kind = 'forfeited') AS forfeited,
        sum(credits) FILTER (WHERE kind = 'carried' AND 0 < credits) AS carried,
        sum(credits) FILTER (WHERE kind = 'forgiven') AS forgiven,
        sum(credits) FILTER (WHERE kind = 'adjusted') AS adjusted,
        -sum(credits) FILTER (WHERE kind = 'expired') AS expired
    FROM entry
    WHERE NOT pending AND kind IN ('granted', 'opened', 'revoked', 'restored', 'forfeited',
        'carried', 'forgiven', 'adjusted', 'expired')
        AND (SELECT at FROM kept_from) <= recorded_at
    GROUP BY account_id, unit, event_key
),
told AS (
    SELECT
        account_id,
        unit,
        event_key,
        sum((data ->> 'credits')::NUMERIC) FILTER (WHERE type = 'balance.credited') AS granted,
        count(*) FILTER (WHERE type = 'balance.credited') AS grants,
        sum((data ->> 'credits')::NUMERIC) FILTER (WHERE type = 'balance.revoked') AS revoked,
        sum((data ->> 'credits')::NUMERIC) FILTER (WHERE type = 'balance.restored') AS restored,
        sum((data ->> 'forfeited')::NUMERIC) FILTER (WHERE type = 'balance.reset') AS forfeited,
        sum((data ->> 'carried')::NUMERIC) FILTER (WHERE type = 'balance.reset') AS carried,
        sum((data ->> 'forgiven')::NUMERIC) FILTER (WHERE type = 'balance.reset') AS forgiven,
        sum((data ->> 'credits')::NUMERIC) FILTER (WHERE type = 'balance.adjusted') AS adjusted,
        sum((data ->> 'credits')::NUMERIC) FILTER (WHERE type = 'balance.expired') AS expired
    FROM (
        SELECT account_id, unit, event_key, type, data::JSON AS data
        FROM notice
        WHERE type IN ('balance.credited', 'balance.revoked', 'balance.restored', 'balance.reset',
            'balance.adjusted', 'balance.expired')
            AND (SELECT at FROM kept_from) <= recorded_at
    ) AS moving
    GROUP BY account_id, unit, event_key
)
SELECT format('event %s in %s/%s: its entries %s %s, its %s notices say %s',
    coalesce((SELECT source || '/' || id FROM inbox WHERE inbox.event_key = kept.event_key),
        kept.event_key::TEXT),
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, wrong.verb, trim_scale(wrong.moved), wrong.type, trim_scale(wrong.told))
FROM (
    SELECT
        account_id,
        unit,
        event_key,
        ARRAY[moved.granted, moved.revoked, moved.restored, moved.forfeited, moved.carried,
            moved.forgiven, moved.adjusted, moved.expired] AS moved,
        ARRAY[told.granted, told.revoked, told.restored, told.forfeited, told.carried,
            told.forgiven, told.adjusted, told.expired] AS told,
        moved.grants,
        told.grants AS grants_told
    FROM moved
    FULL JOIN told USING (account_id, unit, event_key)
) AS kept
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL (
    SELECT verb, type, whole_units(coalesce(moved, 0), coalesce(scale.decimals, 0)) AS moved,
        coalesce(told, 0) AS told
    FROM unnest(
        ARRAY['granted', 'revoked', 'restored', 'forfeited', 'carried', 'forgave', 'adjusted',
            'expired'],
        ARRAY['balance.credited', 'balance.revoked', 'balance.restored', 'balance.reset',
            'balance.reset', 'balance.reset', 'balance.adjusted', 'balance.expired'],
        kept.moved,
        kept.told
    ) AS figure(verb, type, moved, told)
    WHERE moved IS NOT NULL OR told IS NOT NULL
    UNION ALL
    SELECT 'are grants, counted', 'balance.credited', kept.grants, kept.grants_told
    WHERE kept.grants <> kept.grants_told
) AS wrong
WHERE wrong.moved <> wrong.told
