-- Whether an account has had credits of a unit. A lot that was taken back or expired before it opened
-- is none, and can't be told from one that was used up by counting lots.

ALTER TABLE balance ADD COLUMN held BOOLEAN NOT NULL DEFAULT false;

UPDATE balance
SET held = EXISTS (
    SELECT FROM lot
    WHERE lot.account_id = balance.account_id AND lot.unit = balance.unit AND NOT lot.pending
);
