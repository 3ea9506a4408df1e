//! What time asks, as a request: with a name of its own, like any event, so that it is done once.

use serde_json::json;

use super::Message;
use super::meaning::{Meaning, conflict_key, event_key};
use crate::ledger::{
    Asks, Book, Command, Due, DueKind, EventName, LotNo, Name, PurchaseId, Request, Rules,
    Timestamp, due,
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
        "data": {
            "unit": &*due.unit,
            "lot": due.lot.map(|lot| lot.0),
            "purchase": due.purchase.map(|purchase| purchase.0),
        },
    });
    body.to_string().into_bytes()
}

/// What a command of that name asked, from the message that was kept of it; `None`: it is no command
/// of time. Nobody outside can send one, so only what was parked is read so.
pub(super) fn kept_due(name: &EventName, message: &Message) -> Option<Due> {
    #[derive(serde::Deserialize)]
    struct Body {
        r#type: String,
        subject: String,
        time: Timestamp,
        data: Data,
    }
    #[derive(serde::Deserialize)]
    struct Data {
        unit: String,
        lot: Option<i32>,
        purchase: Option<i64>,
    }
    if !is_own(name) {
        return None;
    }
    let Body { r#type, subject, time, data } = serde_json::from_slice(&message.body).ok()?;
    let kind = DueKind::ALL.into_iter().find(|kind| kind_of(*kind) == r#type)?;
    let mut due = Due {
        at: time,
        kind,
        account: Name::from(subject),
        unit: Name::from(data.unit),
        lot: data.lot.map(LotNo),
        purchase: data.purchase.map(PurchaseId),
        occurred_at: time,
    };
    // The name ends with the instant from which on it is due.
    let first_part = due.id().strip_suffix(&time.to_string())?.to_owned();
    due.at = name.id.strip_prefix(&first_part)?.parse().ok()?;
    Some(due)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_command_of_time_asks_the_same_7_1() {
        for kind in DueKind::ALL {
            let lot = (kind != DueKind::Look).then_some(LotNo(7));
            let due = Due {
                at: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
                kind,
                account: Name::from("a/b:c"),
                unit: Name::from("CRD"),
                lot,
                purchase: lot.map(|_| PurchaseId(12)),
                occurred_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            };
            let message = Message { body: due_body(&due), ..Message::default() };
            let name = due_request(&due).name;

            assert_eq!(kept_due(&name, &message), Some(due));
            let outside = EventName { source: Name::from("shop"), ..name };
            assert_eq!(kept_due(&outside, &message), None);
        }
    }
}
