-- By which catalog the credits of an entry were granted: their terms were frozen with its hash
-- (semantics 4.13). Looked up by purchase, and only where the column is asked for.

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
    entry.pending,
    (
        SELECT min(line.terms ->> 'catalog_hash')
        FROM creditd.purchase_line AS line
        WHERE line.purchase_id = lot.purchase_id
            AND line.unit = lot.unit
            AND line.lot_no = lot.lot_no
    ) AS catalog
FROM creditd.entry
JOIN creditd.account ON account.account_id = entry.account_id
JOIN creditd.unit ON unit.unit = entry.unit
LEFT JOIN creditd.lot
    ON lot.account_id = entry.account_id AND lot.unit = entry.unit AND lot.lot_no = entry.lot_no
LEFT JOIN creditd.inbox ON inbox.event_key = entry.event_key;

COMMENT ON COLUMN creditd_read.entry.package IS
    'What granted the lot that it moved; NULL: the overdraft.';
COMMENT ON COLUMN creditd_read.entry.catalog IS
    'The hash of the catalog by which that package was sold; NULL where nobody bought the lot: the '
    'overdraft, an adjustment, an opening balance, what a reset carried over.';
