-- Semantics 10.4: latch flips alternate per threshold and agree with the recorded balances.
SELECT format('%s of %s/%s at entry %s: %s',
    CASE WHEN flip.threshold IS NULL THEN 'depletion'
        ELSE format('threshold %s', trim_scale(whole_units(flip.threshold, decimals))) END,
    coalesce((SELECT name FROM account WHERE account.account_id = flip.account_id),
        '#' || flip.account_id),
    flip.unit, flip.entry_seq, wrong.says)
FROM (
    SELECT *,
        lag(latched, 1, false) OVER (
            PARTITION BY account_id, unit, threshold
            ORDER BY flip_no
        ) AS was_latched
    FROM latch_flip
) AS flip
LEFT JOIN entry
    ON entry.account_id = flip.account_id AND entry.unit = flip.unit AND entry.seq = flip.entry_seq
LEFT JOIN unit AS scale ON scale.unit = flip.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN flip.latched = flip.was_latched
        THEN CASE WHEN flip.latched THEN 'was latched twice in a row'
            ELSE 'was let go without having been latched' END END,
    CASE WHEN flip.balance IS DISTINCT FROM entry.balance_after
        THEN format('was judged with a balance of %s, but the entry left %s',
            trim_scale(whole_units(flip.balance, decimals)),
            coalesce(trim_scale(whole_units(entry.balance_after, decimals))::TEXT,
                'nothing: it does not exist')) END,
    CASE WHEN flip.latched AND flip.threshold <= flip.balance
            OR flip.threshold IS NULL AND flip.latched = (0 < flip.balance)
        THEN format('was %s with a balance of %s',
            CASE WHEN flip.latched THEN 'latched' ELSE 'let go' END,
            trim_scale(whole_units(flip.balance, decimals))) END,
    CASE WHEN NOT EXISTS (SELECT FROM inbox WHERE inbox.event_key = flip.event_key)
        THEN 'the event that flipped it is not in the inbox' END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
