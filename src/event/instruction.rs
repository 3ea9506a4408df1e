//! What an operator asks of the books, as an event of its own: source `creditd`, a name that
//! makes a repeat harmless, and a body that tells who did it and why (semantics 9.3).
//!
//! Instructions never come over the wire: their types are none that [`super::read`] applies.

use serde::Serialize;

use super::meaning::{Meaning, conflict_key};
use super::time::{due_request, kept_due};
use super::{Message, event_key};
use crate::ledger::{
    Asks, Command, Discard, EventKey, EventName, Forget, Name, ParkedEvent, Release, Request,
    WaitsFor, Waiver, WhenSpent, forgetting,
};

pub use crate::ledger::OPERATOR;

pub const RELEASED: &str = "event.released";
pub const DISCARDED: &str = "event.discarded";

/// A request of an operator, and the body to keep with it.
#[derive(Clone, Debug)]
pub struct Instruction {
    pub request: Request,
    pub body: Vec<u8>,
}

/// The parked event's message, read again with today's catalog; what time asked is asked again.
pub fn read_again(
    parked: &ParkedEvent,
    message: &Message,
    read: impl Fn(&Message) -> Request,
) -> Request {
    Request {
        key: parked.key,
        name: parked.name.clone(),
        occurred_at: Some(parked.occurred_at),
        ..match kept_due(&parked.name, message) {
            Some(due) => due_request(&due),
            None => read(message),
        }
    }
}

/// Applies a parked event as if it came now. `event` is what [`read_again`] made of it.
pub fn release(parked: &ParkedEvent, event: Request, waiver: Waiver, actor: &str) -> Instruction {
    #[derive(Serialize)]
    struct Data<'a> {
        event: String,
        event_key: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        when_spent: Option<WhenSpent>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        refund_anyway: bool,
        actor: &'a str,
    }
    let key = hex(parked.key);
    let mut id = format!("release:{key}:{}", parked.tries.saturating_add(1));
    for (is_said, word) in [
        (waiver.when_spent == Some(WhenSpent::Debt), ":debt"),
        (waiver.when_spent == Some(WhenSpent::Clamp), ":clamp"),
        (waiver.refund_anyway, ":anyway"),
    ] {
        if is_said {
            id.push_str(word);
        }
    }
    let data = Data {
        event: parked.name.to_string(),
        event_key: key,
        when_spent: waiver.when_spent,
        refund_anyway: waiver.refund_anyway,
        actor,
    };
    let asks = Asks::Command(Command::Release(Box::new(Release {
        event,
        first: event_key(&parked.name),
        waiver,
    })));
    Instruction::new(RELEASED, &id, &data, asks)
}

/// Gives a parked event up for good.
pub fn discard(parked: &ParkedEvent, reason: &str, actor: &str) -> Instruction {
    let asks = Asks::Command(Command::Discard(Discard {
        event: parked.key,
        name: parked.name.clone(),
        first: event_key(&parked.name),
    }));
    give_up(&format!("discard:{}", hex(parked.key)), parked.key, &parked.name, reason, actor, asks)
}

/// Gives an event up that waits for another.
pub fn forget(
    event: EventKey,
    name: &EventName,
    waits_for: WaitsFor,
    reason: &str,
    actor: &str,
) -> Instruction {
    let asks = Asks::Command(Command::Forget(Box::new(Forget { event, waits_for })));
    give_up(&forgetting(event).id, event, name, reason, actor, asks)
}

/// `id` tells forgetting from discarding: what can't be forgotten any more may park, and be
/// discarded then.
fn give_up(
    id: &str,
    event: EventKey,
    name: &EventName,
    reason: &str,
    actor: &str,
    asks: Asks,
) -> Instruction {
    #[derive(Serialize)]
    struct Data<'a> {
        event: String,
        event_key: &'a str,
        reason: &'a str,
        actor: &'a str,
    }
    let key = hex(event);
    let data = Data { event: name.to_string(), event_key: &key, reason, actor };
    Instruction::new(DISCARDED, id, &data, asks)
}

impl Instruction {
    /// An instruction that its name tells wholly: the same `id` is the same instruction, whoever
    /// gives it for whatever reason. `data` is kept, and says `actor` and, where one is asked for,
    /// `reason`.
    pub fn new(kind: &str, id: &str, data: &impl Serialize, asks: Asks) -> Self {
        #[derive(Serialize)]
        struct Body<'a, T> {
            specversion: &'static str,
            r#type: &'a str,
            source: &'static str,
            id: &'a str,
            data: &'a T,
        }
        let body = Body { specversion: "1.0", r#type: kind, source: OPERATOR, id, data };
        let name = EventName { source: Name::from(OPERATOR), id: Name::from(id) };
        let mut meaning = Meaning::of(kind);
        meaning.text(id);
        let (key, fingerprint) = (event_key(&name), meaning.fingerprint());
        let request = Request {
            key,
            conflict_key: conflict_key(key, fingerprint),
            fingerprint,
            name,
            kind: Name::from(kind),
            occurred_at: None,
            traceparent: None,
            asks,
        };
        // Our own types always serialise.
        Self { request, body: serde_json::to_vec(&body).unwrap_or_default() }
    }
}

fn hex(key: EventKey) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}
