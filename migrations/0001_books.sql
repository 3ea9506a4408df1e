-- The books. Everything lives in schema creditd; reports read schema creditd_read (0002).
-- Amounts are BIGINT, whole steps of their unit; money is BIGINT, minor units of its currency.
--
-- Hot tables (inbox, entry, lot, balance) carry CHECKs, unique keys, role grants and a trigger
-- against changes, but no foreign keys: three of them cost an entry 33 microseconds against 5.
-- `creditd verify` proves what a foreign key would have.

-- Units, as the catalog has them. A unit's decimals can't change once it has entries.
CREATE TABLE unit (
    unit     TEXT COLLATE "C" PRIMARY KEY,
    decimals SMALLINT NOT NULL,
    CONSTRAINT unit_decimals_range CHECK (decimals BETWEEN 0 AND 9)
);

-- Whoever owns credits. The row that a batch locks: whatever an account owns changes under it.
CREATE TABLE account (
    account_id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                TEXT COLLATE "C" NOT NULL,
    kind                TEXT NOT NULL DEFAULT 'member',
    -- When and by which event the kind was said last; the newest event time wins.
    kind_at             TIMESTAMPTZ,
    kind_source         TEXT COLLATE "C",
    kind_event          TEXT COLLATE "C",
    display_name        TEXT,
    display_name_at     TIMESTAMPTZ,
    display_name_source TEXT COLLATE "C",
    display_name_event  TEXT COLLATE "C",
    -- The number of the account's last notice.
    notice_sequence     BIGINT NOT NULL DEFAULT 0,
    -- By meter: when declined usage was told last, and how much was held back since.
    declines            JSONB,
    opened_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT account_name_unique UNIQUE (name),
    CONSTRAINT account_name_length CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT account_kind_known CHECK (kind IN ('member', 'company')),
    CONSTRAINT account_notice_sequence_counts CHECK (notice_sequence >= 0)
) WITH (fillfactor = 85);

-- Every event's one outcome. Keyed by 16 bytes made of source and id: a text key writes more than
-- twice the WAL. The row never changes, but for the outcome of an event that is parked or released
-- later. `body` is kept for everything but applied plain usage, whose meaning is in the row.
CREATE TABLE inbox (
    event_key   UUID PRIMARY KEY,
    fingerprint UUID NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    type        TEXT COLLATE "C" NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT,
    occurred_at TIMESTAMPTZ NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    account_id  BIGINT,
    purchase_id BIGINT,
    -- Plain usage: what it asked, what it cost, what no lot and no overdraft covered, its entries.
    unit        TEXT COLLATE "C",
    meter       TEXT COLLATE "C",
    quantity    NUMERIC,
    cost        BIGINT,
    uncovered   BIGINT,
    entry_first BIGINT,
    entry_last  BIGINT,
    -- The message as it came, and the AMQP properties that reading it needs.
    body        BYTEA,
    properties  JSONB,
    CONSTRAINT inbox_outcome_known
        CHECK (outcome IN ('applied', 'duplicate', 'parked', 'ignored', 'declined')),
    CONSTRAINT inbox_parked_has_reason CHECK (outcome <> 'parked' OR reason IS NOT NULL),
    CONSTRAINT inbox_usage_complete CHECK ((cost IS NULL) = (quantity IS NULL)),
    CONSTRAINT inbox_cost_positive CHECK (cost >= 0 AND uncovered BETWEEN 0 AND cost),
    CONSTRAINT inbox_entries_run CHECK (entry_first BETWEEN 1 AND entry_last)
);

-- The entries of every event but plain usage (whose run is in its inbox row), per unit.
CREATE TABLE posting (
    event_key   UUID NOT NULL,
    account_id  BIGINT NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    entry_first BIGINT NOT NULL,
    entry_last  BIGINT NOT NULL,
    PRIMARY KEY (event_key, unit),
    CONSTRAINT posting_entries_run CHECK (entry_first BETWEEN 1 AND entry_last)
);

-- One account in one unit: the figures that the entries add up to, and what is latched.
CREATE TABLE balance (
    account_id     BIGINT NOT NULL,
    unit           TEXT COLLATE "C" NOT NULL,
    -- What the open lots hold, minus the overdraft.
    balance        BIGINT NOT NULL,
    overdraft      BIGINT NOT NULL,
    -- The last entry's, lot's and repayment's number.
    entry_seq      BIGINT NOT NULL,
    last_lot       INTEGER NOT NULL,
    last_repayment INTEGER NOT NULL,
    -- Low-balance thresholds that were told and not recovered from, highest first.
    latched        BIGINT[] NOT NULL DEFAULT '{}',
    depleted       BOOLEAN NOT NULL DEFAULT false,
    updated_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, unit),
    CONSTRAINT balance_overdraft_sign CHECK (overdraft >= 0),
    CONSTRAINT balance_above_overdraft CHECK (balance >= -overdraft),
    CONSTRAINT balance_numbers_count
        CHECK (entry_seq >= 0 AND last_lot >= 0 AND last_repayment >= 0)
) WITH (fillfactor = 75);

