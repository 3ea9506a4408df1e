-- Semantics 10.1: entries are numbered without a gap, and each balance follows from the one before.
-- One that moves what is pending leaves the balance as it is. What opens moves from one to the other.
SELECT format('entry %s/%s/%s: %s',
    coalesce((SELECT name FROM account WHERE account.account_id = chained.account_id),
        '#' || chained.account_id),
    chained.unit, chained.seq, wrong.says)
FROM (
    SELECT
        account_id,
        unit,
        seq,
        kind,
        pending,
        lot_no,
        credits,
        CASE WHEN pending THEN 0 ELSE credits END AS moved,
        balance_after,
        lag(seq, 1, 0::BIGINT) OVER following AS seq_before,
        lag(balance_after, 1, 0::BIGINT) OVER following AS balance_before,
        lag(ROW (kind, pending, lot_no, -credits)::TEXT) OVER following AS entry_before
    FROM entry
    WINDOW following AS (PARTITION BY account_id, unit ORDER BY seq)
) AS chained
LEFT JOIN unit AS scale ON scale.unit = chained.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN seq <> seq_before + 1
        THEN format('follows %s, so %s missing', seq_before,
            CASE seq - seq_before - 1
                WHEN 1 THEN 'one entry is'
                ELSE format('%s entries are', seq - seq_before - 1) END) END,
    CASE WHEN seq = seq_before + 1 AND balance_after <> balance_before::NUMERIC + moved
        THEN format('balance after it %s but %s before it and %s moved',
            trim_scale(whole_units(balance_after, decimals)),
            trim_scale(whole_units(balance_before, decimals)),
            trim_scale(whole_units(moved, decimals))) END,
    CASE WHEN kind = 'opened' AND NOT pending
            AND entry_before IS DISTINCT FROM ROW (kind, true, lot_no, credits)::TEXT
        THEN 'opened what was not pending before' END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
