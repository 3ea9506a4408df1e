-- Where the slices of purchases, the repayments, the forfeits and the reversals of usage say that
-- credits were taken from and returned to, there are entries for exactly that.
WITH moved AS (
    SELECT
        account_id,
        unit,
        lot_no,
        coalesce(-sum(credits) FILTER (WHERE kind = 'revoked'), 0) AS revoked,
        coalesce(sum(credits) FILTER (WHERE kind = 'restored'), 0) AS restored,
        -- What lots paid into the overdraft; of the overdraft, what a reset forgave.
        coalesce(-sum(credits) FILTER (WHERE kind = 'repaid'), 0)
            + coalesce(sum(credits) FILTER (WHERE kind = 'forgiven'), 0) AS repaid
    FROM entry
    WHERE kind IN ('revoked', 'restored', 'repaid', 'forgiven')
        AND (lot_no IS NOT NULL OR kind IN ('revoked', 'forgiven'))
    GROUP BY account_id, unit, lot_no
),
-- What usage took from where, and how much of that is newer.
drawn AS (
    SELECT entry.account_id, entry.unit, entry.lot_no, -entry.credits AS taken,
        inbox.uncovered - coalesce(sum(entry.credits) OVER newer, 0) AS newer, reversed.credits
    FROM (
        SELECT usage_key, sum(credits) AS credits
        FROM usage_reversal
        WHERE 0 < credits
        GROUP BY usage_key
    ) AS reversed
    LEFT JOIN parked ON parked.event_key = reversed.usage_key
    JOIN inbox ON inbox.event_key = coalesce(parked.newest, reversed.usage_key)
    JOIN entry ON entry.account_id = inbox.account_id AND entry.unit = inbox.unit
        AND entry.seq BETWEEN inbox.entry_first AND inbox.entry_last
        AND entry.kind IN ('used', 'overdrawn')
    WINDOW newer AS (
        PARTITION BY reversed.usage_key
        ORDER BY entry.seq DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
said AS (
    SELECT account_id, unit, lot_no, sum(revoked) AS revoked, sum(restored) AS restored,
        sum(repaid) AS repaid
    FROM (
        SELECT purchase.account_id, line.unit, slice.lot_no,
            slice.credits AS revoked,
            CASE WHEN slice.lot_no IS NOT NULL THEN slice.returned ELSE 0 END AS restored,
            0 AS repaid
        FROM revocation AS slice
        JOIN purchase_line AS line
            ON line.purchase_id = slice.purchase_id AND line.line_no = slice.line_no
        JOIN purchase ON purchase.purchase_id = slice.purchase_id
        WHERE slice.source IN ('lot', 'overdraft')
        UNION ALL
        SELECT account_id, unit, lot_no, 0,
            CASE WHEN lot_no IS NOT NULL THEN returned ELSE 0 END, credits
        FROM repayment
        UNION ALL
        SELECT account_id, unit, lot_no, 0, restored, 0
        FROM forfeit
        UNION ALL
        SELECT account_id, unit, lot_no, 0, least(taken, credits - newer), 0
        FROM drawn
        WHERE lot_no IS NOT NULL AND newer < credits
    ) AS movement
    GROUP BY account_id, unit, lot_no
)
SELECT format('%s: %s',
    CASE WHEN 0 < kept.place
        THEN format('lot %s/%s/%s', coalesce(account.name, '#' || kept.account_id), kept.unit,
            kept.place)
        ELSE format('overdraft %s/%s', coalesce(account.name, '#' || kept.account_id), kept.unit)
    END,
    wrong.says)
FROM (
    SELECT
        account_id,
        unit,
        place,
        coalesce(moved.revoked, 0) AS revoked,
        coalesce(moved.restored, 0) AS restored,
        coalesce(moved.repaid, 0) AS repaid,
        coalesce(said.revoked, 0) AS said_revoked,
        coalesce(said.restored, 0) AS said_restored,
        coalesce(said.repaid, 0) AS said_repaid
    -- Place 0 is the overdraft, which has no number.
    FROM (SELECT *, coalesce(lot_no, 0) AS place FROM moved) AS moved
    FULL JOIN (SELECT *, coalesce(lot_no, 0) AS place FROM said) AS said
        USING (account_id, unit, place)
) AS kept
LEFT JOIN account ON account.account_id = kept.account_id
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN revoked <> said_revoked
        THEN format('its entries revoked %s but its purchases took %s',
            trim_scale(whole_units(revoked, decimals)),
            trim_scale(whole_units(said_revoked, decimals))) END,
    CASE WHEN restored <> said_restored
        THEN format('its entries restored %s but %s was returned to it',
            trim_scale(whole_units(restored, decimals)),
            trim_scale(whole_units(said_restored, decimals))) END,
    CASE WHEN repaid <> said_repaid
        THEN format('its entries repaid %s but its repayments add up to %s',
            trim_scale(whole_units(repaid, decimals)),
            trim_scale(whole_units(said_repaid, decimals))) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
