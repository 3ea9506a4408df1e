//! Playing a scenario on Postgres: the same events through the same doors as a daemon's, one batch
//! a step, in a scratch database whose clock is the scenario's. What is seen afterwards is read
//! from the tables, as the commands and the relay read it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::catalog::Catalog;
use crate::daemon;
use crate::event::instruction::Instruction;
use crate::event::{Message, Sources, due_body, due_request, read};
use crate::ledger::{AccountId, Entry, Moved, Name, Record, Request, Timestamp, decide};
use crate::memory::PAYLOAD_MAX_BYTES;
use crate::notice::{Wire, render, render_parked};
use crate::scenario::{
    Act, Ending, Holding, Holdings, Instruct, Movement, Observed, OpenLot, Pending, Scenario, Step,
    Told, Value, told,
};
use crate::store::desk::held;
use crate::store::reading::{self, holdings};
use crate::store::scratch::{EntryRow, Scratch};
use crate::store::verify::verify;
use crate::store::waiting::find;
use crate::store::{Arrival, DueCursor, PendingNotice, ReadError, StoreError};

/// More notices than a step can cause.
const NOTICES_MAX: u32 = 10_000;
/// More than falls due in a scenario at once.
const DUE_MAX: u32 = 10_000;
/// Of each check that finds something.
const FINDINGS_MAX: usize = 3;

/// Why a scenario could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the properties that were kept of a message can't be read again")]
    Properties { source: serde_json::Error },
}

/// An entry's account, unit and number.
type Place = (String, String, i64);

/// What one batch decided: in which order to look for it in the tables.
struct Committed {
    record: Record,
    entries: Vec<Place>,
    notices: Vec<Uuid>,
    moved: Vec<Moved>,
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
    let Some(first) = scenario.steps.first() else { return Ok(Vec::new()) };
    let mut player = Player {
        scratch,
        sources: &scenario.sources,
        catalog: Arc::clone(&first.catalog),
        now: first.at,
        seen: HashSet::new(),
        done: HashSet::new(),
    };
    scratch.store().check_units(&daemon::units(&player.catalog)).await?;
    let mut observed = Vec::with_capacity(scenario.steps.len());
    for step in &scenario.steps {
        observed.push(player.play(step).await?);
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
            Self::Properties { .. } => true,
        }
    }
}

struct Player<'s> {
    scratch: &'s Scratch,
    sources: &'s Sources,
    catalog: Arc<Catalog>,
    now: Timestamp,
    /// Entries of earlier steps.
    seen: HashSet<Place>,
    /// What was due and done; a command that is parked stays due.
    done: HashSet<String>,
}

