-- What time asks of balances and lots beside opening and expiring: that an expiry is told before it
-- comes, that a notice which was held back is said, that a top-up is asked for.

ALTER TABLE balance
    -- The highest that it has been after an event: thresholds above do not concern it.
    ADD COLUMN peak BIGINT NOT NULL DEFAULT 0,
    -- What was told of its thresholds, where that is not just what is latched.
    ADD COLUMN told JSONB,
    -- Which top-ups were asked for, and what keeps from asking again.
    ADD COLUMN asking JSONB,
    -- When it is looked at again without an event.
    ADD COLUMN look_at TIMESTAMPTZ;

UPDATE balance
SET peak = greatest(0, coalesce((
    SELECT max(entry.balance_after)
    FROM entry
    WHERE entry.account_id = balance.account_id AND entry.unit = balance.unit
), 0));

-- Events change none of these but when there is something to wait for, so updates stay HOT.
CREATE INDEX balance_due_to_look ON balance (look_at, account_id, unit) WHERE look_at IS NOT NULL;

-- Its coming expiry was told.
ALTER TABLE lot ADD COLUMN warned BOOLEAN NOT NULL DEFAULT false;

CREATE INDEX lot_due_to_warn ON lot (unit, expires_at, account_id, lot_no)
    WHERE open AND NOT pending AND NOT warned AND expires_at IS NOT NULL;

-- Its notice was held back, because it repeats one that was told a short while before.
ALTER TABLE latch_flip ADD COLUMN held BOOLEAN NOT NULL DEFAULT false;
