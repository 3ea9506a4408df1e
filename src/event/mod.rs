//! From wire to typed values. Pure: knows no server and no library of one.
//!
//! [`read`] turns a message into a [`Request`] and never fails: what can't be read is a request
//! that asks to be parked, under its own name where it has one, else under the hash of its bytes.
//! A new event type is a file here, a line in [`KINDS`] and one in `decode`.

mod account;
mod adjustment;
pub mod difference;
mod dispute;
mod envelope;
mod failure;
mod fields;
pub mod instruction;
mod json;
mod meaning;
mod message;
mod payment;
mod refund;
mod reversal;
mod time;
mod usage;
mod void;

use std::collections::HashMap;

use envelope::Envelope;
use fields::Fields;
use meaning::{Meaning, conflict_key, fingerprint_of_bytes, hex_of_bytes};

use crate::catalog::Catalog;
use crate::ledger::{
    Asks, Command, EventName, Fingerprint, Name, Reason, Reference, ReferenceKind, Rejection,
    Request,
};

pub use meaning::event_key;
pub use message::{Header, Message};
pub use time::{due_body, due_request, due_requests, kind_of};

/// The event types that this version applies.
pub const KINDS: [&str; 9] = [
    payment::KIND,
    failure::KIND,
    refund::KIND,
    void::KIND,
    dispute::KIND,
    usage::KIND,
    reversal::KIND,
    adjustment::KIND,
    account::KIND,
];

/// Where events come from, by config (events.md 3).
#[derive(Clone, Debug)]
pub struct Sources {
    /// The source of plain messages that name none.
    pub default: Name,
    /// What types of every source may start with.
    pub type_prefix: Option<String>,
    pub named: HashMap<Name, Source>,
}

#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Sources of one namespace share their references; each has its own unless said.
    pub namespace: Option<Name>,
    pub type_prefix: Option<String>,
}

/// Who sent an event; what reading its data needs to know.
struct Context<'a> {
    namespace: Name,
    subject: Option<&'a Name>,
}

const OTHER_REFERENCES_MAX: usize = 20;
const UNNAMED_SOURCE: &str = "sha-256";

/// Reads one message: which event it is, what it means, and what it asks of the books.
/// `payload_max_bytes` bounds the body.
pub fn read(
    message: &Message,
    catalog: &Catalog,
    sources: &Sources,
    payload_max_bytes: usize,
) -> Request {
    if message.body.len() > payload_max_bytes {
        return unnamed(message, Reason::TooLarge.because(format!(
            "the body has {} bytes, {payload_max_bytes} at most; it is in the dead-letter queue",
            message.body.len()
        )));
    }
    let body = match json::parse(&message.body) {
        Ok(body) => body,
        Err(problem) => return unnamed(message, Reason::Malformed.because(problem)),
    };
    let envelope = Envelope::open(message, &body, sources);
    let Some(id) = envelope.id.clone() else {
        let rejection = envelope.data.err().unwrap_or_else(|| no_id(message));
        let mut request = unnamed(message, rejection);
        request.kind = envelope.kind.unwrap_or(request.kind);
        return request;
    };
    let name = EventName { source: envelope.source.clone(), id };
    if time::is_own(&name) {
        let detail = format!("the id {} is a name of creditd's own commands", name.id);
        return unnamed(message, Reason::Malformed.because(detail));
    }
    let decoded = decode(&envelope, &name, catalog, sources);
    let (fingerprint, asks) =
        decoded.unwrap_or_else(|asks| (fingerprint_of_bytes(&message.body), asks));
    let key = event_key(&name);
    Request {
        key,
        conflict_key: conflict_key(key, fingerprint),
        fingerprint,
        name,
        kind: envelope.kind.unwrap_or_else(|| Name::from("")),
        occurred_at: envelope.occurred_at,
        traceparent: envelope.traceparent,
        asks,
    }
}

fn no_id(message: &Message) -> Rejection {
    Reason::Malformed.because(match message.is_binary_mode() {
        true => {
            "the event has no id: its headers are those of CloudEvents in binary mode, and this \
             version reads the structured mode only, with the envelope in the body"
        }
        false => {
            "the event has no id: send it as \"id\" in the envelope, the header event-id, \
             or data.event_id"
        }
    })
}

