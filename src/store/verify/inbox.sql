-- Semantics 10.3 and 10.5: an applied event has entries or says why not, and its message is kept
-- unless the row says all that it said.
SELECT format('event %s/%s: %s', inbox.source, inbox.id, wrong.says)
FROM inbox
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN inbox.reason IS NULL AND inbox.entry_first IS NULL AND NOT EXISTS (
            SELECT FROM posting WHERE posting.event_key = inbox.event_key)
        THEN 'was applied but has neither entries nor a reason for none' END,
    CASE WHEN inbox.cost IS NULL AND inbox.body IS NULL
        THEN 'was applied but its message was not kept' END,
    CASE WHEN inbox.cost IS NOT NULL
            AND num_nulls(inbox.account_id, inbox.unit, inbox.quantity, inbox.uncovered) <> 0
        THEN 'is usage without an account, a unit, a quantity or what was uncovered' END
]) AS wrong(says)
WHERE inbox.outcome = 'applied' AND wrong.says IS NOT NULL
