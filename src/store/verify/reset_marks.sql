-- Semantics 4.3: every reset that is remembered was granted by a line whose terms say so, and took
-- what was there just before; and of those that can't be undone the newest is remembered.
WITH granted AS (
    SELECT purchase.account_id, line.unit, line.lot_no, lot.paid_at, lot.paid_by, lot.pending,
        CASE line.terms #>> '{mode,scope}' WHEN 'unit' THEN '' ELSE lot.family END AS family,
        coalesce((line.terms #>> '{mode,restore_forfeited}')::BOOLEAN, false) AS restores,
        line.reversed + line.shortfall = line.granted AS is_reversed
    FROM purchase_line AS line
    JOIN purchase ON purchase.purchase_id = line.purchase_id
    JOIN lot ON lot.account_id = purchase.account_id AND lot.unit = line.unit
        AND lot.lot_no = line.lot_no
    WHERE line.terms #>> '{mode,mode}' = 'reset'
),
-- Read once: one account may have many of both.
moved AS MATERIALIZED (
    SELECT account_id, unit, lot_no, seq, kind, event_key
    FROM entry
    WHERE NOT pending AND kind IN ('granted', 'opened', 'forfeited')
),
opened AS (
    SELECT granted.*, moved.seq, moved.event_key
    FROM granted
    JOIN moved USING (account_id, unit, lot_no)
    WHERE moved.kind <> 'forfeited'
),
-- One that came late was forfeited with its own posting, and is not remembered.
late AS (
    SELECT DISTINCT account_id, unit, lot_no
    FROM opened
    JOIN moved USING (account_id, unit, lot_no, event_key)
    WHERE moved.kind = 'forfeited'
)
SELECT format('reset of %s/%s in %s, paid at %s by %s: %s',
    coalesce((SELECT name FROM account WHERE account.account_id = wrong.account_id),
        '#' || wrong.account_id),
    wrong.unit, coalesce(nullif(wrong.family, ''), 'all families'), wrong.paid_at, wrong.paid_by,
    wrong.says)
FROM (
    SELECT mark.account_id, mark.unit, mark.family, mark.paid_at, mark.paid_by, each.says
    FROM (
        SELECT mark.*, count(opened.lot_no) AS lots, bool_or(opened.is_reversed) AS is_reversed,
            -- 0: of the first entry, or older than the column.
            mark.swept_at = 0 OR bool_or(mark.swept_at < opened.seq AND NOT EXISTS (
                SELECT FROM entry
                WHERE entry.account_id = mark.account_id AND entry.unit = mark.unit
                    AND entry.seq > mark.swept_at AND entry.seq < opened.seq
                    AND (entry.event_key <> opened.event_key
                        OR entry.kind NOT IN ('forfeited', 'carried', 'forgiven')
                            -- The lot itself leaves what is pending.
                            AND NOT (entry.kind = 'opened' AND entry.pending))
            )) AS is_just_before
        FROM reset_mark AS mark
        LEFT JOIN opened ON opened.account_id = mark.account_id AND opened.unit = mark.unit
            AND opened.family = mark.family AND opened.paid_at = mark.paid_at
            AND opened.paid_by = mark.paid_by
            AND (mark.restores IS NULL
                OR (mark.restores = opened.lot_no AND opened.restores))
        GROUP BY mark.account_id, mark.unit, mark.family, mark.swept_at
    ) AS mark
    CROSS JOIN LATERAL unnest(ARRAY[
        CASE WHEN lots = 0 THEN 'no line granted it' END,
        CASE WHEN 0 < lots AND NOT is_just_before
            THEN format('is said to have come after entry %s', swept_at) END,
        CASE WHEN 0 < lots AND undone AND NOT is_reversed
            THEN 'is said to be undone, but is not fully reversed' END
    ]) AS each (says)
    UNION ALL
    SELECT account_id, unit, family, paid_at, paid_by, 'is not remembered, nor is a newer one'
    FROM opened
    WHERE NOT restores
        AND NOT EXISTS (
            SELECT FROM late
            WHERE (late.account_id, late.unit, late.lot_no)
                = (opened.account_id, opened.unit, opened.lot_no))
        AND NOT EXISTS (
            SELECT FROM reset_mark AS mark
            WHERE (mark.account_id, mark.unit, mark.family)
                    = (opened.account_id, opened.unit, opened.family)
                AND (mark.paid_at, mark.paid_by) >= (opened.paid_at, opened.paid_by))
) AS wrong
WHERE wrong.says IS NOT NULL
