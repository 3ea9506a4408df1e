-- Reading the books: stable views for reports and other services. The tables of schema creditd may
-- change with any version; these views keep their columns.
--
-- Credits are NUMERIC in whole units, money is NUMERIC in major units of its currency, both exact.
-- Views run with their owner's rights, so a reader needs rights on this schema alone.

CREATE SCHEMA creditd_read;

COMMENT ON SCHEMA creditd_read IS
    'The books of creditd for reports. To let somebody read: '
    'GRANT USAGE ON SCHEMA creditd_read TO reader; '
    'GRANT SELECT ON ALL TABLES IN SCHEMA creditd_read TO reader;';

-- Multiplied, because a product of NUMERICs is exact and a quotient is not. The planner inlines it.
CREATE FUNCTION creditd_read.whole_units(steps NUMERIC, decimals INTEGER) RETURNS NUMERIC
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(steps * 10::NUMERIC ^ -decimals, decimals);

COMMENT ON FUNCTION creditd_read.whole_units IS
    'Steps of 10^-decimals as whole units; exact.';

GRANT EXECUTE ON FUNCTION creditd_read.whole_units TO PUBLIC;

CREATE VIEW creditd_read.balance AS
SELECT
    account.name AS account,
    account.kind,
    balance.unit,
    creditd_read.whole_units(balance.balance, unit.decimals) AS balance,
    creditd_read.whole_units(balance.overdraft, unit.decimals) AS overdraft,
    creditd_read.whole_units(0, unit.decimals) AS pending,
    balance.updated_at
FROM creditd.balance
JOIN creditd.account ON account.account_id = balance.account_id
JOIN creditd.unit ON unit.unit = balance.unit;

COMMENT ON VIEW creditd_read.balance IS 'What every account holds, a row for each of its units.';
COMMENT ON COLUMN creditd_read.balance.kind IS 'member or company.';
COMMENT ON COLUMN creditd_read.balance.balance IS
    'What its open lots hold, minus the overdraft.';
COMMENT ON COLUMN creditd_read.balance.overdraft IS
    'Credits that were used or taken back and that no lot covered.';
COMMENT ON COLUMN creditd_read.balance.pending IS
    'Credits that were granted and are not usable yet; not part of the balance. Always 0 as long '
    'as no package can be pending.';
COMMENT ON COLUMN creditd_read.balance.updated_at IS 'When an event moved it last.';

CREATE VIEW creditd_read.entry AS
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
    entry.recorded_at
FROM creditd.entry
JOIN creditd.account ON account.account_id = entry.account_id
JOIN creditd.unit ON unit.unit = entry.unit
LEFT JOIN creditd.lot
    ON lot.account_id = entry.account_id AND lot.unit = entry.unit AND lot.lot_no = entry.lot_no
LEFT JOIN creditd.inbox ON inbox.event_key = entry.event_key;

COMMENT ON VIEW creditd_read.entry IS
    'Every movement of credits. Never changed: a correction is an entry of its own.';
COMMENT ON COLUMN creditd_read.entry.seq IS
    'From 1, without a gap, per account and unit. Newest first: ORDER BY seq DESC.';
COMMENT ON COLUMN creditd_read.entry.kind IS
    'granted, used, overdrawn, revoked, restored, forfeited, carried, repaid or forgiven.';
COMMENT ON COLUMN creditd_read.entry.credits IS 'Signed, as the balance sees it.';
COMMENT ON COLUMN creditd_read.entry.lot IS 'The lot that it moved; NULL: the overdraft.';
COMMENT ON COLUMN creditd_read.entry.source IS 'Who sent the event that caused it.';
COMMENT ON COLUMN creditd_read.entry.event_id IS 'The id that its source gave the event.';
COMMENT ON COLUMN creditd_read.entry.occurred_at IS 'When it happened, as the event says.';
COMMENT ON COLUMN creditd_read.entry.recorded_at IS 'When it came into the books.';

