-- Semantics 10.1: balance = sum of entries = sum of open lots - overdraft; what is pending = sum of
-- its entries = sum of pending lots; the last numbers are the last ones.
WITH moved AS (
    SELECT
        account_id,
        unit,
        coalesce(sum(credits) FILTER (WHERE NOT pending), 0) AS balance,
        coalesce(sum(credits) FILTER (WHERE pending), 0) AS pending,
        coalesce(-sum(credits) FILTER (WHERE lot_no IS NULL), 0) AS overdraft,
        max(seq) AS last
    FROM entry
    GROUP BY account_id, unit
),
held AS (
    SELECT account_id, unit, sum(remaining) FILTER (WHERE open AND NOT pending) AS remaining,
        sum(remaining) FILTER (WHERE open AND pending) AS pending, count(*) AS lots, max(lot_no) AS last
    FROM lot
    GROUP BY account_id, unit
),
repaid AS (
    SELECT account_id, unit, count(*) AS repayments, max(repayment_no) AS last
    FROM repayment
    GROUP BY account_id, unit
)
SELECT format('balance %s/%s: %s',
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, wrong.says)
FROM (
    SELECT
        account_id,
        unit,
        balance.balance IS NOT NULL AS is_there,
        balance.balance,
        balance.overdraft,
        balance.pending,
        balance.entry_seq,
        balance.last_lot,
        balance.last_repayment,
        balance.peak,
        balance.held AS was_held,
        coalesce(held.remaining, 0) > 0 AS is_held,
        coalesce(moved.balance, 0) AS entries_balance,
        coalesce(moved.overdraft, 0) AS entries_overdraft,
        coalesce(moved.pending, 0) AS entries_pending,
        coalesce(moved.last, 0) AS entries_last,
        coalesce(held.remaining, 0) AS held,
        coalesce(held.pending, 0) AS held_pending,
        coalesce(held.lots, 0) AS lots,
        coalesce(held.last, 0) AS lots_last,
        coalesce(repaid.repayments, 0) AS repayments,
        coalesce(repaid.last, 0) AS repayments_last
    FROM balance
    FULL JOIN moved USING (account_id, unit)
    FULL JOIN held USING (account_id, unit)
    FULL JOIN repaid USING (account_id, unit)
) AS kept
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN NOT is_there THEN 'it has entries, lots or repayments but does not exist' END,
    CASE WHEN balance <> entries_balance
        THEN format('balance %s but its entries add up to %s',
            trim_scale(whole_units(balance, decimals)),
            trim_scale(whole_units(entries_balance, decimals))) END,
    CASE WHEN balance <> held - overdraft
        THEN format('balance %s but its open lots hold %s and its overdraft is %s',
            trim_scale(whole_units(balance, decimals)),
            trim_scale(whole_units(held, decimals)),
            trim_scale(whole_units(overdraft, decimals))) END,
    CASE WHEN overdraft <> entries_overdraft
        THEN format('overdraft %s but its entries add up to %s',
            trim_scale(whole_units(overdraft, decimals)),
            trim_scale(whole_units(entries_overdraft, decimals))) END,
    CASE WHEN pending <> entries_pending
        THEN format('pending %s but its entries add up to %s',
            trim_scale(whole_units(pending, decimals)),
            trim_scale(whole_units(entries_pending, decimals))) END,
    CASE WHEN pending <> held_pending
        THEN format('pending %s but its pending lots hold %s',
            trim_scale(whole_units(pending, decimals)),
            trim_scale(whole_units(held_pending, decimals))) END,
    CASE WHEN overdraft < 0 THEN 'the overdraft is negative' END,
    CASE WHEN entry_seq <> entries_last
        THEN format('says that its last entry is %s but it is %s', entry_seq, entries_last) END,
    CASE WHEN last_lot <> lots_last OR lots <> lots_last
        THEN format('says that its last lot is %s but it has %s lots up to number %s',
            last_lot, lots, lots_last) END,
    CASE WHEN last_repayment <> repayments_last OR repayments <> repayments_last
        THEN format('says that its last repayment is %s but it has %s up to number %s',
            last_repayment, repayments, repayments_last) END,
    CASE WHEN peak < balance
        THEN format('balance %s but it is said to have been %s at most',
            trim_scale(whole_units(balance, decimals)), trim_scale(whole_units(peak, decimals))) END,
    CASE WHEN is_held AND NOT was_held THEN 'has open lots but is said to have held none' END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
