-- Semantics 10.3: every entry has exactly one cause. An event names its run of entries in its
-- inbox row (plain usage) or in posting; each run must be exactly the entries that name the event.
-- An entry names one event, so runs that match can't overlap.
WITH span AS (
    SELECT event_key, account_id, unit, entry_first, entry_last, cost, uncovered,
        true AS is_known, outcome, account_id AS event_account, false AS is_double
    FROM inbox
    WHERE entry_first IS NOT NULL OR cost IS NOT NULL
    UNION ALL
    SELECT posting.event_key, posting.account_id, posting.unit, posting.entry_first,
        posting.entry_last, NULL, NULL,
        inbox.event_key IS NOT NULL, inbox.outcome, inbox.account_id,
        inbox.entry_first IS NOT NULL
    FROM posting
    LEFT JOIN inbox ON inbox.event_key = posting.event_key
),
run AS (
    SELECT event_key, account_id, unit, min(seq) AS first, max(seq) AS last, count(*) AS entries,
        -sum(credits) FILTER (WHERE kind IN ('used', 'overdrawn')) AS drawn
    FROM entry
    GROUP BY event_key, account_id, unit
)
SELECT format('event %s in %s/%s: %s',
    coalesce((SELECT source || '/' || id FROM inbox WHERE inbox.event_key = kept.event_key),
        kept.event_key::TEXT),
    coalesce((SELECT name FROM account WHERE account.account_id = kept.account_id),
        '#' || kept.account_id),
    kept.unit, wrong.says)
FROM (
    SELECT
        event_key,
        account_id,
        unit,
        span.is_known,
        span.is_double,
        span.outcome,
        span.event_account,
        span.entry_first,
        span.entry_last,
        span.cost,
        span.uncovered,
        run.first,
        run.last,
        coalesce(run.entries, 0) AS entries,
        coalesce(run.drawn, 0) AS drawn
    FROM span
    FULL JOIN run USING (event_key, account_id, unit)
) AS kept
LEFT JOIN unit AS scale ON scale.unit = kept.unit
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN is_known IS NULL OR (entry_first IS NULL AND 0 < entries)
        THEN format('%s entries from %s to %s name it, but it names none',
            entries, first, last) END,
    CASE WHEN NOT is_known THEN 'has entries but is not in the inbox' END,
    CASE WHEN outcome <> 'applied' AND entry_first IS NOT NULL
        THEN format('has entries but ended as %s', outcome) END,
    CASE WHEN is_double THEN 'names its entries twice, in the inbox and in posting' END,
    CASE WHEN event_account <> account_id
        THEN format('has entries of an account that is not its own, #%s', event_account) END,
    CASE WHEN entry_first IS NOT NULL AND entries = 0
        THEN format('names the entries %s to %s, which do not name it',
            entry_first, entry_last) END,
    CASE WHEN 0 < entries AND (entry_first <> first OR entry_last <> last
            OR entries <> entry_last - entry_first + 1)
        THEN format('names the entries %s to %s, but %s entries from %s to %s name it',
            entry_first, entry_last, entries, first, last) END,
    CASE WHEN cost - uncovered <> drawn
        THEN format('cost %s, of which %s uncovered, but its entries took %s',
            trim_scale(whole_units(cost, decimals)),
            trim_scale(whole_units(uncovered, decimals)),
            trim_scale(whole_units(drawn, decimals))) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