CREATE VIEW creditd_read.lot AS
SELECT
    account.name AS account,
    lot.unit,
    lot.lot_no AS lot,
    lot.package,
    lot.family,
    creditd_read.whole_units(lot.granted, unit.decimals) AS granted,
    creditd_read.whole_units(lot.remaining, unit.decimals) AS remaining,
    creditd_read.whole_units(lot.forfeited, unit.decimals) AS forfeited,
    lot.open,
    lot.promotional,
    lot.priority,
    lot.applies_to,
    lot.opened_at,
    lot.paid_at,
    lot.expires_at,
    creditd_read.whole_units(lot.cost_minor, purchase.exponent) AS cost,
    lot.currency,
    lot.purchase_id AS purchase
FROM creditd.lot
JOIN creditd.account ON account.account_id = lot.account_id
JOIN creditd.unit ON unit.unit = lot.unit
LEFT JOIN creditd.purchase ON purchase.purchase_id = lot.purchase_id;

COMMENT ON VIEW creditd_read.lot IS 'Every block of granted credits, used up or not.';
COMMENT ON COLUMN creditd_read.lot.lot IS 'From 1, without a gap, per account and unit.';
COMMENT ON COLUMN creditd_read.lot.family IS 'Lots of one family replace each other at a reset.';
COMMENT ON COLUMN creditd_read.lot.forfeited IS
    'What it lost to resets, carried over or not.';
COMMENT ON COLUMN creditd_read.lot.open IS 'Whether anything remains.';
COMMENT ON COLUMN creditd_read.lot.priority IS 'Lower is drawn first.';
COMMENT ON COLUMN creditd_read.lot.applies_to IS 'The meters that it may pay for; empty: all.';
COMMENT ON COLUMN creditd_read.lot.expires_at IS 'NULL: never.';
COMMENT ON COLUMN creditd_read.lot.cost IS
    'What was paid for it, in major units of its currency; NULL where nobody did.';
COMMENT ON COLUMN creditd_read.lot.purchase IS
    'The row of view purchase; NULL for what a reset carried over.';

