//! The message around a notice: structured `CloudEvents` JSON, and headers for those who route.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::json;
use crate::ledger::Timestamp;

/// What the relay publishes as a notice's content type.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// A notice read back from the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The notice's id in the usual text form of a UUID; also the AMQP `message_id`.
    pub id: String,
    /// `None` for `event.parked`.
    pub account: Option<String>,
    pub sequence: i64,
    pub kind: String,
    /// The causing event.
    pub source: String,
    pub event_id: String,
    pub traceparent: Option<String>,
    pub occurred_at: Timestamp,
    pub data: String,
}

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'static str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitionkey: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    causationid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    data: Cow<'a, RawValue>,
}

const SOURCE: &str = "creditd";

impl Publication {
    /// The message's body.
    pub fn body(&self) -> Vec<u8> {
        let data = match serde_json::from_str::<&RawValue>(&self.data) {
            Ok(data) => Cow::Borrowed(data),
            Err(_) => Cow::Owned(RawValue::NULL.to_owned()),
        };
        let envelope = Envelope {
            specversion: "1.0",
            id: &self.id,
            source: SOURCE,
            r#type: &self.kind,
            subject: self.account.as_deref(),
            time: self.occurred_at.to_string(),
            datacontenttype: "application/json",
            partitionkey: self.account.as_deref(),
            sequence: self.padded_sequence(),
            causationid: self.cause(),
            traceparent: self.traceparent.as_deref(),
            data,
        };
        json(&envelope).into_bytes()
    }

    /// The envelope's members once more, for subscribers that filter by header.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            ("specversion", "1.0".to_owned()),
            ("id", self.id.clone()),
            ("source", SOURCE.to_owned()),
            ("type", self.kind.clone()),
            ("time", self.occurred_at.to_string()),
            ("causationid", self.cause()),
        ];
        let account = self.account.clone();
        headers.extend(account.clone().map(|account| ("subject", account)));
        headers.extend(account.map(|account| ("partitionkey", account)));
        headers.extend(self.padded_sequence().map(|sequence| ("sequence", sequence)));
        headers.extend(self.traceparent.clone().map(|parent| ("traceparent", parent)));
        let prefixed = |(name, value)| (format!("cloudEvents_{name}"), value);
        headers.into_iter().map(prefixed).collect()
    }

    /// Sorts as text as it does as a number.
    fn padded_sequence(&self) -> Option<String> {
        (self.sequence > 0).then(|| format!("{:020}", self.sequence))
    }

    fn cause(&self) -> String {
        format!("{}/{}", self.source, self.event_id)
    }
}
