-- The operator's desk: parked events are released, discarded or superseded; events that came again
-- are counted.

ALTER TABLE parked
    -- How often it was released, with success or not; numbers the commands that do it.
    ADD COLUMN tries       INTEGER NOT NULL DEFAULT 0,
    -- The fingerprint that it had when it was released: what could not be read when it came may
    -- mean something by then, and is still the same event.
    ADD COLUMN released_as UUID,
    -- With the first event of a name: the newest that was sent under it as a correction.
    ADD COLUMN newest      UUID,
    -- The command or the corrected event that closed it, and when.
    ADD COLUMN closed_by   UUID,
    ADD COLUMN closed_at   TIMESTAMPTZ,
    ADD CONSTRAINT parked_closed_by_whom
        CHECK ((state = 'open') = (closed_by IS NULL) AND (state = 'open') = (closed_at IS NULL)),
    ADD CONSTRAINT parked_tries_count CHECK (tries >= 0);

-- Events that came again with the same meaning. A row is written only when that happens.
CREATE TABLE redelivery (
    event_key UUID PRIMARY KEY,
    count     BIGINT NOT NULL,
    last_at   TIMESTAMPTZ NOT NULL,
    CONSTRAINT redelivery_counts CHECK (count > 0)
) WITH (fillfactor = 85);

-- What was told of a parked event.
CREATE INDEX notice_of_parked ON notice (event_key) WHERE account_id IS NULL;

CREATE OR REPLACE VIEW creditd_read.parked AS
SELECT
    inbox.source,
    inbox.id AS event_id,
    inbox.type,
    parked.reason,
    parked.detail,
    parked.state,
    inbox.received_at,
    parked.parked_at,
    parked.closed_at,
    closer.source || '/' || closer.id AS closed_by,
    said.data ->> 'actor' AS closed_by_whom,
    said.data ->> 'reason' AS closed_because
FROM creditd.parked
JOIN creditd.inbox ON inbox.event_key = parked.event_key
LEFT JOIN creditd.inbox AS closer ON closer.event_key = parked.closed_by
CROSS JOIN LATERAL (
    SELECT CASE WHEN parked.state IN ('released', 'discarded')
        THEN convert_from(closer.body, 'UTF8')::JSONB -> 'data' END AS data
) AS said;

COMMENT ON COLUMN creditd_read.parked.closed_by IS
    'The command or the corrected event that closed it, source/id.';
COMMENT ON COLUMN creditd_read.parked.closed_by_whom IS 'The operator, where one did.';
COMMENT ON COLUMN creditd_read.parked.closed_because IS 'What the operator gave as the reason.';

COMMENT ON COLUMN creditd_read.event.reason IS
    'Why it was parked; or why an applied event moved nothing: waiting, known, zero, unsettled; '
    'or what became of one that was parked: discarded, superseded.';