CREATE VIEW creditd_read.waiting AS
SELECT
    purchase.purchase_id AS purchase,
    ARRAY(
        SELECT reference.kind || ' ' || reference.value
        FROM creditd.purchase_reference AS reference
        WHERE reference.purchase_id = purchase.purchase_id
        ORDER BY reference.kind, reference.value
    ) AS "references",
    inbox.type,
    inbox.source,
    inbox.id AS event_id,
    CASE refund.source WHEN '' THEN refund.name END AS refund_id,
    refund.status,
    CASE jsonb_typeof(refund.claim)
        WHEN 'string' THEN refund.claim #>> '{}'
        ELSE (SELECT min(claim) FROM jsonb_object_keys(refund.claim) AS claim)
    END AS claim,
    coalesce(refund.claim #>> '{amount,major}', refund.claim #>> '{total,major}')::NUMERIC
        AS amount,
    coalesce(refund.claim #>> '{amount,minor}', refund.claim #>> '{total,minor}')::BIGINT
        AS amount_minor,
    refund.currency,
    coalesce(inbox.received_at, purchase.first_seen_at) AS waiting_since
FROM creditd.purchase
JOIN creditd.refund ON refund.purchase_id = purchase.purchase_id
LEFT JOIN creditd.inbox ON inbox.event_key = refund.event_key
WHERE purchase.account_id IS NULL;

COMMENT ON VIEW creditd_read.waiting IS
    'Refunds whose payment has not come. They are posted with it.';
COMMENT ON COLUMN creditd_read.waiting."references" IS
    'The ids under which the payment is expected, each with its kind: invoice in_1.';
COMMENT ON COLUMN creditd_read.waiting.refund_id IS
    'NULL: the event gave none and stands for itself.';
COMMENT ON COLUMN creditd_read.waiting.claim IS
    'amount: of this one refund. total: of all refunds so far. lines: stated line by line. full.';
COMMENT ON COLUMN creditd_read.waiting.amount IS
    'In major units, if the event stated those. The currency may only be known with the payment.';
COMMENT ON COLUMN creditd_read.waiting.amount_minor IS
    'In minor units, if the event stated those.';

CREATE VIEW creditd_read.purchase AS
SELECT
    purchase.purchase_id AS purchase,
    account.name AS account,
    account.kind AS account_kind,
    ARRAY(
        SELECT reference.kind || ' ' || reference.value
        FROM creditd.purchase_reference AS reference
        WHERE reference.purchase_id = purchase.purchase_id
        ORDER BY reference.kind, reference.value
    ) AS "references",
    purchase.order_id,
    purchase.purchased_by,
    purchase.paid_at,
    purchase.currency,
    creditd_read.whole_units(sum(line.paid_minor), purchase.exponent) AS money_paid,
    creditd_read.whole_units(sum(line.reversed_minor), purchase.exponent) AS money_reversed,
    line.unit,
    creditd_read.whole_units(sum(line.granted), coalesce(unit.decimals, 0)) AS credits_granted,
    creditd_read.whole_units(sum(line.reversed), coalesce(unit.decimals, 0)) AS credits_reversed,
    creditd_read.whole_units(sum(line.shortfall), coalesce(unit.decimals, 0))
        AS credits_shortfall
FROM creditd.purchase
JOIN creditd.account ON account.account_id = purchase.account_id
JOIN creditd.purchase_line AS line ON line.purchase_id = purchase.purchase_id
LEFT JOIN creditd.unit ON unit.unit = line.unit
GROUP BY
    purchase.purchase_id, account.name, account.kind, purchase.order_id, purchase.purchased_by,
    purchase.paid_at, purchase.currency, purchase.exponent, line.unit, unit.decimals;

COMMENT ON VIEW creditd_read.purchase IS
    'What was bought in one go and is paid: a row for each unit that it granted, so that units '
    'are never added up. What is not paid yet is in view waiting.';
COMMENT ON COLUMN creditd_read.purchase."references" IS
    'All ids by which it is known, each with its kind: invoice in_1.';
COMMENT ON COLUMN creditd_read.purchase.purchased_by IS
    'The member who acted, if another than the account.';
COMMENT ON COLUMN creditd_read.purchase.money_paid IS
    'For the lines of this unit, net, in major units; tax and fees beyond the lines are not in it.';
COMMENT ON COLUMN creditd_read.purchase.money_reversed IS
    'What went back of it, shared out over the lines and rounded line by line.';
COMMENT ON COLUMN creditd_read.purchase.unit IS 'NULL: money that bought no credits.';
COMMENT ON COLUMN creditd_read.purchase.credits_reversed IS
    'Taken back, what a reset had taken before included.';
COMMENT ON COLUMN creditd_read.purchase.credits_shortfall IS
    'What should have been taken back and was not there to take.';

CREATE VIEW creditd_read.event AS
SELECT inbox.source, inbox.id, inbox.type, inbox.outcome, inbox.reason, inbox.received_at
FROM creditd.inbox;

COMMENT ON VIEW creditd_read.event IS
    'Every event that came, once, with how it ended. Not indexed by source and id: one event is '
    'looked up by its key.';
COMMENT ON COLUMN creditd_read.event.id IS
    'Unique within its source, but for conflicts: the same id with another meaning has a row of '
    'its own, parked.';
COMMENT ON COLUMN creditd_read.event.outcome IS
    'applied, duplicate, parked, ignored or declined.';
COMMENT ON COLUMN creditd_read.event.reason IS
    'Why it was parked, or why an applied event moved nothing: waiting, known, zero, unsettled.';

CREATE VIEW creditd_read.parked AS
SELECT
    inbox.source,
    inbox.id AS event_id,
    inbox.type,
    parked.reason,
    parked.detail,
    parked.state,
    inbox.received_at,
    parked.parked_at
FROM creditd.parked
JOIN creditd.inbox ON inbox.event_key = parked.event_key;

COMMENT ON VIEW creditd_read.parked IS
    'Events that could not be applied, those included that an operator has dealt with.';
COMMENT ON COLUMN creditd_read.parked.reason IS 'A code of the closed list in docs/events.md.';
COMMENT ON COLUMN creditd_read.parked.detail IS
    'For people: which field or rule, what was found, what would be right.';
COMMENT ON COLUMN creditd_read.parked.state IS
    'open: waits for an operator. released, discarded, superseded: dealt with.';

CREATE VIEW creditd_read.notice AS
SELECT
    notice.notice_id AS notice,
    account.name AS account,
    notice.sequence,
    notice.type,
    notice.unit,
    notice.source,
    notice.id AS event_id,
    notice.data::JSON AS data,
    notice.occurred_at,
    notice.recorded_at,
    notice.published_at
FROM creditd.notice
-- The account's name is on the notice too, but only its row is indexed by it.
LEFT JOIN creditd.account ON account.account_id = notice.account_id;

COMMENT ON VIEW creditd_read.notice IS 'What the world was told, and what waits to be told.';
COMMENT ON COLUMN creditd_read.notice.account IS 'NULL for event.parked.';
COMMENT ON COLUMN creditd_read.notice.sequence IS
    'From 1, without a gap, per account; 0 for event.parked.';
COMMENT ON COLUMN creditd_read.notice.source IS 'Who sent the event that caused it.';
COMMENT ON COLUMN creditd_read.notice.data IS 'As it is published; amounts are texts.';
COMMENT ON COLUMN creditd_read.notice.published_at IS
    'When the broker confirmed it; NULL: waiting.';

CREATE VIEW creditd_read.revenue_by_month AS
WITH movement AS (
    SELECT
        line.purchase_id,
        line.line_no,
        line.granted_at AS moved_at,
        line.paid_minor AS in_minor,
        0::BIGINT AS back_minor,
        line.granted,
        0::BIGINT AS revoked
    FROM creditd.purchase_line AS line
    UNION ALL
    SELECT
        reversal.purchase_id,
        reversal.line_no,
        reversal.occurred_at,
        0,
        reversal.minor,
        0,
        reversal.credits
    FROM creditd.reversal
)
SELECT
    date_trunc('month', movement.moved_at AT TIME ZONE 'UTC')::DATE AS month,
    line.unit,
    line.package,
    account.kind AS account_kind,
    purchase.currency,
    creditd_read.whole_units(sum(movement.in_minor), purchase.exponent) AS money_in,
    creditd_read.whole_units(sum(movement.back_minor), purchase.exponent) AS money_back,
    creditd_read.whole_units(sum(movement.granted), coalesce(unit.decimals, 0))
        AS credits_granted,
    creditd_read.whole_units(sum(movement.revoked), coalesce(unit.decimals, 0))
        AS credits_revoked
FROM movement
JOIN creditd.purchase_line AS line
    ON line.purchase_id = movement.purchase_id AND line.line_no = movement.line_no
JOIN creditd.purchase ON purchase.purchase_id = movement.purchase_id
JOIN creditd.account ON account.account_id = purchase.account_id
LEFT JOIN creditd.unit ON unit.unit = line.unit
GROUP BY
    month, line.unit, unit.decimals, line.package, account.kind, purchase.currency,
    purchase.exponent;

COMMENT ON VIEW creditd_read.revenue_by_month IS
    'Money and credits of purchases by the month (UTC) in which they moved: a refund counts in '
    'the month of the refund.';
COMMENT ON COLUMN creditd_read.revenue_by_month.month IS 'Its first day.';
COMMENT ON COLUMN creditd_read.revenue_by_month.unit IS 'NULL: money that bought no credits.';
COMMENT ON COLUMN creditd_read.revenue_by_month.account_kind IS 'What the account is today.';
COMMENT ON COLUMN creditd_read.revenue_by_month.money_in IS
    'For lines, net, in major units; tax and fees beyond the lines are not in it.';
COMMENT ON COLUMN creditd_read.revenue_by_month.money_back IS
    'Negative where money that had gone back came in again.';
COMMENT ON COLUMN creditd_read.revenue_by_month.credits_revoked IS
    'Taken back for refunds, what a reset had taken before included; negative where more was '
    'given back.';
