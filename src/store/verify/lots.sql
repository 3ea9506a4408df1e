-- Semantics 10.1: 0 <= remaining <= granted, and all figures of a lot are what its entries
-- add up to. What a reset forfeited is less what its reversal gave back; what of it counts as
-- taken back is what its purchase's slices say.
WITH moved AS (
    SELECT
        account_id,
        unit,
        lot_no,
        sum(credits) AS remaining,
        coalesce(sum(credits)
            FILTER (WHERE kind = 'granted' OR (kind IN ('carried', 'adjusted') AND 0 < credits)),
            0) AS granted,
        coalesce(-sum(credits)
            FILTER (WHERE kind = 'forfeited' OR (kind = 'carried' AND credits < 0)), 0)
            AS forfeited,
        coalesce(-sum(credits) FILTER (WHERE kind = 'expired'), 0) AS expired,
        count(*) FILTER (WHERE kind = 'opened' AND NOT pending) AS openings,
        count(*) FILTER (WHERE kind = 'opened' AND pending) AS departures,
        coalesce(bool_or(pending) FILTER (WHERE kind = 'granted'), false) AS was_pending
    FROM entry
    WHERE lot_no IS NOT NULL
    GROUP BY account_id, unit, lot_no
),
back AS (
    SELECT account_id, unit, lot_no, sum(restored) AS restored
    FROM forfeit
    GROUP BY account_id, unit, lot_no
),
counted AS (
    SELECT purchase.account_id, line.unit, line.lot_no, sum(slice.credits - slice.returned) AS lapsed
    FROM revocation AS slice
    JOIN purchase_line AS line
        ON line.purchase_id = slice.purchase_id AND line.line_no = slice.line_no
    JOIN purchase ON purchase.purchase_id = slice.purchase_id
    WHERE slice.source = 'lapsed'
    GROUP BY purchase.account_id, line.unit, line.lot_no
)
SELECT format('lot %s/%s/%s: %s',
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, kept.lot_no, wrong.says)
FROM (
    SELECT
        account_id,
        unit,
        lot_no,
        lot.open,
        lot.granted,
        lot.remaining,
        lot.forfeited,
        lot.counted,
        lot.expired,
        lot.pending,
        lot.granted IS NOT NULL AS is_there,
        coalesce(moved.granted, 0) AS entries_granted,
        coalesce(moved.remaining, 0) AS entries_remaining,
        coalesce(moved.forfeited, 0) - coalesce(back.restored, 0) AS entries_forfeited,
        coalesce(counted.lapsed, 0) AS slices_lapsed,
        coalesce(moved.expired, 0) AS entries_expired,
        moved.openings,
        moved.departures,
        moved.was_pending
    FROM lot
    FULL JOIN moved USING (account_id, unit, lot_no)
    LEFT JOIN back USING (account_id, unit, lot_no)
    LEFT JOIN counted USING (account_id, unit, lot_no)
) AS kept
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN NOT is_there THEN 'it has entries but does not exist' END,
    CASE WHEN remaining < 0 OR granted < remaining
        THEN format('remaining %s is not between 0 and the granted %s',
            trim_scale(whole_units(remaining, decimals)),
            trim_scale(whole_units(granted, decimals))) END,
    CASE WHEN remaining <> entries_remaining
        THEN format('remaining %s but its entries add up to %s',
            trim_scale(whole_units(remaining, decimals)),
            trim_scale(whole_units(entries_remaining, decimals))) END,
    CASE WHEN granted <> entries_granted
        THEN format('granted %s but its entries granted %s',
            trim_scale(whole_units(granted, decimals)),
            trim_scale(whole_units(entries_granted, decimals))) END,
    CASE WHEN forfeited <> entries_forfeited
        THEN format('forfeited %s but its entries forfeited %s',
            trim_scale(whole_units(forfeited, decimals)),
            trim_scale(whole_units(entries_forfeited, decimals))) END,
    CASE WHEN counted <> slices_lapsed
        THEN format('%s of what it lost count as taken back, but its purchase says %s',
            trim_scale(whole_units(counted, decimals)),
            trim_scale(whole_units(slices_lapsed, decimals))) END,
    CASE WHEN expired <> entries_expired
        THEN format('expired %s but its entries expired %s',
            trim_scale(whole_units(expired, decimals)),
            trim_scale(whole_units(entries_expired, decimals))) END,
    CASE WHEN pending AND NOT was_pending THEN 'is pending but was granted open' END,
    CASE WHEN openings <> departures OR openings <> (was_pending AND NOT pending)::INTEGER
        THEN format('opened %s times and left what is pending %s times', openings, departures) END,
    CASE WHEN open <> (0 < remaining)
        THEN format('is marked %s with %s remaining',
            CASE WHEN open THEN 'open' ELSE 'closed' END,
            trim_scale(whole_units(remaining, decimals))) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
