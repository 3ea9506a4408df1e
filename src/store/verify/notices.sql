-- Semantics 8.1, 10.4: a notice names its account and the event that caused it, and was confirmed
-- after it was written.
SELECT format('notice %s of %s: %s', kept.sequence, coalesce(kept.account, 'nobody'), wrong.says)
FROM (
    SELECT notice.sequence, notice.account, notice.type, notice.recorded_at, notice.published_at,
        notice.source || '/' || notice.id AS event, account.name,
        inbox.source || '/' || inbox.id AS inbox_event
    FROM notice
    LEFT JOIN account ON account.account_id = notice.account_id
    LEFT JOIN inbox ON inbox.event_key = notice.event_key
) AS kept
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN account <> name THEN format('its account is called %s', name) END,
    CASE WHEN inbox_event IS NULL
        THEN format('its event %s is not in the inbox', event) END,
    CASE WHEN inbox_event <> event
        THEN format('names event %s but was caused by %s', event, inbox_event) END,
    CASE WHEN published_at < recorded_at
        THEN format('was published at %s, before it was written at %s',
            published_at, recorded_at) END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
