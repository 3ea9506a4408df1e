-- The lot of a purchase and the line that it was granted for name each other, and the lot is as the
-- line's terms say (semantics 4.13).
SELECT format('line %s of purchase %s: %s',
    coalesce(kept.line_no::TEXT, '?'),
    coalesce((SELECT min(reference.kind || ' ' || reference.value)
        FROM purchase_reference AS reference
        WHERE reference.purchase_id = kept.purchase_id), '#' || kept.purchase_id),
    wrong.says)
FROM (
    SELECT
        purchase_id,
        unit,
        lot_no,
        line.line_no,
        lot.granted IS NOT NULL AS is_there,
        lot.granted AS lot_granted,
        line.granted AS line_granted,
        lot.cost_minor,
        lot.currency,
        line.paid_minor,
        line.paid_in,
        lot.package AS lot_package,
        line.package AS line_package,
        lot.family,
        lot.promotional,
        lot.priority,
        to_jsonb(lot.applies_to) AS applies_to,
        lot.expires_at,
        line.terms,
        coalesce(line.terms->>'expires', 'never') AS expires,
        line.period_end
    FROM (SELECT * FROM lot WHERE purchase_id IS NOT NULL) AS lot
    FULL JOIN (
        SELECT purchase.account_id, purchase.currency AS paid_in, line.*
        FROM purchase_line AS line
        JOIN purchase ON purchase.purchase_id = line.purchase_id
        WHERE line.lot_no IS NOT NULL
    ) AS line USING (account_id, unit, lot_no, purchase_id)
) AS kept
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN line_no IS NULL
        THEN format('lot %s of %s belongs to no line of it', lot_no, kept.unit) END,
    CASE WHEN NOT is_there
        THEN format('its lot %s of %s does not exist, or belongs to another purchase',
            lot_no, kept.unit) END,
    CASE WHEN lot_granted <> line_granted
        THEN format('granted %s but its lot %s of %s was granted %s',
            trim_scale(whole_units(line_granted, decimals)), lot_no, kept.unit,
            trim_scale(whole_units(lot_granted, decimals))) END,
    CASE WHEN is_there AND line_no IS NOT NULL
            AND (paid_minor, paid_in) IS DISTINCT FROM (cost_minor, currency)
        THEN format('cost %s minor units of %s but its lot %s of %s says %s of %s',
            paid_minor, paid_in, lot_no, kept.unit, coalesce(cost_minor::TEXT, 'nothing'),
            coalesce(currency, 'nothing')) END,
    CASE WHEN lot_package <> line_package
        THEN format('is package %s but its lot %s of %s is %s',
            line_package, lot_no, kept.unit, lot_package) END,
    CASE WHEN terms->>'family' <> family
        THEN format('is of family %s but its lot %s of %s is of %s',
            terms->>'family', lot_no, kept.unit, family) END,
    CASE WHEN (terms->>'promotional')::BOOLEAN <> promotional
        THEN format('its lot %s of %s is promotional, or paid, against its terms', lot_no,
            kept.unit) END,
    CASE WHEN (terms->>'priority')::SMALLINT <> priority
        THEN format('has priority %s but its lot %s of %s has %s',
            terms->>'priority', lot_no, kept.unit, priority) END,
    CASE WHEN terms->'applies_to' <> applies_to
        THEN format('is for meters %s but its lot %s of %s is for %s',
            terms->'applies_to', lot_no, kept.unit, applies_to) END,
    CASE WHEN is_there AND expires = 'never' AND expires_at IS NOT NULL
        THEN format('never expires but its lot %s of %s does', lot_no, kept.unit) END,
    CASE WHEN is_there AND expires <> 'never' AND expires_at IS NULL
        THEN format('expires but its lot %s of %s does not', lot_no, kept.unit) END,
    CASE WHEN expires = 'period_end' AND expires_at <> period_end
        THEN format('ends at %s but its lot %s of %s expires at %s',
            period_end, lot_no, kept.unit, expires_at) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
UNION ALL
SELECT format('line %s of purchase #%s: granted %s steps without a lot', line_no, purchase_id,
    granted)
FROM purchase_line
WHERE granted <> 0 AND lot_no IS NULL
UNION ALL
SELECT format('lot %s of %s of account %s: cost %s minor units of %s, but nobody bought it', lot_no,
    unit, coalesce((SELECT name FROM account WHERE account.account_id = lot.account_id),
        '#' || account_id), cost_minor, currency)
FROM lot
WHERE purchase_id IS NULL AND cost_minor IS NOT NULL
