//! `decide`: what one event does to the book. The only door into the books, for daemons, tests
//! and simulations alike.
//!
//! Refusals come first, then the point of no return, then changes: an event that is refused
//! leaves nothing behind but its record, so its neighbours in the batch never notice.

mod adjust;
mod answer;
mod attend;
mod desk;
mod forfeits;
mod forget;
mod give_back;
mod grant;
mod pay;
mod refund;
mod reverse;
mod time;
mod unuse;
mod update;
mod usage;
mod working;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::book::{Book, Met, Record};
use super::command::{Asks, Command, Request};
use super::desk::{OnDesk, Waiver};
use super::money::Money;
use super::names::{EventKey, Name, Timestamp};
use super::notices::ParkedNotice;
use super::outcome::{AppliedReason, Reason, Rejection, Verdict};
use super::terms::Watch;

/// What the ledger needs to know of the catalog beside the prices in a command.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub units: HashMap<Name, Watch>,
    /// What an operator waives for the event that is being released.
    pub waiver: Waiver,
    /// How long after its expiry a lot pays for usage that happened before (semantics 5.3).
    pub late_usage: SignedDuration,
    /// How long after a lot's time is over its expiry is posted (semantics 7.2).
    pub expiry_grace: SignedDuration,
    /// The packages that are sold, and what each costs for a quantity of one where it has a price.
    pub offers: Arc<HashMap<Name, Option<Money>>>,
}

impl Rules {
    pub fn watch(&self, unit: &Name) -> Watch {
        self.units.get(unit).cloned().unwrap_or_default()
    }
}

/// The two times of an event (semantics 7.3).
#[derive(Clone, Copy)]
struct Clock {
    /// The books' own.
    now: Timestamp,
    /// The event's, at most now.
    occurred_at: Timestamp,
}

/// Decides one event and changes the book accordingly. `now` is the books' clock: event times
/// ahead of it count as now (semantics 7.3). Never fails: what can't be applied is parked.
pub fn decide(book: &mut Book, rules: &Rules, request: &Request, now: Timestamp) -> Record {
    let occurred_at = request.occurred_at.map_or(now, |at| at.min(now));
    let clock = Clock { now, occurred_at };
    match book.met(request) {
        Met::Never => {
            let record = apply(book, rules, request, clock);
            keep(book, request, &record);
            record
        }
        Met::Before(key) => again(book, request, key, occurred_at),
        Met::Differing => {
            answer::paid(book, request);
            let record = conflict(book, request, occurred_at);
            // What follows from it is caused by its own row, not by the first one's.
            let request = Request { key: record.key, ..request.clone() };
            answer::unposted(book, rules, &request, &record, clock);
            record
        }
        Met::Correcting(older) => desk::supersede(book, rules, request, older, clock),
    }
}

/// The same name with the same meaning changes nothing (semantics 3.1). What time asks again,
/// because it is parked or another daemon was faster, did not come from anywhere.
fn again(book: &mut Book, request: &Request, key: EventKey, occurred_at: Timestamp) -> Record {
    if !matches!(request.asks, Asks::Command(Command::Time(_))) {
        book.journal.redelivered.push(key);
    }
    let record = Record::of(request, occurred_at, Verdict::Duplicate);
    Record { key, is_new: false, ..record }
}

/// The same name with another meaning has a row of its own (semantics 3.1).
fn conflict(book: &mut Book, request: &Request, occurred_at: Timestamp) -> Record {
    let rejection = Reason::Conflict.because(format!(
        "{} came before with another meaning; the first result stands",
        request.name
    ));
    let record = Record::of(request, occurred_at, Verdict::Parked(rejection));
    let record = Record { key: request.conflict_key, ..record };
    keep(book, request, &record);
    record
}

/// Takes a new event's end down.
fn keep(book: &mut Book, request: &Request, record: &Record) {
    book.seen.insert(record.key, record.fingerprint);
    if let Verdict::Parked(rejection) = &record.verdict {
        book.desk.insert(record.key, OnDesk::open(rejection.reason));
        tell_parked(book, request, record, rejection.clone());
    }
    book.journal.records.push(record.clone());
    unuse::note(book, record);
}

fn apply(book: &mut Book, rules: &Rules, request: &Request, clock: Clock) -> Record {
    let occurred_at = clock.occurred_at;
    answer::paid(book, request);
    let posted = match &request.asks {
        Asks::Nothing => Ok(Record::of(request, occurred_at, Verdict::Ignored)),
        Asks::Noted => {
            let verdict = Verdict::Applied(Some(AppliedReason::Noted));
            Ok(Record::of(request, occurred_at, verdict))
        }
        Asks::Rejected(rejection) => Err(rejection.clone()),
        Asks::Command(Command::Unread(payment)) => Err(payment.rejection.clone()),
        Asks::Command(Command::Pay(payment)) => pay::pay(book, rules, request, payment, clock),
        Asks::Command(Command::Refund(refund)) => {
            refund::refund(book, rules, request, refund, clock)
        }
        Asks::Command(Command::Use(usage)) => usage::draw(book, rules, request, usage, clock),
        Asks::Command(Command::Fail(failure)) => {
            Ok(answer::failed(book, rules, request, failure, clock))
        }
        Asks::Command(Command::Adjust(adjustment)) => {
            adjust::adjust(book, rules, request, adjustment, clock)
        }
        Asks::Command(Command::Update(update)) => {
            update::update(book, rules, request, update, clock)
        }
        Asks::Command(Command::Release(release)) => {
            Ok(desk::release(book, rules, request, release, clock))
        }
        Asks::Command(Command::Discard(discard)) => {
            Ok(desk::discard(book, request, discard, occurred_at))
        }
        Asks::Command(Command::Forget(forget)) => {
            Ok(forget::forget(book, request, forget, occurred_at))
        }
        Asks::Command(Command::Time(due)) => time::run(book, rules, request, due, clock),
        Asks::Command(Command::ReverseUsage(reversal)) => {
            unuse::reverse(book, rules, request, reversal, clock)
        }
    };
    let record = posted
        .unwrap_or_else(|rejection| Record::of(request, occurred_at, Verdict::Parked(rejection)));
    answer::unposted(book, rules, request, &record, clock);
    record
}

fn tell_parked(book: &mut Book, request: &Request, record: &Record, rejection: Rejection) {
    book.journal.parked_notices.push(ParkedNotice {
        event: record.key,
        by: record.key,
        event_name: request.name.clone(),
        reason: rejection.reason,
        traceparent: request.traceparent.clone(),
        occurred_at: record.occurred_at,
    });
}
