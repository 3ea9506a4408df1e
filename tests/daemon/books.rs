//! The books as text, a row a line, whoever keeps them: everything that the same events in the same
//! order must make the same, which is everything but row ids and the database's clock.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use creditd::catalog::Catalog;
use creditd::event::{self, Message, Sources};
use creditd::ledger::{
    Account, AccountId, Balance, Book, EventKey, Forfeit, Lot, Name, Purchase, Record, RefundName,
    Request, Rules, Settings, SliceFrom, Stamped, Timestamp, UsageRecord, decide,
};
use creditd::notice::{Wire, render, render_parked};
use creditd::settings;
use creditd::store::scratch::Scratch;
use creditd::store::verify::verify;
use creditd::store::{Arrival, DueCursor, Store};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use crate::database::{command_in_drop, server};

/// Kinds of rows, each with its rows, sorted.
pub(crate) type Text = BTreeMap<&'static str, Vec<String>>;

/// Books in a database of their own, whose clock is set by hand, written through the store alone.
pub(crate) struct Books {
    scratch: Option<Scratch>,
    name: String,
}

impl Books {
    pub(crate) async fn at(now: Timestamp) -> Self {
        let variable = ("CREDITD__DATABASE__URL".into(), server().into());
        let settings =
            settings::Settings::parse("creditd.toml".as_ref(), "", [variable], &[]).unwrap();
        let scratch = Scratch::create(&settings.database).await.unwrap();
        let name = sqlx::query_scalar("SELECT current_database()");
        let name = name.fetch_one(scratch.tables()).await.unwrap();
        scratch.set_clock(now).await.unwrap();
        Self { scratch: Some(scratch), name }
    }

    fn scratch(&self) -> &Scratch {
        self.scratch.as_ref().unwrap()
    }

    pub(crate) async fn set_clock(&self, now: Timestamp) {
        self.scratch().set_clock(now).await.unwrap();
    }

    /// One batch; gives the time at which it was decided.
    pub(crate) async fn post(
        &self,
        batch: &[Arrival],
        rules: &Rules,
        catalog: &Catalog,
    ) -> Timestamp {
        post(self.scratch().store(), batch, rules, catalog).await
    }

    /// All commands that are due, by their names.
    pub(crate) async fn due(&self, rules: &Rules) -> BTreeMap<String, Request> {
        let grace = Some(Duration::try_from(rules.expiry_grace).unwrap());
        let store = self.scratch().store();
        let all = store.due(&mut DueCursor::default(), grace, rules, 1_000).await;
        all.unwrap().iter().map(|due| (due.id(), event::due_request(due))).collect()
    }

    pub(crate) async fn text(&self) -> Text {
        in_tables(self.scratch().tables()).await
    }

    /// What `creditd verify` does.
    pub(crate) async fn prove(&self) {
        self.scratch().store().check_units(&[("CRD".into(), 2)]).await.unwrap();
        let verified = verify(self.scratch().tables(), 20, &mut |_| {}).await.unwrap();
        let broken: Vec<_> = verified.checks.iter().filter(|check| check.broken > 0).collect();
        assert!(verified.is_sound(), "{broken:#?}");
    }

    pub(crate) async fn drop(mut self) {
        self.scratch.take().unwrap().drop().await.unwrap();
    }
}

/// When a test has failed, and nobody has dropped the database.
impl Drop for Books {
    fn drop(&mut self) {
        if self.scratch.is_some() {
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            command_in_drop(server(), sql);
        }
    }
}

/// Opens, decides and commits one batch, as an intake does.
pub(crate) async fn post(
    store: &Store,
    arrivals: &[Arrival],
    rules: &Rules,
    catalog: &Catalog,
) -> Timestamp {
    let mut batch = store.open_batch(arrivals).await.unwrap();
    let now = batch.now;
    for arrival in arrivals {
        decide(&mut batch.book, rules, &arrival.request, now);
    }
    let notices = wires(&batch.book, catalog);
    batch.commit(arrivals, &notices).await.unwrap();
    now
}

pub(crate) fn arrival(request: &Request, body: &str) -> Arrival {
    let body = Some(body.as_bytes().to_vec());
    Arrival { request: request.clone(), body, properties: None }
}

/// A message as the intake reads it.
pub(crate) fn read(body: &str, catalog: &Catalog) -> Arrival {
    let message = Message { body: body.as_bytes().to_vec(), ..Message::default() };
    arrival(&event::read(&message, catalog, &Sources::default(), 65_536), body)
}

fn wires(book: &Book, catalog: &Catalog) -> Vec<Wire> {
    let journal = &book.journal;
    let notices = journal.notices.iter().map(|notice| render(notice, catalog));
    notices.chain(journal.parked_notices.iter().map(render_parked)).collect()
}

