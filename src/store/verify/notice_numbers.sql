-- Semantics 8.1: an account's notices are numbered from 1 without a gap. Behind the horizon those
-- that were published may be gone, oldest first.
WITH kept_from AS (
    SELECT max(pruned_before) AS at FROM notice_horizon
)
SELECT format('account %s: %s', coalesce(numbered.name, '#' || numbered.account_id), wrong.says)
FROM (
    SELECT account_id, account.name, account.notice_sequence,
        coalesce(told.notices, 0) AS notices, told.first, told.last
    FROM account
    FULL JOIN (
        SELECT account_id, count(*) AS notices, min(sequence) AS first, max(sequence) AS last
        FROM notice
        WHERE account_id IS NOT NULL
        GROUP BY account_id
    ) AS told USING (account_id)
) AS numbered
CROSS JOIN kept_from
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN notice_sequence <> coalesce(last, 0) AND (last IS NOT NULL OR at IS NULL)
        THEN format('says that its last notice is %s but it is %s', notice_sequence,
            coalesce(last, 0)) END,
    CASE WHEN (first <> 1 AND at IS NULL) OR notices <> last - first + 1
        THEN format('has %s notices numbered %s to %s', notices, first, last) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
