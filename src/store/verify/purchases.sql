-- A purchase is found by its references alone, and a paid one has lines.
SELECT format('purchase %s: %s',
    coalesce((SELECT min(reference.kind || ' ' || reference.value)
        FROM purchase_reference AS reference
        WHERE reference.purchase_id = known.purchase_id), '#' || known.purchase_id),
    wrong.says)
FROM (
    SELECT
        purchase_id,
        purchase.first_seen_at IS NOT NULL AS is_there,
        purchase.account_id IS NOT NULL AS is_paid,
        (SELECT account.account_id FROM account
            WHERE account.account_id = purchase.account_id) AS account_id,
        coalesce(reference.count, 0) AS "references",
        coalesce(line.count, 0) AS lines,
        line.first,
        line.last
    FROM purchase
    FULL JOIN (
        SELECT purchase_id, count(*) FROM purchase_reference GROUP BY purchase_id
    ) AS reference USING (purchase_id)
    FULL JOIN (
        SELECT purchase_id, count(*), min(line_no) AS first, max(line_no) AS last
        FROM purchase_line
        GROUP BY purchase_id
    ) AS line USING (purchase_id)
) AS known
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN NOT is_there THEN 'has references or lines but does not exist' END,
    CASE WHEN is_there AND "references" = 0 THEN 'no reference names it' END,
    CASE WHEN is_paid AND account_id IS NULL THEN 'its account does not exist' END,
    CASE WHEN is_paid AND lines = 0 THEN 'is paid but has no lines' END,
    CASE WHEN NOT is_paid AND 0 < lines THEN 'has lines but is not paid' END,
    CASE WHEN 0 < lines AND (first <> 0 OR last <> lines - 1)
        THEN format('its %s lines are numbered %s to %s', lines, first, last) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