/// A row as text; an empty part is one that a row does not have.
macro_rules! row {
    ($($part:expr),+ $(,)?) => { [$($part.to_string()),+].join("|") };
}

fn or_none<T: ToString>(part: Option<T>) -> String {
    part.map_or_else(String::new, |part| part.to_string())
}

fn key(event: EventKey) -> uuid::Uuid {
    uuid::Uuid::from_bytes(event.0)
}

pub(crate) fn in_memory(book: &Book, catalog: &Catalog) -> Text {
    let names: HashMap<AccountId, &Account> =
        book.accounts.values().map(|account| (account.id, account)).collect();
    let balances: Vec<&Balance> = book
        .accounts
        .values()
        .flat_map(|account| account.balances.values())
        .map(Box::as_ref)
        .filter(|balance| balance.entry_seq > 0)
        .collect();
    let name = |id: &AccountId| &names[id].name;
    let lots = balances.iter().flat_map(|balance| {
        balance.lots.iter().map(|lot| row!(name(&balance.account), balance.unit, lot_row(lot)))
    });
    let entries = book.journal.entries.iter().map(|entry| {
        row!(
            name(&entry.account),
            entry.unit,
            entry.seq,
            entry.kind.code(),
            or_none(entry.lot.map(|lot| lot.0)),
            entry.credits.steps(),
            entry.balance_after.steps(),
            key(entry.event),
            entry.occurred_at.as_microsecond(),
            entry.is_pending,
        )
    });
    let flips = book.journal.flips.iter().map(|flip| {
        let threshold = or_none(flip.threshold.map(|threshold| threshold.steps()));
        let (account, is) = (name(&flip.account), (flip.latched, flip.balance.steps()));
        row!(account, flip.unit, flip.entry_seq, threshold, is.0, is.1, key(flip.event))
    });
    let adjustments = book.journal.adjustments.iter().map(|one| {
        let (account, moved) = (name(&one.account), one.credits.steps());
        row!(account, one.unit, moved, one.reason, one.actor, key(one.event))
    });
    Text::from([
        (
            "balances",
            sorted(balances.iter().map(|balance| balance_row(name(&balance.account), balance))),
        ),
        ("lots", sorted(lots)),
        ("forfeits", sorted(balances.iter().flat_map(|one| forfeit_rows(name(&one.account), one)))),
        ("entries", sorted(entries)),
        ("settings", sorted(book.accounts.values().flat_map(settings_rows))),
        ("adjustments", sorted(adjustments)),
        ("flips", sorted(flips)),
        ("lines", sorted(book.purchases.values().flat_map(line_rows))),
        ("slices", sorted(book.purchases.values().flat_map(slice_rows))),
        ("refunds", sorted(book.purchases.values().flat_map(refund_rows))),
        ("usage reversals", sorted(book.usages.values().flat_map(usage_reversal_rows))),
        ("notices", sorted(wires(book, catalog).iter().map(notice_row))),
        (
            "events",
            sorted(book.journal.records.iter().map(|record| event_row(record, book, &names))),
        ),
    ])
}

/// What an account sets for itself, and by which event.
fn settings_rows(account: &Account) -> Vec<String> {
    fn said<T>(member: &Stamped<T>) -> String {
        or_none(member.said.as_ref().map(|(_, by)| &by.id))
    }
    let row = |(unit, own): (&Name, &Settings)| {
        let low_balance = own.low_balance.value.as_ref().map(|list| {
            let steps: Vec<_> = list.iter().map(|line| line.steps().to_string()).collect();
            format!("[{}]", steps.join(", "))
        });
        row!(
            account.name,
            unit,
            or_none(low_balance),
            said(&own.low_balance),
            or_none(own.recovered_at.value.map(|at| at.steps())),
            said(&own.recovered_at),
            or_none(own.overdraft_limit.value.map(|at| at.steps())),
            said(&own.overdraft_limit),
            or_none(own.opening_balance.map(|at| at.steps())),
        )
    };
    account.settings.iter().map(row).collect()
}

fn balance_row(name: &str, balance: &Balance) -> String {
    let latched: Vec<String> =
        balance.latched.iter().map(|threshold| threshold.steps().to_string()).collect();
    row!(
        name,
        balance.unit,
        balance.balance.steps(),
        balance.overdraft.steps(),
        balance.pending.steps(),
        balance.entry_seq,
        balance.last_lot.0,
        balance.last_repayment,
        latched.join(","),
        balance.depleted,
        balance.peak.steps(),
        or_none(balance.look_at.map(Timestamp::as_microsecond)),
        as_json(balance.told.as_deref()),
        as_json(balance.asking.as_deref()),
    )
}

fn as_json<T: serde::Serialize>(part: Option<&T>) -> String {
    part.map_or_else(String::new, |part| jsonb(&serde_json::to_value(part).unwrap()))
}

