-- Semantics 10.4: what a balance has latched is what was flipped last.
WITH latched AS (
    SELECT account_id, unit, false AS is_depletion, unnest(latched) AS line
    FROM balance
    UNION ALL
    SELECT account_id, unit, true, 0
    FROM balance
    WHERE depleted
),
flipped AS (
    SELECT account_id, unit, threshold IS NULL AS is_depletion, coalesce(threshold, 0) AS line
    FROM (
        SELECT DISTINCT ON (account_id, unit, threshold) account_id, unit, threshold, latched
        FROM latch_flip
        ORDER BY account_id, unit, threshold, flip_no DESC
    ) AS newest
    WHERE latched
)
SELECT format('balance %s/%s: %s %s',
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit,
    CASE WHEN kept.is_depletion THEN 'depletion'
        ELSE format('threshold %s', trim_scale(whole_units(kept.line, coalesce(
            (SELECT unit.decimals FROM unit WHERE unit.unit = kept.unit), 0)))) END,
    CASE WHEN kept.is_latched THEN 'is latched, but was not flipped so'
        ELSE 'was latched last, but the balance does not say so' END)
FROM (
    SELECT account_id, unit, is_depletion, line, latched.here IS NOT NULL AS is_latched,
        flipped.here IS NOT NULL AS is_flipped
    FROM (SELECT *, true AS here FROM latched) AS latched
    FULL JOIN (SELECT *, true AS here FROM flipped) AS flipped
        USING (account_id, unit, is_depletion, line)
) AS kept
WHERE kept.is_latched <> kept.is_flipped
