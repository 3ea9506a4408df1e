-- A reset has replaced the lots that were there when it was posted. A lot that became usable later,
-- or came back from a reset, is spared although it was paid earlier.

ALTER TABLE lot
    -- The entry with which it became usable, or came back; 0: a reset has replaced it, or it is
    -- older than this column and counts as there at every reset.
    ADD COLUMN usable_since BIGINT NOT NULL DEFAULT 0;

ALTER TABLE reset_mark
    -- The last entry before it took what was there.
    ADD COLUMN swept_at BIGINT NOT NULL DEFAULT 0;
