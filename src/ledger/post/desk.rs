//! What an operator decides of a parked event, and what a corrected one does to it (semantics 9.3).

use super::{Clock, Rules, apply, keep, unuse};
use crate::ledger::book::{Book, Record};
use crate::ledger::command::Request;
use crate::ledger::desk::{DeskState, Discard, Fate, Moved, NotOnDesk, OnDesk, Release};
use crate::ledger::names::{EventKey, Timestamp};
use crate::ledger::outcome::{AppliedReason, Verdict};

/// The parked event is decided as if it came now. Refused again, it stays parked, and the command
/// is declined.
pub(super) fn release(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    release: &Release,
    clock: Clock,
) -> Record {
    let key = release.event.key;
    if on_desk(book, key).and_then(|one| one.refuse_release(release.waiver)).is_err() {
        return Record::of(request, clock.occurred_at, Verdict::Declined);
    }
    let occurred_at = release.event.occurred_at.map_or(clock.now, |at| at.min(clock.now));
    let rules = Rules { waiver: release.waiver, ..rules.clone() };
    let record = apply(book, &rules, &release.event, Clock { occurred_at, ..clock });
    let (fate, verdict, state, released_as) = match &record.verdict {
        Verdict::Parked(rejection) => (
            Fate::StillParked(rejection.clone()),
            Verdict::Declined,
            DeskState::Open(rejection.reason),
            None,
        ),
        Verdict::Applied(_) | Verdict::Duplicate | Verdict::Ignored | Verdict::Declined => {
            unuse::note(book, &record);
            let meaning = record.fingerprint;
            let verdict = Verdict::Applied(Some(AppliedReason::Released));
            (Fate::Released(Box::new(record)), verdict, DeskState::Released, Some(meaning))
        }
    };
    if let Some(one) = book.desk.get_mut(&key) {
        one.state = state;
        one.tries = one.tries.saturating_add(1);
        one.released_as = released_as.or(one.released_as);
    }
    book.journal.moved.push(Moved { event: key, by: request.key, fate });
    Record::of(request, clock.occurred_at, verdict)
}

pub(super) fn discard(
    book: &mut Book,
    request: &Request,
    discard: &Discard,
    occurred_at: Timestamp,
) -> Record {
    let key = discard.event;
    if on_desk(book, key).and_then(OnDesk::refuse_discard).is_err() {
        return Record::of(request, occurred_at, Verdict::Declined);
    }
    if let Some(one) = book.desk.get_mut(&key) {
        one.state = DeskState::Discarded;
    }
    unuse::idle(book, &discard.name);
    book.journal.moved.push(Moved { event: key, by: request.key, fate: Fate::Discarded });
    let verdict = Verdict::Applied(Some(AppliedReason::Discarded));
    Record::of(request, occurred_at, verdict)
}

/// A corrected event is judged afresh. The older keeps the key that their name makes, so the newer
/// lives under the one that a conflict would have.
pub(super) fn supersede(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    older: EventKey,
    clock: Clock,
) -> Record {
    let first = request.key;
    let request = Request { key: request.conflict_key, ..request.clone() };
    let record = apply(book, rules, &request, clock);
    if let Some(one) = book.desk.get_mut(&older) {
        one.state = DeskState::Superseded;
    }
    if let Some(one) = book.desk.get_mut(&first) {
        one.newest = Some(request.key);
    }
    let fate = Fate::Superseded { first };
    book.journal.moved.push(Moved { event: older, by: request.key, fate });
    keep(book, &request, &record);
    record
}

fn on_desk(book: &Book, key: EventKey) -> Result<&OnDesk, NotOnDesk> {
    book.desk.get(&key).ok_or(NotOnDesk::NotParked)
}
