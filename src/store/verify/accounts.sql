-- Semantics 6.2, 10.5: what an account is and sets for itself is what the newest event that says
-- anything of it says. Settings keep finer times than the inbox, so what is no more than two
-- microseconds apart counts as equal.
WITH message AS MATERIALIZED (
    SELECT account_id, source, id, occurred_at, type = 'account.updated' AS is_update,
        convert_from(body, 'UTF8')::JSON AS body
    FROM inbox
    WHERE outcome = 'applied' AND account_id IS NOT NULL AND body IS NOT NULL
        AND type IN ('account.updated', 'payment.succeeded')
),
told AS (
    SELECT *, CASE WHEN body ->> 'specversion' IS NULL THEN body ELSE body -> 'data' END AS data
    FROM message
),
stated AS (
    SELECT account_id, '' AS unit, member, source, id, occurred_at, value
    FROM told
    CROSS JOIN LATERAL (VALUES
        ('kind', CASE WHEN is_update THEN data -> 'kind' ELSE data -> 'account_kind' END),
        ('name', CASE WHEN is_update THEN data -> 'name' ELSE data -> 'account_name' END)
    ) AS one (member, value)
    WHERE value IS NOT NULL AND (is_update OR json_typeof(value) <> 'null')
    UNION ALL
    SELECT account_id, own.unit, one.member, source, id, occurred_at, one.value
    FROM (SELECT * FROM told WHERE is_update AND json_typeof(data -> 'units') = 'object') AS told
    CROSS JOIN LATERAL json_each(data -> 'units') AS own (unit, members)
    CROSS JOIN LATERAL json_each(
        CASE json_typeof(own.members) WHEN 'object' THEN own.members END
    ) AS one (member, value)
    WHERE one.member IN ('low_balance', 'recovered_at', 'overdraft_limit', 'topup')
),
said AS (
    SELECT account_id, unit, member, source, id, occurred_at,
        CASE
            WHEN member = 'kind' THEN coalesce(value #>> '{}', 'member')
            WHEN member = 'name' THEN value #>> '{}'
            WHEN json_typeof(value) = 'null' THEN NULL
            WHEN member = 'low_balance' THEN coalesce((
                SELECT string_agg(line::TEXT, ' ' ORDER BY line DESC)
                FROM (
                    SELECT DISTINCT trim_scale(line::NUMERIC) AS line
                    FROM json_array_elements_text(value) AS line
                ) AS lines
            ), 'none')
            WHEN member = 'topup' THEN concat_ws(' ',
                trim_scale((value ->> 'below')::NUMERIC), value ->> 'package')
            ELSE trim_scale((value #>> '{}')::NUMERIC)::TEXT
        END AS value
    FROM stated
),
kept AS (
    SELECT account_id, '' AS unit, member, source, id, at, value
    FROM account
    CROSS JOIN LATERAL (VALUES
        ('kind', kind_source, kind_event, kind_at, kind),
        ('name', display_name_source, display_name_event, display_name_at, display_name)
    ) AS one (member, source, id, at, value)
    UNION ALL
    SELECT account_id, own.unit, one.member, one.own #>> '{said,1,source}',
        one.own #>> '{said,1,id}', (one.own #>> '{said,0}')::TIMESTAMPTZ,
        CASE
            WHEN jsonb_typeof(value) = 'null' THEN NULL
            WHEN one.member = 'low_balance' THEN coalesce((
                SELECT string_agg(trim_scale(whole_units(line::NUMERIC, decimals))::TEXT, ' '
                    ORDER BY place)
                FROM jsonb_array_elements_text(value) WITH ORDINALITY AS line (line, place)
            ), 'none')
            WHEN one.member = 'topup' THEN concat_ws(' ',
                trim_scale(whole_units((value ->> 'below')::NUMERIC, decimals)),
                value ->> 'package')
            ELSE trim_scale(whole_units((value #>> '{}')::NUMERIC, decimals))::TEXT
        END
    FROM account
    CROSS JOIN LATERAL jsonb_each(settings) AS own (unit, members)
    LEFT JOIN unit AS scale ON scale.unit = own.unit
    CROSS JOIN LATERAL jsonb_each(own.members) AS one (member, own)
    CROSS JOIN LATERAL (SELECT one.own -> 'value') AS each (value)
    WHERE one.member IN ('low_balance', 'recovered_at', 'overdraft_limit', 'topup')
),
newest AS (
    SELECT account_id, unit, member, max(occurred_at) AS at
    FROM said
    GROUP BY account_id, unit, member
)
SELECT format('account %s: %s', coalesce(account.name, '#' || both_sides.account_id), wrong.says)
FROM (
    SELECT account_id, unit, member, kept.source, kept.id, kept.at, kept.value,
        newest.at AS newest_at
    FROM kept
    FULL JOIN newest USING (account_id, unit, member)
) AS both_sides
LEFT JOIN said USING (account_id, unit, member, source, id)
LEFT JOIN account USING (account_id)
CROSS JOIN LATERAL (SELECT concat_ws(' in ', member, nullif(unit, '')) AS what) AS called
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN both_sides.source IS NULL AND both_sides.value IS NOT NULL
            AND (member, both_sides.value) <> ('kind', 'member')
        THEN format('its %s is %s, and no event says so', what, both_sides.value) END,
    CASE WHEN both_sides.source IS NOT NULL AND said.occurred_at IS NULL
        THEN format('its %s is by %s/%s, which does not say it', what, both_sides.source,
            both_sides.id) END,
    CASE WHEN said.value IS DISTINCT FROM both_sides.value AND said.occurred_at IS NOT NULL
        THEN format('its %s is %s but %s/%s says %s', what,
            coalesce(both_sides.value, 'that of the catalog'), both_sides.source, both_sides.id,
            coalesce(said.value, 'that of the catalog')) END,
    CASE WHEN INTERVAL '2 microseconds'
            < greatest(said.occurred_at, both_sides.at) - least(said.occurred_at, both_sides.at)
        THEN format('its %s is of %s but %s/%s of %s', what, both_sides.at, both_sides.source,
            both_sides.id, said.occurred_at) END,
    CASE WHEN coalesce(both_sides.at, '-infinity') + INTERVAL '2 microseconds' < newest_at
        THEN format('its %s is older than what was said of it at %s', what, newest_at) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
