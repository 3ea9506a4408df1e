-- What waits: refunds, voids and words on disputes for their payment, reversals for their usage. To let
-- something else wait in the same view, add a SELECT of the same columns in a migration of its own.

CREATE OR REPLACE VIEW creditd_read.waiting AS
SELECT
    purchase.purchase_id AS purchase,
    ARRAY(
        SELECT reference.kind || ' ' || reference.value
        FROM creditd.purchase_reference AS reference
        WHERE reference.purchase_id = purchase.purchase_id
        ORDER BY reference.kind, reference.value
    ) AS "references",
    inbox.type,
    refund.event_source AS source,
    refund.event_id,
    CASE refund.source WHEN '' THEN refund.name END AS refund_id,
    coalesce(refund.claim #>> '{dispute,status}', refund.status) AS status,
    CASE jsonb_typeof(refund.claim)
        WHEN 'string' THEN refund.claim #>> '{}'
        ELSE (SELECT min(claim) FROM jsonb_object_keys(refund.claim) AS claim)
    END AS claim,
    coalesce(
        refund.claim #>> '{amount,major}',
        refund.claim #>> '{total,major}',
        refund.claim #>> '{dispute,amount,major}'
    )::NUMERIC AS amount,
    coalesce(
        refund.claim #>> '{amount,minor}',
        refund.claim #>> '{total,minor}',
        refund.claim #>> '{dispute,amount,minor}'
    )::BIGINT AS amount_minor,
    refund.currency,
    coalesce(inbox.received_at, purchase.first_seen_at) AS waiting_since,
    NULL::NUMERIC AS quantity,
    refund.claim #>> '{dispute,dispute_id}' AS dispute_id
FROM creditd.purchase
JOIN creditd.refund ON refund.purchase_id = purchase.purchase_id
LEFT JOIN creditd.inbox ON inbox.event_key = refund.event_key
WHERE purchase.account_id IS NULL
UNION ALL
SELECT
    NULL,
    ARRAY['usage ' || reversal.usage_source || '/' || reversal.usage_id],
    inbox.type,
    reversal.event_source,
    reversal.event_id,
    NULL,
    NULL,
    CASE WHEN reversal.quantity IS NULL THEN 'full' ELSE 'quantity' END,
    NULL,
    NULL,
    NULL,
    inbox.received_at,
    reversal.quantity,
    NULL
FROM creditd.usage_reversal AS reversal
LEFT JOIN creditd.inbox ON inbox.event_key = reversal.event_key
WHERE reversal.credits IS NULL;

COMMENT ON VIEW creditd_read.waiting IS
    'Refunds, voids and disputes whose payment, and reversals whose usage has not come. They are '
    'posted with it.';
COMMENT ON COLUMN creditd_read.waiting.dispute_id IS 'Of a dispute.';
COMMENT ON COLUMN creditd_read.waiting.status IS
    'Of a refund succeeded, pending or failed; of a dispute opened, won or lost.';
COMMENT ON COLUMN creditd_read.waiting.claim IS
    'amount: of this one refund. total: of all refunds so far. lines: stated line by line. full. '
    'void: of the invoice. dispute: of the payment. quantity: of usage.';

COMMENT ON COLUMN creditd_read.purchase.money_reversed IS
    'What went back of it or is in dispute, shared out over the lines and rounded line by line.';
COMMENT ON COLUMN creditd_read.purchase.credits_reversed IS
    'Taken back for refunds, a void or disputes, what a reset had taken before included.';
COMMENT ON COLUMN creditd_read.lot.forfeited IS
    'What it lost to resets, carried over or not, less what came back because a reset was reversed.';
COMMENT ON COLUMN creditd_read.event.reason IS
    'Why it was parked; or why an applied event moved nothing: waiting, known, zero, unsettled, '
    'updated, noted; or what became of one that was given up: discarded, superseded.';
