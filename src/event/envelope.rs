//! Around the data: structured `CloudEvents` and plain messages (events.md 1 to 4, 6).

use super::fields::{Fields, instant, printable};
use super::json::Json;
use super::{Message, Sources};
use crate::ledger::{Name, Rejection, Timestamp};

/// What an envelope says, as far as it could be read. The name is kept even when the rest is
/// wrong, so that a parked event is known by it.
pub(super) struct Envelope<'a> {
    pub(super) kind: Option<Name>,
    pub(super) source: Name,
    pub(super) id: Option<Name>,
    pub(super) subject: Option<Name>,
    pub(super) occurred_at: Option<Timestamp>,
    pub(super) traceparent: Option<Name>,
    pub(super) data: Result<&'a Json<'a>, Rejection>,
}

impl<'a> Envelope<'a> {
    pub(super) fn open(message: &Message, body: &'a Json<'a>, sources: &Sources) -> Self {
        let is_structured = body.member("specversion").is_some() && body.member("type").is_some();
        let mut envelope = match is_structured {
            true => Self::structured(body, sources),
            false => Self::plain(message, body, sources),
        };
        let header = message.header_text("traceparent").filter(|text| printable(text).is_ok());
        if let Some(traceparent) = header {
            envelope.traceparent = Some(Name::from(traceparent));
        }
        let prefix = sources.type_prefix(&envelope.source);
        envelope.kind = envelope.kind.map(|kind| normal_kind(&kind, prefix));
        envelope
    }

    fn structured(body: &'a Json<'a>, sources: &Sources) -> Self {
        let text = |member: &str| body.member(member).and_then(Json::text);
        let good =
            |member: &str| text(member).filter(|text| printable(text).is_ok()).map(Name::from);
        Self {
            kind: good("type"),
            source: good("source").unwrap_or_else(|| sources.default.clone()),
            id: good("id"),
            subject: good("subject"),
            occurred_at: text("time").and_then(instant),
            traceparent: good("traceparent"),
            data: Self::structured_data(body),
        }
    }

    /// The data of a structured event whose envelope is right.
    fn structured_data(body: &'a Json<'a>) -> Result<&'a Json<'a>, Rejection> {
        let envelope = Fields::of(body, "event")?;
        if envelope.required_text("specversion")?.as_ref() != "1.0" {
            return Err(envelope.wrong("specversion", "is not \"1.0\""));
        }
        for member in ["type", "source", "id"] {
            envelope.required_text(member)?;
        }
        envelope.text("subject")?;
        envelope.time("time")?;
        if let Some(content_type) = envelope.text("datacontenttype")? {
            let is_json = content_type
                .split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
            if !is_json {
                return Err(envelope.wrong("datacontenttype", "is not application/json"));
            }
        }
        if envelope.has("data_base64") {
            return Err(envelope.wrong("data_base64", "is not read; send data as a JSON object"));
        }
        envelope.get("data").ok_or_else(|| envelope.missing("data"))
    }

    fn plain(message: &Message, body: &'a Json<'a>, sources: &Sources) -> Self {
        let good = |text: &str| printable(text).is_ok().then(|| Name::from(text));
        let of_body = || body.member("event_id").and_then(Json::text).and_then(good);
        let kind = message.kind.as_deref().filter(|kind| !kind.is_empty());
        let source = message.header_text("event-source").or(message.app_id.as_deref());
        Self {
            kind: good(kind.unwrap_or(&message.routing_key)),
            source: source.and_then(good).unwrap_or_else(|| sources.default.clone()),
            id: message.header_name("event-id").as_deref().and_then(good).or_else(of_body),
            subject: None,
            occurred_at: None,
            traceparent: None,
            data: Fields::of(body, "the body").map(|_| body),
        }
    }
}

/// `-` and `_` read as `.`, and a configured prefix left out: `com.shop.payment-succeeded` is
/// `payment.succeeded`.
fn normal_kind(kind: &str, prefix: Option<&str>) -> Name {
    let bare = prefix.and_then(|prefix| kind.strip_prefix(prefix)).unwrap_or(kind);
    Name::from(bare.replace(['-', '_'], "."))
}