/// As Postgres prints it: shorter keys first.
fn jsonb(value: &Value) -> String {
    let inner = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Array(list) => format!("[{}]", inner(list.iter().map(jsonb).collect())),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| (key.len(), key.as_str()));
            let member = |(key, value): (&String, &Value)| format!("\"{key}\": {}", jsonb(value));
            format!("{{{}}}", inner(members.into_iter().map(member).collect()))
        }
        plain => plain.to_string(),
    }
}

fn lot_row(lot: &Lot) -> String {
    row!(
        lot.no.0,
        lot.package,
        lot.family,
        lot.granted.steps(),
        lot.remaining.steps(),
        lot.forfeited.steps(),
        lot.counted.steps(),
        lot.promotional,
        lot.priority,
        lot.applies_to.join(","),
        lot.opened_at.as_microsecond(),
        lot.paid.paid_at.as_microsecond(),
        lot.paid.reference,
        or_none(lot.cost.as_ref().map(|cost| cost.minor)),
        lot.is_pending,
        lot.expired.steps(),
        or_none(lot.expires_at.map(Timestamp::as_microsecond)),
    )
}

fn forfeit_rows(name: &str, balance: &Balance) -> Vec<String> {
    let row = |one: &Forfeit| {
        let (by, lot, ever) = (one.by.0, one.lot.0, (one.restored.steps(), one.again.steps()));
        row!(name, balance.unit, by, lot, one.credits.steps(), ever.0, ever.1)
    };
    balance.forfeits.iter().map(row).collect()
}

fn references(purchase: &Purchase) -> String {
    let mut texts: Vec<String> = purchase
        .references
        .iter()
        .map(|one| format!("{} {} {}", one.namespace, one.kind.code(), one.value))
        .collect();
    texts.sort();
    texts.join(",")
}

fn line_rows(purchase: &Purchase) -> Vec<String> {
    let lines = purchase.sale.iter().flat_map(|sale| &sale.lines);
    (0..)
        .zip(lines)
        .map(|(no, line): (i32, _)| {
            row!(
                references(purchase),
                no,
                or_none(line.facts.line_id.as_ref()),
                line.facts.paid_minor,
                line.granted.steps(),
                line.reversed.steps(),
                line.shortfall.steps(),
                line.reversed_minor,
                or_none(line.lot.map(|lot| lot.0)),
                key(line.event),
            )
        })
        .collect()
}

fn slice_rows(purchase: &Purchase) -> Vec<String> {
    let lines = purchase.sale.iter().flat_map(|sale| &sale.lines);
    (0..)
        .zip(lines)
        .flat_map(|(no, line): (i32, _)| line.slices.iter().map(move |slice| (no, slice)))
        .map(|(no, slice)| {
            let (source, lot) = match slice.from {
                SliceFrom::Lot(lot) => ("lot", Some(lot.0)),
                SliceFrom::Overdraft => ("overdraft", None),
                SliceFrom::Lapsed => ("lapsed", None),
                SliceFrom::Shortfall => ("shortfall", None),
            };
            let moved = (slice.credits.steps(), slice.returned.steps());
            row!(references(purchase), no, slice.no, source, or_none(lot), moved.0, moved.1)
        })
        .collect()
}

fn refund_rows(purchase: &Purchase) -> Vec<String> {
    purchase
        .refunds
        .iter()
        .map(|(name, refund)| {
            let (source, name) = match name {
                RefundName::Id(id) => ("", id),
                RefundName::Event(event) => (&*event.source, &event.id),
            };
            row!(references(purchase), source, name, refund.status.code(), key(refund.event))
        })
        .collect()
}

fn usage_reversal_rows(usage: &UsageRecord) -> Vec<String> {
    usage
        .reversals
        .iter()
        .map(|(event, reversal)| {
            let quantity = or_none(reversal.quantity.map(|quantity| quantity.text()));
            let credits = or_none(reversal.credits.map(|credits| credits.steps()));
            row!(key(reversal.usage), key(*event), reversal.event_name, quantity, credits)
        })
        .collect()
}

/// What a parked notice says holds the time of its event, which is the clock's where it has none.
fn notice_row(notice: &Wire) -> String {
    let account = or_none(notice.account.as_ref().map(|(_, name)| name));
    let data = if notice.account.is_some() { &*notice.data } else { "" };
    let id = uuid::Uuid::from_bytes(notice.id);
    row!(account, notice.sequence, notice.kind, id, key(notice.event), data)
}

