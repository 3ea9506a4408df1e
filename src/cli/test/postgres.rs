//! Playing a scenario on Postgres: the same events through the same doors as a daemon's, one batch
//! a step, in a scratch database whose clock is the scenario's. What is seen afterwards is read
//! from the tables, as the commands and the relay read it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::catalog::Catalog;
use crate::event::{Sources, read};
use crate::ledger::{AccountId, Entry, Name, Record, decide};
use crate::memory::PAYLOAD_MAX_BYTES;
use crate::notice::{Wire, render, render_parked};
use crate::scenario::{
    Ending, Event, Holding, Movement, Observed, OpenLot, Scenario, Step, Told, Value, told,
};
use crate::store::reading::{self, holdings};
use crate::store::scratch::{EntryRow, Scratch};
use crate::store::verify::verify;
use crate::store::{Arrival, PendingNotice, ReadError, StoreError};

/// More notices than a step can cause.
const NOTICES_MAX: u32 = 10_000;
/// Of each check that finds something.
const FINDINGS_MAX: usize = 3;

/// Why a scenario could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// An entry's account, unit and number.
type Place = (String, String, i64);

/// What one batch decided: in which order to look for it in the tables.
struct Committed {
    record: Record,
    entries: Vec<Place>,
    notices: Vec<Uuid>,
}

/// What is to be seen after each step.
///
/// # Errors
/// [`PlayError`].
pub(super) async fn play(
    scratch: &Scratch,
    scenario: &Scenario,
) -> Result<Vec<Observed>, PlayError> {
    scratch.clear().await?;
    let mut observed = Vec::with_capacity(scenario.steps.len());
    let mut catalog = None;
    let mut seen = HashSet::new();
    for step in &scenario.steps {
        if !catalog.is_some_and(|before| Arc::ptr_eq(before, &step.catalog)) {
            let units = step.catalog.units();
            let units: Vec<_> = units.map(|(code, unit)| (code.clone(), unit.decimals)).collect();
            scratch.store().check_units(&units).await?;
            catalog = Some(&step.catalog);
        }
        observed.push(play_step(scratch, step, &mut seen).await?);
    }
    Ok(observed)
}

/// What must always be true of the books and is not (semantics 10).
///
/// # Errors
/// [`PlayError`].
pub(super) async fn unsound(scratch: &Scratch) -> Result<Vec<String>, PlayError> {
    let verified = verify(scratch.tables(), FINDINGS_MAX, &mut |_| {}).await?;
    let broken = verified.checks.into_iter().filter(|checked| checked.broken > 0);
    Ok(broken
        .flat_map(|checked| {
            let told = move |finding| format!("{}, but {finding}", checked.rule);
            checked.findings.into_iter().map(told)
        })
        .collect())
}

impl PlayError {
    /// Whether the scenario is to blame, and not a server or its rights.
    pub(super) fn is_about_the_scenario(&self) -> bool {
        match self {
            Self::Store(error) => error.is_about_an_event(),
            Self::Read(_) => false,
        }
    }
}

async fn play_step(
    scratch: &Scratch,
    step: &Step,
    seen: &mut HashSet<Place>,
) -> Result<Observed, PlayError> {
    scratch.set_clock(step.at).await?;
    let mut observed = Observed::default();
    if let Some(event) = &step.event {
        let committed = commit(scratch, event, &step.catalog).await?;
        observed.ending = Some(Ending::of(&committed.record));
        see(scratch, &committed, seen, &mut observed).await?;
    }
    for account in scratch.accounts().await? {
        let Some(found) = holdings(scratch.tables(), &account).await? else { continue };
        let units: BTreeMap<String, Holding> = found
            .balances
            .into_iter()
            .map(|balance| (balance.unit.clone(), holding(balance)))
            .filter(|(_, holding)| !holding.is_nothing())
            .collect();
        if !units.is_empty() {
            observed.holdings.insert(account, units);
        }
    }
    Ok(observed)
}

