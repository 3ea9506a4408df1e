-- Disputes, voids, and what resets forfeited.
--
-- A void and every report of a dispute have a row in `refund`, like a refund: they wait for their
-- payment, merge and park as refunds do, and differ only in their claim. Safe to run beside the
-- previous version; but that one can't read such a claim, so it leaves the events of a purchase that
-- has one to be tried again, until a daemon of this version takes them.

-- How much of what a lot lost counts as taken back by its purchase's reversal: what is counted can't
-- be given back to the lot as well.
ALTER TABLE lot ADD COLUMN counted BIGINT NOT NULL DEFAULT 0;

UPDATE lot
SET counted = lapsed.credits
FROM (
    SELECT purchase.account_id, line.unit, line.lot_no, sum(slice.credits - slice.returned) AS credits
    FROM revocation AS slice
    JOIN purchase_line AS line
        ON line.purchase_id = slice.purchase_id AND line.line_no = slice.line_no
    JOIN purchase ON purchase.purchase_id = slice.purchase_id
    WHERE slice.source = 'lapsed' AND slice.returned < slice.credits
    GROUP BY purchase.account_id, line.unit, line.lot_no
) AS lapsed
WHERE lot.account_id = lapsed.account_id
    AND lot.unit = lapsed.unit
    AND lot.lot_no = lapsed.lot_no;

ALTER TABLE lot ADD CONSTRAINT lot_counted_sign CHECK (counted >= 0);

-- What a reset forfeited of each lot, where its package gives it back on a full reversal
-- (`restore_forfeited`).
CREATE TABLE forfeit (
    account_id BIGINT NOT NULL,
    unit       TEXT COLLATE "C" NOT NULL,
    -- The lot that the reset granted.
    by_lot_no  INTEGER NOT NULL,
    -- The lot that lost it.
    lot_no     INTEGER NOT NULL,
    credits    BIGINT NOT NULL,
    -- Ever given back because the reset was reversed; of that, ever forfeited again because it
    -- stood after all.
    restored   BIGINT NOT NULL DEFAULT 0,
    again      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, unit, by_lot_no, lot_no),
    CONSTRAINT forfeit_credits_sign CHECK (credits > 0),
    CONSTRAINT forfeit_restored_range CHECK (
        again BETWEEN 0 AND restored AND restored - again <= credits)
);