-- Blocks of granted credits, numbered per account and unit, so that a lot has the same name
-- wherever the same events were committed in the same order.
CREATE TABLE lot (
    account_id  BIGINT NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    lot_no      INTEGER NOT NULL,
    package     TEXT COLLATE "C" NOT NULL,
    family      TEXT COLLATE "C" NOT NULL,
    granted     BIGINT NOT NULL,
    remaining   BIGINT NOT NULL,
    -- What it lost to a reset.
    forfeited   BIGINT NOT NULL DEFAULT 0,
    -- Whether anything remains. An index that named `remaining` would end HOT updates.
    open        BOOLEAN NOT NULL,
    promotional BOOLEAN NOT NULL,
    -- Draw order: narrower scope, lower priority, earlier expiry, promotional, earlier opening.
    priority    SMALLINT NOT NULL,
    applies_to  TEXT[] NOT NULL DEFAULT '{}',
    expires_at  TIMESTAMPTZ,
    opened_at   TIMESTAMPTZ NOT NULL,
    -- Orders resets: what was paid earlier is replaced.
    paid_at     TIMESTAMPTZ NOT NULL,
    paid_by     TEXT COLLATE "C" NOT NULL,
    -- Cost basis; NULL where nobody paid for it.
    cost_minor  BIGINT,
    currency    TEXT,
    -- NULL: carried over by a reset.
    purchase_id BIGINT,
    PRIMARY KEY (account_id, unit, lot_no),
    CONSTRAINT lot_number_counts CHECK (lot_no > 0),
    CONSTRAINT lot_remaining_range CHECK (remaining BETWEEN 0 AND granted),
    CONSTRAINT lot_granted_sign CHECK (granted > 0),
    CONSTRAINT lot_forfeited_sign CHECK (forfeited >= 0),
    CONSTRAINT lot_open_means_remaining CHECK (open = (remaining > 0)),
    CONSTRAINT lot_cost_has_currency CHECK ((cost_minor IS NULL) = (currency IS NULL))
) WITH (fillfactor = 75);

CREATE INDEX lot_open_of_account ON lot (account_id) WHERE open;

-- Immutable movements. balance_after chains: each is the one before plus credits.
CREATE TABLE entry (
    account_id    BIGINT NOT NULL,
    unit          TEXT COLLATE "C" NOT NULL,
    seq           BIGINT NOT NULL,
    kind          TEXT NOT NULL,
    -- NULL: the overdraft.
    lot_no        INTEGER,
    credits       BIGINT NOT NULL,
    balance_after BIGINT NOT NULL,
    event_key     UUID NOT NULL,
    occurred_at   TIMESTAMPTZ NOT NULL,
    recorded_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, unit, seq),
    CONSTRAINT entry_seq_counts CHECK (seq > 0),
    CONSTRAINT entry_moves CHECK (credits <> 0),
    CONSTRAINT entry_kind_known CHECK (kind IN ('granted', 'used', 'overdrawn', 'revoked',
        'restored', 'forfeited', 'carried', 'repaid', 'forgiven')),
    CONSTRAINT entry_sign CHECK (CASE kind
        WHEN 'granted' THEN credits > 0 AND lot_no IS NOT NULL
        WHEN 'used' THEN credits < 0 AND lot_no IS NOT NULL
        WHEN 'overdrawn' THEN credits < 0 AND lot_no IS NULL
        WHEN 'revoked' THEN credits < 0
        WHEN 'restored' THEN credits > 0
        WHEN 'forfeited' THEN credits < 0 AND lot_no IS NOT NULL
        WHEN 'carried' THEN lot_no IS NOT NULL
        WHEN 'repaid' THEN (credits < 0) = (lot_no IS NOT NULL)
        WHEN 'forgiven' THEN credits > 0 AND lot_no IS NULL
    END)
);