/// One batch with one event in it.
async fn commit(
    scratch: &Scratch,
    event: &Event,
    catalog: &Catalog,
) -> Result<Committed, StoreError> {
    let Event { message, .. } = event;
    let request = read(message, catalog, &Sources::default(), PAYLOAD_MAX_BYTES);
    let (body, properties) = (Some(message.body.clone()), message.properties());
    let arrivals = [Arrival { request, body, properties }];
    let mut batch = scratch.store().open_batch(&arrivals).await?;
    let [Arrival { request, .. }] = &arrivals;
    let now = batch.now;
    let record = decide(&mut batch.book, &catalog.rules(), request, now);
    let journal = &batch.book.journal;
    let wires: Vec<Wire> = journal
        .notices
        .iter()
        .map(|notice| render(notice, catalog))
        .chain(journal.parked_notices.iter().map(render_parked))
        .collect();
    let names: HashMap<AccountId, &Name> =
        batch.book.accounts.values().map(|account| (account.id, &account.name)).collect();
    let place = |entry: &Entry| {
        let account = names.get(&entry.account)?;
        Some((account.to_string(), entry.unit.to_string(), entry.seq))
    };
    let committed = Committed {
        entries: journal.entries.iter().filter_map(place).collect(),
        notices: wires.iter().map(|wire| Uuid::from_bytes(wire.id)).collect(),
        record,
    };
    batch.commit(&arrivals, &wires).await?;
    Ok(committed)
}

/// Reads from the tables what is new there, in the order in which it was decided; what was not
/// decided and is there all the same comes last.
async fn see(
    scratch: &Scratch,
    committed: &Committed,
    seen_before: &mut HashSet<Place>,
    observed: &mut Observed,
) -> Result<(), StoreError> {
    let place = |row: &EntryRow| (row.account.clone(), row.unit.clone(), row.seq);
    let mut entries = scratch.entries().await?;
    entries.retain(|row| seen_before.insert(place(row)));
    entries.sort_by_key(|row| {
        let place = place(row);
        committed.entries.iter().position(|one| *one == place).unwrap_or(usize::MAX)
    });
    observed.entries.extend(entries.into_iter().map(movement));
    // As the relay takes them: what waits is what this batch has written.
    let mut notices = scratch.store().waiting_notices(None, NOTICES_MAX).await?;
    let ids: Vec<Uuid> = notices.iter().map(|notice| notice.id).collect();
    scratch.store().mark_published(&ids).await?;
    notices.sort_by_key(|notice| {
        committed.notices.iter().position(|id| *id == notice.id).unwrap_or(usize::MAX)
    });
    observed.notices.extend(notices.into_iter().map(seen));
    Ok(())
}

fn movement(row: EntryRow) -> Movement {
    let EntryRow { account, unit, kind, credits, balance_after, lot, .. } = row;
    Movement { account, unit, kind, credits, balance_after, lot }
}

fn seen(notice: PendingNotice) -> Value {
    told(&Told {
        kind: &notice.kind,
        data: &notice.data,
        account: notice.account.as_ref().map(|(_, name)| &**name),
        sequence: notice.sequence,
        event: &notice.event_name,
        occurred_at: notice.occurred_at,
    })
}

fn holding(balance: reading::Holding) -> Holding {
    let reading::Holding { balance, overdraft, pending, lots, .. } = balance;
    Holding { balance, overdraft, pending, lots: lots.into_iter().map(open_lot).collect() }
}

fn open_lot(lot: reading::OpenLot) -> OpenLot {
    OpenLot {
        package: lot.package,
        granted: lot.granted,
        remaining: lot.remaining,
        promotional: lot.promotional,
        priority: lot.priority,
        applies_to: lot.applies_to,
        opened_at: lot.opened_at,
        expires_at: lot.expires_at,
    }
}
