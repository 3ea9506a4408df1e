-- A reset that is fully reversed, and has given back what it had forfeited, counts no more; then those
-- before it do again. So of the resets that can be undone more than the newest is remembered.

ALTER TABLE reset_mark
    -- The lot that it granted, where its reversal gives back what it had forfeited.
    ADD COLUMN restores INTEGER,
    ADD COLUMN undone BOOLEAN NOT NULL DEFAULT false,
    DROP CONSTRAINT reset_mark_pkey,
    ADD CONSTRAINT reset_mark_pkey PRIMARY KEY (account_id, unit, family, swept_at),
    ADD CONSTRAINT reset_mark_undone_restores CHECK (NOT undone OR restores IS NOT NULL);