impl Player<'_> {
    async fn play(&mut self, step: &Step) -> Result<Observed, PlayError> {
        if !Arc::ptr_eq(&self.catalog, &step.catalog) {
            self.catalog = Arc::clone(&step.catalog);
            self.scratch.store().check_units(&daemon::units(&self.catalog)).await?;
        }
        let mut observed = Observed::default();
        self.wait_until(step.at, &mut observed).await?;
        observed.ending = match &step.act {
            None => None,
            Some(Act::Event(event)) => Some(self.take(&event.message, &mut observed).await?),
            Some(Act::Instruct(instruct)) => Some(self.instruct(instruct, &mut observed).await?),
        };
        observed.holdings = self.holdings().await?;
        Ok(observed)
    }

    /// Does what falls due on the way, one by one at its own time, as a daemon would that never
    /// slept.
    async fn wait_until(
        &mut self,
        at: Timestamp,
        observed: &mut Observed,
    ) -> Result<(), PlayError> {
        self.scratch.set_clock(at).await?;
        let rules = self.catalog.rules();
        let grace = Duration::try_from(rules.expiry_grace).unwrap_or_default();
        let mut cursor = DueCursor::default();
        loop {
            let store = self.scratch.store();
            let mut due = store.due(&mut cursor, Some(grace), &rules, DUE_MAX).await?;
            due.retain(|one| !self.done.contains(&one.id()));
            due.sort_by(|left, right| left.order().cmp(&right.order()));
            let Some(first) = due.first() else { break };
            let instant = first.at;
            self.now = self.now.max(instant);
            self.scratch.set_clock(self.now).await?;
            for one in due.iter().take_while(|one| one.at == instant) {
                self.done.insert(one.id());
                let (request, body) = (due_request(one), Some(due_body(one)));
                let arrival = Arrival { request, body, properties: None };
                let committed = self.commit(arrival).await?;
                self.see(&committed, observed).await?;
            }
            self.scratch.set_clock(at).await?;
            cursor = DueCursor::default();
        }
        self.now = self.now.max(at);
        self.scratch.set_clock(self.now).await?;
        Ok(())
    }

    async fn take(
        &mut self,
        message: &Message,
        observed: &mut Observed,
    ) -> Result<Ending, PlayError> {
        let (body, properties) = (Some(message.body.clone()), message.properties());
        let arrival = Arrival { request: self.read(message), body, properties };
        let committed = self.commit(arrival).await?;
        self.see(&committed, observed).await?;
        Ok(Ending::of(&committed.record))
    }

    async fn instruct(
        &mut self,
        instruct: &Instruct,
        observed: &mut Observed,
    ) -> Result<Ending, PlayError> {
        let mut parked = Vec::new();
        for one in held(self.scratch.tables(), &instruct.event).await? {
            let body = one.body.unwrap_or_default();
            let message = Message::kept(body, one.properties.as_deref());
            let message = message.map_err(|error| PlayError::Properties { source: error })?;
            parked.push((one.event, one.reason, message));
        }
        let waiting = find(self.scratch.tables(), &instruct.event).await?.into_iter();
        let waiting = waiting.map(|one| (one.key, one.name, one.waits_for)).collect();
        let pending = Pending { parked, waiting };
        let instruction = match instruct.instruction(pending, |message| self.read(message)) {
            Ok(instruction) => instruction,
            Err(why) => return Ok(Ending::refused(why)),
        };
        let Instruction { request, body } = instruction;
        let committed =
            self.commit(Arrival { request, body: Some(body), properties: None }).await?;
        self.see(&committed, observed).await?;
        Ok(Ending::of_instruction(&committed.record, &committed.moved))
    }

    fn read(&self, message: &Message) -> Request {
        read(message, &self.catalog, self.sources, PAYLOAD_MAX_BYTES)
    }

    /// One batch with one event in it.
    async fn commit(&self, arrival: Arrival) -> Result<Committed, StoreError> {
        let arrivals = [arrival];
        let mut batch = self.scratch.store().open_batch(&arrivals).await?;
        let [Arrival { request, .. }] = &arrivals;
        let now = batch.now;
        let record = decide(&mut batch.book, &self.catalog.rules(), request, now);
        let journal = &batch.book.journal;
        let told = journal.notices.iter().map(|notice| render(notice, &self.catalog));
        let wires: Vec<Wire> =
            told.chain(journal.parked_notices.iter().map(render_parked)).collect();
        let names: HashMap<AccountId, &Name> =
            batch.book.accounts.values().map(|account| (account.id, &account.name)).collect();
        let place = |entry: &Entry| {
            let account = names.get(&entry.account)?;
            Some((account.to_string(), entry.unit.to_string(), entry.seq))
        };
        let committed = Committed {
            entries: journal.entries.iter().filter_map(place).collect(),
            notices: wires.iter().map(|wire| Uuid::from_bytes(wire.id)).collect(),
            moved: journal.moved.clone(),
            record,
        };
        batch.commit(&arrivals, &wires).await?;
        Ok(committed)
    }

    async fn holdings(&self) -> Result<Holdings, PlayError> {
        let mut all = Holdings::new();
        for account in self.scratch.accounts().await? {
            let Some(found) = holdings(self.scratch.tables(), &account).await? else { continue };
            let units: BTreeMap<String, Holding> = found
                .balances
                .into_iter()
                .map(|balance| (balance.unit.clone(), holding(balance)))
                .filter(|(_, holding)| !holding.is_nothing())
                .collect();
            if !units.is_empty() {
                all.insert(account, units);
            }
        }
        Ok(all)
    }
}

impl Player<'_> {
    /// Reads from the tables what is new there, in the order in which it was decided; what was not
    /// decided and is there all the same comes last.
    async fn see(
        &mut self,
        committed: &Committed,
        observed: &mut Observed,
    ) -> Result<(), StoreError> {
        let place = |row: &EntryRow| (row.account.clone(), row.unit.clone(), row.seq);
        let mut entries = self.scratch.entries().await?;
        entries.retain(|row| self.seen.insert(place(row)));
        entries.sort_by_key(|row| {
            let place = place(row);
            committed.entries.iter().position(|one| *one == place).unwrap_or(usize::MAX)
        });
        observed.entries.extend(entries.into_iter().map(movement));
        // As the relay takes them: what waits is what this batch has written.
        let store = self.scratch.store();
        let mut notices = store.waiting_notices(None, NOTICES_MAX).await?;
        let ids: Vec<Uuid> = notices.iter().map(|notice| notice.id).collect();
        store.mark_published(&ids).await?;
        notices.sort_by_key(|notice| {
            committed.notices.iter().position(|id| *id == notice.id).unwrap_or(usize::MAX)
        });
        observed.notices.extend(notices.into_iter().map(seen));
        Ok(())
    }
}

fn movement(row: EntryRow) -> Movement {
    let EntryRow { account, unit, kind, credits, balance_after, lot, pending, .. } = row;
    Movement { account, unit, kind, credits, balance_after, lot, pending }
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

fn open_lot(lot: reading::HeldLot) -> OpenLot {
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