-- What lowered the overdraft, so that a refund can unwind it.
CREATE TABLE repayment (
    account_id   BIGINT NOT NULL,
    unit         TEXT COLLATE "C" NOT NULL,
    repayment_no INTEGER NOT NULL,
    -- Whose credits paid; NULL: a reset forgave it.
    lot_no       INTEGER,
    credits      BIGINT NOT NULL,
    returned     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, unit, repayment_no),
    CONSTRAINT repayment_returned_range CHECK (credits > 0 AND returned BETWEEN 0 AND credits)
);

-- The newest reset of each family ('' for resets of a whole unit).
CREATE TABLE reset_mark (
    account_id BIGINT NOT NULL,
    unit       TEXT COLLATE "C" NOT NULL,
    family     TEXT COLLATE "C" NOT NULL,
    paid_at    TIMESTAMPTZ NOT NULL,
    paid_by    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, unit, family)
);

-- What was bought in one go. Not paid yet: account and currency are NULL, refunds wait.
CREATE TABLE purchase (
    purchase_id  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   BIGINT REFERENCES account,
    order_id     TEXT COLLATE "C",
    purchased_by TEXT,
    currency     TEXT,
    -- Digits of the currency's minor unit.
    exponent     SMALLINT,
    paid_at      TIMESTAMPTZ,
    -- Which lines each payment named, and what it charged beyond them.
    payments     JSONB NOT NULL DEFAULT '[]',
    first_seen_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT purchase_paid_whole CHECK (num_nulls(account_id, currency, exponent, paid_at) IN (0, 4))
);

-- Refunds that wait for their payment.
CREATE INDEX purchase_waiting ON purchase (first_seen_at) WHERE account_id IS NULL;

-- Every id by which the outside knows a purchase; the key that makes two events of one invoice
-- meet.
CREATE TABLE purchase_reference (
    namespace   TEXT COLLATE "C" NOT NULL,
    kind        TEXT NOT NULL,
    value       TEXT COLLATE "C" NOT NULL,
    purchase_id BIGINT NOT NULL REFERENCES purchase,
    PRIMARY KEY (namespace, kind, value),
    CONSTRAINT purchase_reference_kind_known CHECK (kind IN ('invoice', 'payment', 'order', 'other'))
);

CREATE INDEX purchase_reference_of_purchase ON purchase_reference (purchase_id);
CREATE INDEX purchase_of_account ON purchase (account_id) WHERE account_id IS NOT NULL;

-- What was bought line by line, with the terms that were frozen then.
CREATE TABLE purchase_line (
    purchase_id    BIGINT NOT NULL REFERENCES purchase,
    line_no        INTEGER NOT NULL,
    line_id        TEXT COLLATE "C",
    place          INTEGER NOT NULL,
    product        TEXT COLLATE "C",
    variant        TEXT COLLATE "C",
    quantity       NUMERIC NOT NULL,
    paid_minor     BIGINT NOT NULL,
    -- What the line itself stated.
    stated_unit    TEXT COLLATE "C",
    stated_credits NUMERIC,
    period_end     TIMESTAMPTZ,
    -- The package's terms; NULL for money that bought no credits.
    terms          JSONB,
    unit           TEXT COLLATE "C",
    package        TEXT COLLATE "C",
    lot_no         INTEGER,
    event_key      UUID NOT NULL,
    granted_at     TIMESTAMPTZ NOT NULL,
    granted        BIGINT NOT NULL,
    reversed       BIGINT NOT NULL DEFAULT 0,
    shortfall      BIGINT NOT NULL DEFAULT 0,
    reversed_minor BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (purchase_id, line_no),
    CONSTRAINT purchase_line_paid_sign CHECK (paid_minor >= 0),
    CONSTRAINT purchase_line_reversed_range
        CHECK (reversed >= 0 AND shortfall >= 0 AND reversed + shortfall <= granted),
    CONSTRAINT purchase_line_money_range CHECK (reversed_minor BETWEEN 0 AND paid_minor),
    CONSTRAINT purchase_line_terms_whole CHECK ((terms IS NULL) = (unit IS NULL))
);

CREATE UNIQUE INDEX purchase_line_named ON purchase_line (purchase_id, line_id)
    WHERE line_id IS NOT NULL;

-- Where the credits that were taken back came from, in the order in which they were taken.
CREATE TABLE revocation (
    purchase_id   BIGINT NOT NULL REFERENCES purchase,
    line_no       INTEGER NOT NULL,
    revocation_no INTEGER NOT NULL,
    -- lot, overdraft, lapsed (a reset had them already), shortfall (nothing was there to take)
    source        TEXT NOT NULL,
    lot_no        INTEGER,
    credits       BIGINT NOT NULL,
    returned      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (purchase_id, line_no, revocation_no),
    CONSTRAINT revocation_source_known
        CHECK (source IN ('lot', 'overdraft', 'lapsed', 'shortfall')),
    CONSTRAINT revocation_lot_named CHECK ((source = 'lot') = (lot_no IS NOT NULL)),
    CONSTRAINT revocation_returned_range CHECK (credits > 0 AND returned BETWEEN 0 AND credits)
);