/// How an event ended, or ends since it was moved.
fn event_row(record: &Record, book: &Book, names: &HashMap<AccountId, &Account>) -> String {
    let used = record.used.as_ref();
    let moved = book.journal.moved.iter().rfind(|moved| moved.event == record.key);
    let ended = (record.verdict.outcome(), record.verdict.reason());
    let (outcome, reason) = moved.map_or(ended, |moved| (moved.outcome(), moved.reason()));
    row!(
        key(record.key),
        record.name.id,
        record.kind,
        outcome,
        or_none(reason),
        or_none(record.account.map(|account| &names[&account].name)),
        or_none(used.map(|used| used.cost.steps())),
        or_none(used.map(|used| used.uncovered.steps())),
    )
}

fn sorted(rows: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<String> = rows.into_iter().collect();
    rows.sort();
    rows
}

/// Of each kind, the parts of a row in the same order as in memory.
const ROWS: [(&str, &str); 13] = [
    (
        "balances",
        "SELECT name, unit, balance, overdraft, pending, entry_seq, last_lot, last_repayment,
             array_to_string(latched, ','), depleted, peak,
             (1000000 * extract(EPOCH FROM look_at))::BIGINT, told, asking
         FROM balance JOIN account USING (account_id)
         WHERE entry_seq > 0",
    ),
    (
        "lots",
        "SELECT name, unit, lot_no, package, family, granted, remaining, forfeited, counted,
             promotional, priority, array_to_string(applies_to, ','),
             (1000000 * extract(EPOCH FROM lot.opened_at))::BIGINT,
             (1000000 * extract(EPOCH FROM paid_at))::BIGINT, paid_by, cost_minor,
             pending, expired, (1000000 * extract(EPOCH FROM expires_at))::BIGINT
         FROM lot JOIN account USING (account_id)",
    ),
    (
        "forfeits",
        "SELECT name, unit, by_lot_no, lot_no, credits, restored, again
         FROM forfeit JOIN account USING (account_id)",
    ),
    (
        "entries",
        "SELECT name, unit, seq, entry.kind, lot_no, credits, balance_after, event_key,
             (1000000 * extract(EPOCH FROM occurred_at))::BIGINT, pending
         FROM entry JOIN account USING (account_id)",
    ),
    (
        "settings",
        "SELECT name, unit, said #>> '{low_balance,value}' AS a, said #>> '{low_balance,said,1,id}' AS b,
             said #>> '{recovered_at,value}' AS c, said #>> '{recovered_at,said,1,id}' AS d,
             said #>> '{overdraft_limit,value}' AS e, said #>> '{overdraft_limit,said,1,id}' AS f,
             said ->> 'opening_balance'
         FROM account, jsonb_each(settings) AS own (unit, said)",
    ),
    (
        "adjustments",
        "SELECT name, unit, credits, reason, actor, event_key
         FROM adjustment JOIN account USING (account_id)",
    ),
    (
        "flips",
        "SELECT name, unit, entry_seq, threshold, latched, balance, event_key
         FROM latch_flip JOIN account USING (account_id)",
    ),
    (
        "lines",
        "SELECT called.by, line_no, line_id, paid_minor, granted, reversed, shortfall,
             reversed_minor, lot_no, event_key
         FROM purchase_line JOIN called USING (purchase_id)",
    ),
    (
        "slices",
        "SELECT called.by, line_no, revocation_no, source, lot_no, credits, returned
         FROM revocation JOIN called USING (purchase_id)",
    ),
    (
        "refunds",
        "SELECT called.by, source, name, status, event_key
         FROM refund JOIN called USING (purchase_id)",
    ),
    (
        "usage reversals",
        "SELECT usage_key, event_key, event_source || '/' || event_id, quantity, credits
         FROM usage_reversal",
    ),
    (
        "notices",
        "SELECT account, sequence, type, notice_id, event_key,
             CASE WHEN account IS NOT NULL THEN data END
         FROM notice",
    ),
    (
        "events",
        "SELECT event_key, id, type, outcome, reason, name, cost, uncovered
         FROM inbox LEFT JOIN account USING (account_id)",
    ),
];

pub(crate) async fn in_tables(tables: &PgPool) -> Text {
    let mut text = Text::new();
    for (kind, rows) in ROWS {
        let sql = format!(
            "WITH called AS (
                 SELECT purchase_id, string_agg(name, ',' ORDER BY name COLLATE \"C\") AS by
                 FROM purchase_reference, concat_ws(' ', namespace, kind, value) AS name
                 GROUP BY purchase_id
             )
             SELECT string_agg(coalesce(part.value, ''), '|' ORDER BY part.place)
             FROM (SELECT row_number() OVER () AS number, row_to_json(rows) AS json FROM ({rows}) AS rows) AS numbered,
                 json_each_text(json) WITH ORDINALITY AS part (name, value, place)
             GROUP BY number"
        );
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(tables).await.unwrap();
        text.insert(kind, sorted(rows));
    }
    text
}
