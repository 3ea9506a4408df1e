-- Usage that is reversed, before or after it came.

-- Reversals of usage: what is given back is the share of their quantities together. A batch that
-- remembers one whose usage has not come holds the table (EXCLUSIVE), and every batch looks for
-- what waits with a row lock (ROW SHARE): so the two never miss each other.
CREATE TABLE creditd.usage_reversal (
    -- The event that is reversed; it may not have come.
    usage_key    UUID NOT NULL,
    usage_source TEXT COLLATE "C" NOT NULL,
    usage_id     TEXT COLLATE "C" NOT NULL,
    -- The event that reverses; it parks if it can't be applied when its usage comes.
    event_key    UUID NOT NULL,
    event_source TEXT COLLATE "C" NOT NULL,
    event_id     TEXT COLLATE "C" NOT NULL,
    -- NULL: all.
    quantity     NUMERIC,
    -- By how much it raised what is reversed, what nothing had covered included; NULL: it waits.
    credits      BIGINT,
    PRIMARY KEY (usage_key, event_key),
    CONSTRAINT usage_reversal_signs CHECK (quantity >= 0 AND credits >= 0)
);

-- Almost always empty, and asked by every batch.
CREATE INDEX usage_reversal_waiting ON creditd.usage_reversal (usage_key) WHERE credits IS NULL;

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
    coalesce(inbox.received_at, purchase.first_seen_at) AS waiting_since,
    NULL::NUMERIC AS quantity
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
    reversal.quantity
FROM creditd.usage_reversal AS reversal
LEFT JOIN creditd.inbox ON inbox.event_key = reversal.event_key
WHERE reversal.credits IS NULL;

COMMENT ON VIEW creditd_read.waiting IS
    'Refunds whose payment, and reversals whose usage has not come. They are posted with it.';
COMMENT ON COLUMN creditd_read.waiting.purchase IS 'NULL for a reversal of usage.';
COMMENT ON COLUMN creditd_read.waiting."references" IS
    'The ids under which the payment is expected, each with its kind: invoice in_1. Of usage its '
    'source and id: usage gateway/u-1.';
COMMENT ON COLUMN creditd_read.waiting.claim IS
    'amount: of this one refund. total: of all refunds so far. lines: stated line by line. '
    'quantity: of usage. full.';
COMMENT ON COLUMN creditd_read.waiting.quantity IS 'Of usage that is reversed; NULL: all of it.';
