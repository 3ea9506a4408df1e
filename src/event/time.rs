//! What time asks, as a request: with a name of its own, like any event, so that it is done once.

use serde_json::json;

use super::meaning::{Meaning, conflict_key, event_key};
use crate::ledger::{
    Asks, Book, Command, Due, DueKind, EventName, Name, Request, Rules, Timestamp, due,
};

/// Whose commands these are.
const SOURCE: &str = "creditd";

/// The command's type.
pub fn kind_of(kind: DueKind) -> &'static str {
    match kind {
        DueKind::Open => "lot.open",
        DueKind::Warn => "lot.warn",
        DueKind::Expire => "lot.expire",
        DueKind::Look => "balance.look",
    }
}

/// The command that does what is due.
pub fn due_request(due: &Due) -> Request {
    let name = EventName { source: Name::from(SOURCE), id: Name::from(due.id()) };
    let key = event_key(&name);
    let kind = kind_of(due.kind);
    let mut meaning = Meaning::of(kind);
    meaning.text(&due.account).text(&due.unit);
    meaning.maybe_integer(due.lot.map(|lot| i64::from(lot.0))).time(Some(due.at));
    let fingerprint = meaning.fingerprint();
    Request {
        key,
        conflict_key: conflict_key(key, fingerprint),
        fingerprint,
        name,
        kind: Name::from(kind),
        occurred_at: Some(due.occurred_at),
        traceparent: None,
        asks: Asks::Command(Command::Time(due.clone())),
    }
}

/// The command as a message, to be kept like an event's.
pub fn due_body(due: &Due) -> Vec<u8> {
    let body = json!({
        "specversion": "1.0",
        "type": kind_of(due.kind),
        "source": SOURCE,
        "id": due.id(),
        "subject": &*due.account,
        "time": due.occurred_at.to_string(),
        "data": { "unit": &*due.unit, "lot": due.lot.map(|lot| lot.0) },
    });
    body.to_string().into_bytes()
}

/// Everything in a whole book that is due by `until` and was not decided yet, in its order. Deciding
/// it may make more due: whoever runs it asks again until nothing comes.
pub fn due_requests(book: &Book, rules: &Rules, until: Timestamp) -> Vec<Request> {
    due(book, rules, until)
        .iter()
        .map(due_request)
        .filter(|request| !book.seen.contains_key(&request.key))
        .collect()
}

/// Whether a name is one of the books' own, which nobody outside can give.
pub(super) fn is_own(name: &EventName) -> bool {
    let begins = |kind: DueKind| name.id.starts_with(&format!("{}:", kind.code()));
    &*name.source == SOURCE && DueKind::ALL.into_iter().any(begins)
}