-- Refunds, each by its refund_id or else by its event; what they claim together decides.
CREATE TABLE refund (
    purchase_id BIGINT NOT NULL REFERENCES purchase,
    -- '' and the refund_id, or the event's source and id.
    source      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    -- The event that its status came with; it parks if the terms refuse it when its payment comes.
    event_key   UUID NOT NULL,
    event_source TEXT COLLATE "C" NOT NULL,
    event_id    TEXT COLLATE "C" NOT NULL,
    claim       JSONB NOT NULL,
    currency    TEXT,
    status      TEXT NOT NULL,
    PRIMARY KEY (purchase_id, source, name),
    CONSTRAINT refund_status_known CHECK (status IN ('pending', 'succeeded', 'failed'))
);

-- Which event changed what is reversed of a line, and by how much. Never changes.
CREATE TABLE reversal (
    purchase_id BIGINT NOT NULL REFERENCES purchase,
    line_no     INTEGER NOT NULL,
    event_key   UUID NOT NULL,
    credits     BIGINT NOT NULL,
    shortfall   BIGINT NOT NULL,
    minor       BIGINT NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (purchase_id, line_no, event_key)
);

-- What the world is told: the outbox, and for a while the record of what was said.
CREATE TABLE notice (
    notice_id    UUID PRIMARY KEY,
    -- NULL for event.parked, which belongs to no account.
    account_id   BIGINT,
    account      TEXT COLLATE "C",
    -- From 1, without a gap, per account; 0 for event.parked.
    sequence     BIGINT NOT NULL,
    type         TEXT NOT NULL,
    unit         TEXT COLLATE "C",
    event_key    UUID NOT NULL,
    source       TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    traceparent  TEXT,
    occurred_at  TIMESTAMPTZ NOT NULL,
    recorded_at  TIMESTAMPTZ NOT NULL,
    -- The notice's data member, as it is published.
    data         TEXT NOT NULL,
    -- When the broker confirmed it; NULL: waiting.
    published_at TIMESTAMPTZ,
    CONSTRAINT notice_numbered CHECK ((account_id IS NULL) = (sequence = 0)),
    CONSTRAINT notice_addressed CHECK ((account_id IS NULL) = (account IS NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);

CREATE UNIQUE INDEX notice_of_account ON notice (account_id, sequence)
    WHERE account_id IS NOT NULL;
-- The relay's queue: per account in sequence.
CREATE INDEX notice_waiting ON notice (account_id NULLS FIRST, sequence, notice_id)
    WHERE published_at IS NULL;

-- Thresholds latched and let go, with the balance that did it. Never changes.
CREATE TABLE latch_flip (
    account_id BIGINT NOT NULL,
    unit       TEXT COLLATE "C" NOT NULL,
    -- The last entry before it was judged.
    entry_seq  BIGINT NOT NULL,
    -- NULL: the balance was used up.
    threshold  BIGINT,
    latched    BOOLEAN NOT NULL,
    balance    BIGINT NOT NULL,
    event_key  UUID NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    -- A threshold that the catalog drops is let go without an entry, so after the same one.
    CONSTRAINT latch_flip_once
        UNIQUE NULLS NOT DISTINCT (account_id, unit, threshold, entry_seq, latched)
);

-- Events that could not be applied; the message itself is in the inbox row.
CREATE TABLE parked (
    event_key UUID PRIMARY KEY REFERENCES inbox,
    reason    TEXT NOT NULL,
    -- For people: which field or rule, what was found, what would be right.
    detail    TEXT NOT NULL,
    state     TEXT NOT NULL DEFAULT 'open',
    parked_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT parked_state_known CHECK (state IN ('open', 'released', 'discarded', 'superseded'))
);

CREATE INDEX parked_open ON parked (parked_at) WHERE state = 'open';

-- Who may do what only one daemon may do at a time; by the database's clock.
CREATE TABLE lease (
    name       TEXT PRIMARY KEY,
    holder     UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what is written here is never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'Correct the books with an event of its own.';
END $$;

CREATE TRIGGER entry_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reversal_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON reversal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER latch_flip_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON latch_flip
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER inbox_kept BEFORE DELETE OR TRUNCATE ON inbox
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
