-- Time: lots that wait before they open, and lots whose time is over.

-- What an account holds in pending lots; no part of its balance.
ALTER TABLE balance
    ADD COLUMN pending BIGINT NOT NULL DEFAULT 0,
    ADD CONSTRAINT balance_pending_sign CHECK (pending >= 0);

-- A pending lot opens at `opened_at`, which is written when it is granted and never changes.
-- `open` goes on to say whether anything remains, pending or not: an index that named `remaining`
-- would end HOT updates.
ALTER TABLE lot
    ADD COLUMN pending BOOLEAN NOT NULL DEFAULT false,
    -- What it lost by expiring.
    ADD COLUMN expired BIGINT NOT NULL DEFAULT 0,
    ADD CONSTRAINT lot_pending_was_bought CHECK (NOT pending OR purchase_id IS NOT NULL),
    ADD CONSTRAINT lot_pending_forfeits_nothing CHECK (NOT pending OR forfeited = 0),
    ADD CONSTRAINT lot_expired_range CHECK (expired BETWEEN 0 AND granted),
    ADD CONSTRAINT lot_expired_had_an_end CHECK (expired = 0 OR expires_at IS NOT NULL);

-- Which lots are due, in the order in which they are done. Usage changes none of these columns
-- but `open`, which an index names already, so its updates stay HOT.
CREATE INDEX lot_due_to_open ON lot (opened_at, account_id, unit, lot_no) WHERE open AND pending;
CREATE INDEX lot_due_to_expire ON lot (expires_at, account_id, unit, lot_no)
    WHERE open AND expires_at IS NOT NULL;

-- An entry moves the balance, or what is pending and leaves the balance as it is.
ALTER TABLE entry
    ADD COLUMN pending BOOLEAN NOT NULL DEFAULT false,
    ADD CONSTRAINT entry_opened_sign
        CHECK (kind <> 'opened' OR ((credits < 0) = pending AND lot_no IS NOT NULL)),
    ADD CONSTRAINT entry_expired_sign
        CHECK (kind <> 'expired' OR (credits < 0 AND lot_no IS NOT NULL)),
    ADD CONSTRAINT entry_pending_kind CHECK (NOT pending OR (lot_no IS NOT NULL
        AND kind IN ('granted', 'opened', 'revoked', 'restored', 'expired')));

-- Two kinds more, beside those that are allowed by now.
DO $$
DECLARE
    allowed TEXT;
BEGIN
    SELECT pg_get_expr(conbin, conrelid) INTO STRICT allowed
    FROM pg_constraint
    WHERE conrelid = 'entry'::REGCLASS AND conname = 'entry_kind_known';
    EXECUTE format('ALTER TABLE entry
        DROP CONSTRAINT entry_kind_known,
        ADD CONSTRAINT entry_kind_known CHECK (%s OR kind IN (''opened'', ''expired''))', allowed);
END $$;

-- Columns are added at the end: what reads a view by position goes on to read the same.
CREATE OR REPLACE VIEW creditd_read.balance AS
SELECT
    account.name AS account,
    account.kind,
    balance.unit,
    creditd_read.whole_units(balance.balance, unit.decimals) AS balance,
    creditd_read.whole_units(balance.overdraft, unit.decimals) AS overdraft,
    creditd_read.whole_units(balance.pending, unit.decimals) AS pending,
    balance.updated_at
FROM creditd.balance
JOIN creditd.account ON account.account_id = balance.account_id
JOIN creditd.unit ON unit.unit = balance.unit;

COMMENT ON COLUMN creditd_read.balance.pending IS
    'Credits that were granted and are not usable yet; not part of the balance.';

CREATE OR REPLACE VIEW creditd_read.entry AS
SELECT
    account.name AS account,
    entry.unit,
    entry.seq,
    entry.kind,
    creditd_read.whole_units(entry.credits, unit.decimals) AS credits,
    creditd_read.whole_units(entry.balance_after, unit.decimals) AS balance_after,
    entry.lot_no AS lot,
    lot.package,
    inbox.source,
    inbox.id AS event_id,
    entry.occurred_at,
    entry.recorded_at,
    entry.pending
FROM creditd.entry
JOIN creditd.account ON account.account_id = entry.account_id
JOIN creditd.unit ON unit.unit = entry.unit
LEFT JOIN creditd.lot
    ON lot.account_id = entry.account_id AND lot.unit = entry.unit AND lot.lot_no = entry.lot_no
LEFT JOIN creditd.inbox ON inbox.event_key = entry.event_key;

COMMENT ON COLUMN creditd_read.entry.kind IS
    'granted, used, overdrawn, revoked, restored, forfeited, carried, repaid, forgiven, opened or '
    'expired.';
COMMENT ON COLUMN creditd_read.entry.credits IS
    'Signed, as the balance sees it, or what is pending.';
COMMENT ON COLUMN creditd_read.entry.pending IS
    'Whether it moved what is pending; the balance is then what it was.';

CREATE OR REPLACE VIEW creditd_read.lot AS
SELECT
    account.name AS account,
    lot.unit,
    lot.lot_no AS lot,
    lot.package,
    lot.family,
    creditd_read.whole_units(lot.granted, unit.decimals) AS granted,
    creditd_read.whole_units(lot.remaining, unit.decimals) AS remaining,
    creditd_read.whole_units(lot.forfeited, unit.decimals) AS forfeited,
    lot.open AND NOT lot.pending AS open,
    lot.promotional,
    lot.priority,
    lot.applies_to,
    lot.opened_at,
    lot.paid_at,
    lot.expires_at,
    creditd_read.whole_units(lot.cost_minor, purchase.exponent) AS cost,
    lot.currency,
    lot.purchase_id AS purchase,
    CASE WHEN lot.pending THEN 'pending' WHEN lot.open THEN 'open' ELSE 'closed' END AS state,
    creditd_read.whole_units(lot.expired, unit.decimals) AS expired
FROM creditd.lot
JOIN creditd.account ON account.account_id = lot.account_id
JOIN creditd.unit ON unit.unit = lot.unit
LEFT JOIN creditd.purchase ON purchase.purchase_id = lot.purchase_id;

COMMENT ON COLUMN creditd_read.lot.open IS
    'Whether anything remains that is part of the balance.';
COMMENT ON COLUMN creditd_read.lot.opened_at IS
    'When it opened, or for a pending lot, when it will.';
COMMENT ON COLUMN creditd_read.lot.state IS
    'pending: not usable before opened_at. open: something remains. closed: nothing does.';
COMMENT ON COLUMN creditd_read.lot.expired IS 'What it lost by expiring.';
