-- Semantics 8.1: an account's notices are numbered from 1 without a gap. Nothing prunes notices
-- yet; what will has to record up to which number it did.
SELECT format('account %s: %s', coalesce(numbered.name, '#' || numbered.account_id), wrong.says)
FROM (
    SELECT account_id, account.name, account.notice_sequence,
        coalesce(told.notices, 0) AS notices, coalesce(told.first, 1) AS first,
        coalesce(told.last, 0) AS last
    FROM account
    FULL JOIN (
        SELECT account_id, count(*) AS notices, min(sequence) AS first, max(sequence) AS last
        FROM notice
        WHERE account_id IS NOT NULL
        GROUP BY account_id
    ) AS told USING (account_id)
) AS numbered
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN notice_sequence <> last
        THEN format('says that its last notice is %s but it is %s', notice_sequence, last) END,
    CASE WHEN first <> 1 OR notices <> last - first + 1
        THEN format('has %s notices numbered %s to %s', notices, first, last) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