/// What an event means, and what it asks. An `Err` could not be decoded, and asks to be parked.
fn decode(
    envelope: &Envelope<'_>,
    name: &EventName,
    catalog: &Catalog,
    sources: &Sources,
) -> Result<(Fingerprint, Asks), Asks> {
    let Some(kind) = &envelope.kind else {
        return Err(Reason::Malformed.because("the event has no type").into());
    };
    let data = Fields::of(envelope.data.clone()?, "data")?;
    let context =
        Context { namespace: sources.namespace(&name.source), subject: envelope.subject.as_ref() };
    match kind.as_ref() {
        ignored if catalog.ignores(ignored) => {
            Ok((Meaning::of(ignored).fingerprint(), Asks::Nothing))
        }
        payment::KIND => {
            let event = payment::PaymentSucceeded::read(&data, &context)
                .map_err(|rejection| payment::unread(&data, &context, rejection))?;
            Ok((event.meaning().fingerprint(), Asks::Command(event.command(catalog))))
        }
        refund::KIND => {
            let event = refund::InvoiceRefunded::read(&data, &context)?;
            Ok((event.meaning().fingerprint(), Asks::Command(event.command(name))))
        }
        void::KIND => {
            let event = void::InvoiceVoided::read(&data, &context)?;
            Ok((event.meaning().fingerprint(), Asks::Command(event.command(name))))
        }
        dispute::KIND => {
            let event = dispute::PaymentDisputed::read(&data, &context)?;
            Ok((event.meaning().fingerprint(), Asks::Command(event.command(name))))
        }
        failure::KIND => {
            let event = failure::PaymentFailed::read(&data, &context)?;
            Ok((event.meaning().fingerprint(), event.asks()))
        }
        usage::KIND => {
            let event = usage::UsageRecorded::read(&data, &context)?;
            let fingerprint = event.meaning().fingerprint();
            Ok((fingerprint, event.asks(catalog).unwrap_or_else(Asks::Rejected)))
        }
        adjustment::KIND => {
            let event = adjustment::CreditsAdjusted::read(&data, &context)?;
            let fingerprint = event.meaning().fingerprint();
            Ok((fingerprint, asks(event.command(catalog))))
        }
        account::KIND => {
            let event = account::AccountUpdated::read(&data, &context)?;
            let fingerprint = event.meaning().fingerprint();
            Ok((fingerprint, asks(event.command(catalog))))
        }
        reversal::KIND => {
            let event = reversal::UsageReversed::read(&data, name)?;
            Ok((event.meaning().fingerprint(), Asks::Command(event.command())))
        }
        unknown => Err(Reason::UnknownType
            .because(format!(
                "{unknown} is no event type that this version applies: {}",
                KINDS.join(", ")
            ))
            .into()),
    }
}

fn asks(command: Result<Command, Rejection>) -> Asks {
    command.map_or_else(Asks::Rejected, Asks::Command)
}

/// An event without a name is named by its bytes (semantics 3.1).
fn unnamed(message: &Message, rejection: Rejection) -> Request {
    let name = EventName {
        source: Name::from(UNNAMED_SOURCE),
        id: Name::from(hex_of_bytes(&message.body)),
    };
    let (key, fingerprint) = (event_key(&name), fingerprint_of_bytes(&message.body));
    Request {
        key,
        conflict_key: conflict_key(key, fingerprint),
        fingerprint,
        name,
        kind: Name::from(""),
        occurred_at: None,
        traceparent: None,
        asks: Asks::Rejected(rejection),
    }
}

impl Sources {
    fn namespace(&self, source: &Name) -> Name {
        let configured = self.named.get(source).and_then(|source| source.namespace.clone());
        configured.unwrap_or_else(|| source.clone())
    }

    fn type_prefix(&self, source: &Name) -> Option<&str> {
        let own = self.named.get(source).and_then(|source| source.type_prefix.as_deref());
        own.or(self.type_prefix.as_deref())
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self { default: Name::from("creditd"), type_prefix: None, named: HashMap::new() }
    }
}

impl Context<'_> {
    /// `data.account`, else the envelope's subject (events.md 4).
    fn account(&self, data: &Fields<'_>) -> Result<Name, Rejection> {
        match data.text("account")?.or_else(|| self.subject.cloned()) {
            Some(account) => Ok(account),
            None => Err(data.missing("account")),
        }
    }
}

/// The references that identify, and the order id to echo. An order identifies only where nothing
/// else does (semantics 4.11).
fn references(
    data: &Fields<'_>,
    context: &Context<'_>,
) -> Result<(Vec<Reference>, Option<Name>), Rejection> {
    let (references, order_id) = some_references(data, context)?;
    match references.is_empty() {
        false => Ok((references, order_id)),
        true => Err(data.wrong(
            "invoice_id",
            "is missing; send at least one of invoice_id, payment_id, order_id, references",
        )),
    }
}

/// Like [`references`], where there may be none.
fn some_references(
    data: &Fields<'_>,
    context: &Context<'_>,
) -> Result<(Vec<Reference>, Option<Name>), Rejection> {
    let reference = |kind, value| Reference { namespace: context.namespace.clone(), kind, value };
    let mut references: Vec<Reference> = [
        data.text("invoice_id")?.map(|value| reference(ReferenceKind::Invoice, value)),
        data.text("payment_id")?.map(|value| reference(ReferenceKind::Payment, value)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let others = data.texts("references", OTHER_REFERENCES_MAX)?;
    references.extend(others.into_iter().map(|value| reference(ReferenceKind::Other, value)));
    let order_id = data.text("order_id")?;
    if let (true, Some(order)) = (references.is_empty(), &order_id) {
        references.push(reference(ReferenceKind::Order, order.clone()));
    }
    references.sort();
    references.dedup();
    Ok((references, order_id))
}

fn mean_references(meaning: &mut Meaning, references: &[Reference]) {
    meaning.count(references.len());
    for reference in references {
        meaning.text(reference.kind.code()).text(&reference.value);
    }
}
