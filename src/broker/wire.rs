//! Between lapin's types and ours: what a delivery becomes, and what goes out with a publication.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::{BrokerError, Delivery, Outgoing};
use crate::event::{Header, Message};

const SHORT_STRING_MAX_BYTES: usize = 255;
const PERSISTENT: u8 = 2;

/// A text that AMQP limits to 255 bytes; lapin's own conversions panic beyond.
pub(super) fn short(what: &'static str, text: &str) -> Result<ShortString, BrokerError> {
    ShortString::try_new(text).map_err(|_| BrokerError::TooLong {
        what: what.into(),
        bytes: text.len(),
        max: SHORT_STRING_MAX_BYTES,
    })
}

/// The body is moved; the properties are few and short.
pub(super) fn delivery(from: lapin::message::Delivery) -> Delivery {
    let properties = &from.properties;
    let message = Message {
        content_type: text(properties.content_type().as_ref()),
        kind: text(properties.kind().as_ref()),
        app_id: text(properties.app_id().as_ref()),
        headers: properties.headers().as_ref().map(headers).unwrap_or_default(),
        routing_key: from.routing_key.into(),
        body: from.data,
    };
    Delivery { tag: from.delivery_tag, redelivered: from.redelivered, message }
}

pub(super) fn properties(outgoing: &Outgoing) -> Result<BasicProperties, BrokerError> {
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(short("the message id", &outgoing.message_id)?);
    if let Some(kind) = &outgoing.kind {
        properties = properties.with_type(short("the type", kind)?);
    }
    if let Some(content_type) = &outgoing.content_type {
        properties = properties.with_content_type(short("the content type", content_type)?);
    }
    if let Some(app_id) = &outgoing.app_id {
        properties = properties.with_app_id(short("the app id", app_id)?);
    }
    if let Some(seconds) = outgoing.timestamp_seconds {
        properties = properties.with_timestamp(seconds);
    }
    if !outgoing.headers.is_empty() {
        let mut table = FieldTable::default();
        for (name, value) in &outgoing.headers {
            let value = AMQPValue::LongString(value.as_str().into());
            table.insert(short("a header's name", name)?, value);
        }
        properties = properties.with_headers(table);
    }
    Ok(properties)
}

fn text(short: Option<&ShortString>) -> Option<String> {
    short.map(|short| short.as_str().to_owned())
}

fn headers(table: &FieldTable) -> Vec<(String, Header)> {
    table.into_iter().map(|(name, value)| (name.as_str().to_owned(), header(value))).collect()
}

fn header(value: &AMQPValue) -> Header {
    match value {
        AMQPValue::LongString(bytes) => match std::str::from_utf8(bytes.as_bytes()) {
            Ok(text) => Header::Text(text.to_owned()),
            Err(_) => Header::Other,
        },
        AMQPValue::ShortString(text) => Header::Text(text.as_str().to_owned()),
        AMQPValue::Boolean(value) => Header::Bool(*value),
        AMQPValue::ShortShortInt(value) => Header::Int((*value).into()),
        AMQPValue::ShortShortUInt(value) => Header::Int((*value).into()),
        AMQPValue::ShortInt(value) => Header::Int((*value).into()),
        AMQPValue::ShortUInt(value) => Header::Int((*value).into()),
        AMQPValue::LongInt(value) => Header::Int((*value).into()),
        AMQPValue::LongUInt(value) => Header::Int((*value).into()),
        AMQPValue::LongLongInt(value) => Header::Int(*value),
        AMQPValue::Timestamp(value) => Header::Timestamp(*value),
        AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => Header::Other,
    }
}
