-- Semantics 9.3 and 10.3: what left the desk did so by a command, or by an event that was sent under
-- the same name, and its outcome says so.
SELECT format('event %s: %s', coalesce(desk.source || '/' || desk.id, desk.event_key::TEXT),
    wrong.says)
FROM (
    SELECT listed.event_key, inbox.source, inbox.id, inbox.outcome, inbox.reason, parked.state,
        closer.event_key AS closer, closer.source AS closer_source, closer.id AS closer_id,
        closer.type AS closer_type, closer.outcome AS closer_outcome,
        closer.reason AS closer_reason,
        parked.newest IS NOT NULL AND (newest.source, newest.id)
            IS DISTINCT FROM (inbox.source, inbox.id) AS is_led_astray,
        listed.is_counted AND inbox.event_key IS NULL AS is_counted_alone,
        -- What waited for its payment was given up without ever being on the desk.
        inbox.reason = 'discarded' AND forgotten.id IS NOT NULL AS is_forgotten
    FROM (
        SELECT event_key, bool_or(is_counted) AS is_counted
        FROM (
            SELECT event_key, false AS is_counted
            FROM parked
            WHERE state <> 'open' OR newest IS NOT NULL
            UNION ALL
            SELECT event_key, false FROM inbox WHERE outcome = 'ignored' AND reason IS NOT NULL
            UNION ALL
            SELECT event_key, true FROM redelivery
        ) AS each
        GROUP BY event_key
    ) AS listed
    LEFT JOIN inbox ON inbox.event_key = listed.event_key
    LEFT JOIN parked ON parked.event_key = listed.event_key
    LEFT JOIN inbox AS closer ON closer.event_key = parked.closed_by
    LEFT JOIN inbox AS newest ON newest.event_key = parked.newest
    LEFT JOIN inbox AS forgotten ON forgotten.source = 'creditd'
        AND forgotten.type = 'event.discarded'
        AND forgotten.reason = 'discarded'
        AND forgotten.id = 'forget:' || replace(listed.event_key::TEXT, '-', '')
) AS desk
CROSS JOIN LATERAL unnest(ARRAY[
    CASE WHEN state <> 'open' AND closer IS NULL
        THEN format('was %s by nobody', state) END,
    CASE WHEN state = 'released' AND (closer_source, closer_type, closer_outcome, closer_reason)
            IS DISTINCT FROM ('creditd', 'event.released', 'applied', 'released')
        THEN 'was released by what is no command to release' END,
    CASE WHEN state = 'discarded' AND (closer_source, closer_type, closer_outcome, closer_reason)
            IS DISTINCT FROM ('creditd', 'event.discarded', 'applied', 'discarded')
        THEN 'was discarded by what is no command to discard' END,
    CASE WHEN state = 'superseded'
            AND ((closer_source, closer_id) IS DISTINCT FROM (source, id) OR closer = event_key)
        THEN 'was superseded by an event of another name' END,
    CASE WHEN state IN ('discarded', 'superseded')
            AND (outcome, reason) IS DISTINCT FROM ('ignored', state)
        THEN format('was %s and ended as %s', state, concat_ws(' ', outcome, reason)) END,
    CASE WHEN outcome = 'ignored' AND reason IS NOT NULL AND reason IS DISTINCT FROM state
            AND NOT is_forgotten
        THEN format('ended as %s and was not on the desk', reason) END,
    CASE WHEN is_led_astray THEN 'leads to a newest event of another name' END,
    CASE WHEN is_counted_alone THEN 'is counted as redelivered and never came' END
]) AS wrong(says)
WHERE wrong.says IS NOT NULL
