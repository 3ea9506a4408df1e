-- Operators and accounts: adjustments, and what an account sets for itself.

-- By unit: the account's own thresholds, overdraft limit, top-up and opening balance, each with the
-- event that said it. NULL for all who set nothing. Amounts are whole steps of their unit.
ALTER TABLE account
    ADD COLUMN settings JSONB,
    ADD CONSTRAINT account_settings_by_unit CHECK (jsonb_typeof(settings) = 'object');

-- Who put credits in or took them out, and why. Never changes.
CREATE TABLE adjustment (
    event_key   UUID PRIMARY KEY,
    account_id  BIGINT NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    -- Signed, as the balance sees it.
    credits     BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    actor       TEXT NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT adjustment_moves CHECK (credits <> 0),
    CONSTRAINT adjustment_explained CHECK (reason <> '' AND actor <> '')
);

CREATE TRIGGER adjustment_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One kind more, beside those that are allowed by now.
DO $$
DECLARE
    allowed TEXT;
BEGIN
    SELECT pg_get_expr(conbin, conrelid) INTO STRICT allowed
    FROM pg_constraint
    WHERE conrelid = 'entry'::REGCLASS AND conname = 'entry_kind_known';
    EXECUTE format('ALTER TABLE entry
        DROP CONSTRAINT entry_kind_known,
        ADD CONSTRAINT entry_kind_known CHECK (%s OR kind = ''adjusted'')', allowed);
END $$;

ALTER TABLE entry
    ADD CONSTRAINT entry_adjusted_sign
        CHECK (kind <> 'adjusted' OR credits < 0 OR lot_no IS NOT NULL);

-- An account may change its thresholds without an entry in between, so flips are numbered: in the
-- order of this number they alternate.
ALTER TABLE latch_flip
    ADD COLUMN flip_no BIGINT GENERATED ALWAYS AS IDENTITY,
    DROP CONSTRAINT latch_flip_once,
    ADD CONSTRAINT latch_flip_once
        UNIQUE NULLS NOT DISTINCT (account_id, unit, threshold, event_key, latched);

CREATE VIEW creditd_read.adjustment AS
SELECT
    account.name AS account,
    adjustment.unit,
    creditd_read.whole_units(adjustment.credits, unit.decimals) AS credits,
    adjustment.reason,
    adjustment.actor,
    inbox.source,
    inbox.id AS event_id,
    adjustment.occurred_at,
    adjustment.recorded_at
FROM creditd.adjustment
JOIN creditd.account ON account.account_id = adjustment.account_id
JOIN creditd.unit ON unit.unit = adjustment.unit
LEFT JOIN creditd.inbox ON inbox.event_key = adjustment.event_key;

COMMENT ON VIEW creditd_read.adjustment IS
    'Credits that an operator put in or took out, with who did it and why.';
COMMENT ON COLUMN creditd_read.adjustment.credits IS 'Signed, as the balance sees it.';
COMMENT ON COLUMN creditd_read.adjustment.source IS
    'Who sent the event: creditd for the command line.';

CREATE VIEW creditd_read.setting AS
SELECT
    account.name AS account,
    own.unit,
    CASE WHEN own.low_balance IS NOT NULL THEN ARRAY(
        SELECT creditd_read.whole_units(line.steps::NUMERIC, unit.decimals)
        FROM jsonb_array_elements_text(own.low_balance) WITH ORDINALITY AS line (steps, place)
        ORDER BY line.place
    ) END AS low_balance,
    creditd_read.whole_units(own.recovered_at, unit.decimals) AS recovered_at,
    creditd_read.whole_units(own.overdraft_limit, unit.decimals) AS overdraft_limit,
    creditd_read.whole_units(own.opening_balance, unit.decimals) AS opening_balance,
    own.topup IS NOT NULL AS has_topup
FROM creditd.account
CROSS JOIN LATERAL (
    SELECT
        setting.unit,
        nullif(setting.said #> '{low_balance,value}', 'null') AS low_balance,
        (setting.said #>> '{recovered_at,value}')::NUMERIC AS recovered_at,
        (setting.said #>> '{overdraft_limit,value}')::NUMERIC AS overdraft_limit,
        (setting.said ->> 'opening_balance')::NUMERIC AS opening_balance,
        nullif(setting.said #> '{topup,value}', 'null') AS topup
    FROM jsonb_each(account.settings) AS setting (unit, said)
) AS own
JOIN creditd.unit ON unit.unit = own.unit;

COMMENT ON VIEW creditd_read.setting IS
    'What accounts set for themselves, a row for each unit; what is NULL is the catalog''s.';
COMMENT ON COLUMN creditd_read.setting.low_balance IS
    'Thresholds, highest first; empty: none at all.';
COMMENT ON COLUMN creditd_read.setting.overdraft_limit IS
    'The most overdraft to which usage may lead; NULL: any.';
COMMENT ON COLUMN creditd_read.setting.opening_balance IS
    'What the account began with; granted once.';
COMMENT ON COLUMN creditd_read.setting.has_topup IS
    'Whether top-up settings are kept; nothing acts on them yet.';

COMMENT ON COLUMN creditd_read.entry.kind IS
    'granted, used, overdrawn, revoked, restored, forfeited, carried, repaid, forgiven or adjusted.';
COMMENT ON COLUMN creditd_read.event.reason IS
    'Why it was parked, or why an applied event moved nothing: waiting, known, zero, unsettled, '
    'updated.';
COMMENT ON COLUMN creditd_read.lot.package IS
    'adjustment and opening_balance for lots that nobody bought.';
COMMENT ON COLUMN creditd_read.lot.purchase IS
    'The row of view purchase; NULL for what nobody bought, and for what a reset carried over.';
