-- Semantics 10.2: what is reversed of a line is what its slices add up to, and what the record of
-- its reversals adds up to.
WITH slice AS (
    SELECT
        purchase_id,
        line_no,
        coalesce(sum(credits - returned) FILTER (WHERE source <> 'shortfall'), 0) AS reversed,
        coalesce(sum(credits - returned) FILTER (WHERE source = 'shortfall'), 0) AS shortfall,
        count(*) AS slices,
        max(revocation_no) AS last
    FROM revocation
    GROUP BY purchase_id, line_no
),
logged AS (
    SELECT purchase_id, line_no, sum(credits) AS reversed, sum(shortfall) AS shortfall,
        sum(minor) AS minor,
        count(*) FILTER (WHERE NOT EXISTS (
            SELECT FROM inbox WHERE inbox.event_key = reversal.event_key)) AS causeless
    FROM reversal
    GROUP BY purchase_id, line_no
)
SELECT format('line %s of purchase %s: %s', kept.line_no,
    coalesce((SELECT min(reference.kind || ' ' || reference.value)
        FROM purchase_reference AS reference
        WHERE reference.purchase_id = kept.purchase_id), '#' || kept.purchase_id),
    wrong.says)
FROM (
    SELECT
        purchase_id,
        line_no,
        line.granted,
        line.reversed,
        line.shortfall,
        line.reversed_minor,
        line.unit,
        coalesce(slice.reversed, 0) AS slices_reversed,
        coalesce(slice.shortfall, 0) AS slices_shortfall,
        coalesce(slice.slices, 0) AS slices,
        coalesce(slice.last, 0) AS slices_last,
        coalesce(logged.reversed, 0) AS logged_reversed,
        coalesce(logged.shortfall, 0) AS logged_shortfall,
        coalesce(logged.minor, 0) AS logged_minor,
        coalesce(logged.causeless, 0) AS causeless
    FROM purchase_line AS line
    FULL JOIN slice USING (purchase_id, line_no)
    FULL JOIN logged USING (purchase_id, line_no)
) AS kept
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN granted IS NULL THEN 'was reversed but does not exist' END,
    CASE WHEN reversed < 0 OR granted < reversed
        THEN format('reversed %s is not between 0 and the granted %s',
            trim_scale(whole_units(reversed, decimals)),
            trim_scale(whole_units(granted, decimals))) END,
    CASE WHEN reversed <> slices_reversed
        THEN format('reversed %s but %s was taken from somewhere',
            trim_scale(whole_units(reversed, decimals)),
            trim_scale(whole_units(slices_reversed, decimals))) END,
    CASE WHEN shortfall <> slices_shortfall
        THEN format('shortfall %s but its slices add up to %s',
            trim_scale(whole_units(shortfall, decimals)),
            trim_scale(whole_units(slices_shortfall, decimals))) END,
    CASE WHEN slices <> slices_last
        THEN format('its %s slices are numbered up to %s', slices, slices_last) END,
    CASE WHEN reversed <> logged_reversed
        THEN format('reversed %s but its events reversed %s',
            trim_scale(whole_units(reversed, decimals)),
            trim_scale(whole_units(logged_reversed, decimals))) END,
    CASE WHEN shortfall <> logged_shortfall
        THEN format('shortfall %s but its events fell short by %s',
            trim_scale(whole_units(shortfall, decimals)),
            trim_scale(whole_units(logged_shortfall, decimals))) END,
    CASE WHEN reversed_minor <> logged_minor
        THEN format('%s minor units of its money went back, but its events say %s',
            reversed_minor, logged_minor) END,
    CASE WHEN 0 < causeless THEN 'an event that reversed it is not in the inbox' END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
