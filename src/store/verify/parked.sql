-- Semantics 9.2, 9.3: what is open on the desk is what the inbox calls parked, told of once, as far
-- back as notices are kept.
WITH kept_from AS (
    SELECT coalesce(max(pruned_before), '-infinity') AS at FROM notice_horizon
),
told AS (
    SELECT event_key, count(*) AS notices
    FROM notice
    WHERE type = 'event.parked'
    GROUP BY event_key
)
SELECT format('event %s: %s', coalesce(desk.source || '/' || desk.id, desk.event_key::TEXT),
    wrong.says)
FROM (
    SELECT event_key, inbox.source, inbox.id, inbox.outcome, inbox.reason,
        parked.state, parked.reason AS parked_reason, parked.called,
        coalesce(parked.parked_at, inbox.received_at) AS parked_at, coalesce(told.notices, 0) AS notices
    FROM (SELECT * FROM inbox WHERE outcome = 'parked') AS inbox
    FULL JOIN parked USING (event_key)
    FULL JOIN told USING (event_key)
) AS desk
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN outcome IS NOT NULL AND state IS NULL
        THEN 'ended as parked but is not among the parked events' END,
    CASE WHEN outcome IS NOT NULL AND state <> 'open'
        THEN format('was %s, but its outcome is still that it is parked', state) END,
    CASE WHEN outcome IS NULL AND state = 'open'
        THEN 'is open among the parked events but did not end as parked' END,
    CASE WHEN reason <> parked_reason
        THEN format('was parked as %s in the inbox and as %s among the parked events',
            reason, parked_reason) END,
    CASE WHEN called IS DISTINCT FROM source || '/' || id AND num_nulls(outcome, state) = 0
        THEN format('is found as %s', coalesce(called, 'nothing')) END,
    CASE WHEN outcome IS NOT NULL AND notices = 0 AND (SELECT at FROM kept_from) <= parked_at
        THEN 'was parked and no event.parked tells of it' END,
    CASE WHEN 0 < notices AND outcome IS NULL AND state IS NULL
        THEN 'an event.parked tells of it but it was not parked' END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
