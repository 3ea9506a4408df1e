-- Parked events are found by their name, source/id: people know an event by that, not by its key, and
-- a conflict or a correction has a key that its name alone does not make. The inbox has no index
-- on names, because every event would pay for it; parked events are few, and carry theirs.

ALTER TABLE parked ADD COLUMN called TEXT COLLATE "C";

UPDATE parked
SET called = inbox.source || '/' || inbox.id
FROM inbox
WHERE inbox.event_key = parked.event_key;

-- The name is taken from the inbox row, which is there first, also where a program parks that does
-- not know this column.
CREATE FUNCTION creditd.call_parked() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    SELECT inbox.source || '/' || inbox.id INTO NEW.called
    FROM creditd.inbox
    WHERE inbox.event_key = NEW.event_key;
    RETURN NEW;
END $$;

CREATE TRIGGER parked_called BEFORE INSERT ON parked
    FOR EACH ROW EXECUTE FUNCTION creditd.call_parked();

-- By hash: names may be of any length.
CREATE INDEX parked_called ON parked USING hash (called);
