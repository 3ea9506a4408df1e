-- Notices that were published long ago are pruned.

-- Which those are. Written when a notice is published, at the index's end, not by the batch.
CREATE INDEX notice_published ON notice (published_at) WHERE published_at IS NOT NULL;

-- Notices that were published before this may be gone; all that were written later are there.
CREATE TABLE notice_horizon (
    is_only       BOOLEAN PRIMARY KEY DEFAULT true,
    pruned_before TIMESTAMPTZ NOT NULL,
    CONSTRAINT notice_horizon_only CHECK (is_only)
);
