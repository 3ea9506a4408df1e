//! The message as decoding sees it, and what of its properties is kept beside the body.

/// What `RabbitMQ` carried, reduced to what decoding may look at (events.md, reading a message).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    pub body: Vec<u8>,
    pub content_type: Option<String>,
    /// The AMQP `type` property.
    pub kind: Option<String>,
    pub routing_key: String,
    pub app_id: Option<String>,
    pub headers: Vec<(String, Header)>,
}

/// A header's value, as far as any convention uses it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Header {
    Text(String),
    Int(i64),
    Bool(bool),
    /// An AMQP timestamp, as it came: seconds by the standard, milliseconds from some clients.
    Timestamp(u64),
    /// A table, array or another type that no convention uses.
    Other,
}

impl Message {
    /// What reading the body again would need, as JSON text; `None` when the body says it all.
    pub fn properties(&self) -> Option<String> {
        #[derive(serde::Serialize)]
        struct Properties<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            content_type: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            r#type: Option<&'a str>,
            #[serde(skip_serializing_if = "str::is_empty")]
            routing_key: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            app_id: Option<&'a str>,
            #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
            headers: std::collections::BTreeMap<&'a str, &'a Header>,
        }
        let properties = Properties {
            content_type: self.content_type.as_deref(),
            r#type: self.kind.as_deref(),
            routing_key: &self.routing_key,
            app_id: self.app_id.as_deref(),
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        };
        // A NUL passes JSON and fails in jsonb.
        serde_json::to_string(&properties).ok().map(|text| text.replace("\\u0000", "\\ufffd"))
    }

    /// A message as it was kept: its body, and its properties as [`Message::properties`] gave them.
    ///
    /// # Errors
    /// When the properties are none that this version or an earlier one has written.
    pub fn kept(body: Vec<u8>, properties: Option<&str>) -> Result<Self, serde_json::Error> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Properties {
            content_type: Option<String>,
            r#type: Option<String>,
            routing_key: String,
            app_id: Option<String>,
            headers: std::collections::BTreeMap<String, serde_json::Value>,
        }
        let kept = match properties {
            Some(text) => serde_json::from_str(text)?,
            None => Properties::default(),
        };
        let headers = kept.headers.into_iter();
        Ok(Self {
            body,
            content_type: kept.content_type,
            kind: kept.r#type,
            routing_key: kept.routing_key,
            app_id: kept.app_id,
            headers: headers.map(|(name, value)| (name, Header::kept(value))).collect(),
        })
    }

    /// The text of a header, matched without regard to case; `None` when it is missing or no text.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| match value {
            Header::Text(text) if key.eq_ignore_ascii_case(name) => Some(text.as_str()),
            Header::Text(_)
            | Header::Int(_)
            | Header::Bool(_)
            | Header::Timestamp(_)
            | Header::Other => None,
        })
    }
}

impl Message {
    /// The text of a header that names something; a name may be a number.
    pub(super) fn header_name(&self, name: &str) -> Option<String> {
        self.headers.iter().find_map(|(key, value)| match value {
            Header::Text(text) if key.eq_ignore_ascii_case(name) => Some(text.clone()),
            Header::Int(number) if key.eq_ignore_ascii_case(name) => Some(number.to_string()),
            Header::Text(_)
            | Header::Int(_)
            | Header::Bool(_)
            | Header::Timestamp(_)
            | Header::Other => None,
        })
    }

    /// Whether its headers are those of a `CloudEvent` in binary mode, by any of their prefixes.
    pub(super) fn is_binary_mode(&self) -> bool {
        self.headers.iter().any(|(key, _)| {
            let key = key.to_ascii_lowercase();
            ["cloudevents:", "cloudevents_", "ce-"]
                .iter()
                .any(|prefix| key.strip_prefix(prefix) == Some("specversion"))
        })
    }
}

impl Header {
    /// Times come back as the numbers that they are kept as; no convention tells them apart.
    fn kept(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::String(text) => Self::Text(text),
            Value::Bool(flag) => Self::Bool(flag),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => Self::Int(integer),
                (None, Some(instant)) => Self::Timestamp(instant),
                (None, None) => Self::Other,
            },
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_name_an_event_and_binary_mode_is_recognised() {
        let with = |name: &str, value| Message {
            headers: vec![(name.to_owned(), value)],
            ..Message::default()
        };

        assert_eq!(with("Event-Id", Header::Int(7)).header_name("event-id").as_deref(), Some("7"));
        assert_eq!(with("event-id", Header::Bool(true)).header_name("event-id"), None);
        for name in ["cloudEvents:specversion", "cloudEvents_specversion", "ce-specversion"] {
            assert!(with(name, Header::Text("1.0".to_owned())).is_binary_mode(), "{name}");
        }
        assert!(!with("specversion", Header::Text("1.0".to_owned())).is_binary_mode());
    }

    #[test]
    fn what_is_kept_of_a_message_reads_as_the_message_did() {
        let message = Message {
            body: b"{}".to_vec(),
            content_type: Some("application/json".to_owned()),
            kind: Some("payment.succeeded".to_owned()),
            routing_key: "shop".to_owned(),
            app_id: Some("shop".to_owned()),
            headers: vec![
                ("event-id".to_owned(), Header::Text("e1".to_owned())),
                ("flag".to_owned(), Header::Bool(true)),
                ("list".to_owned(), Header::Other),
                ("number".to_owned(), Header::Int(-7)),
            ],
        };

        let kept = Message::kept(message.body.clone(), message.properties().as_deref()).unwrap();

        assert_eq!(kept, message);
        assert_eq!(
            Message::kept(b"{}".to_vec(), None).unwrap(),
            Message { body: b"{}".to_vec(), ..Message::default() }
        );
    }
}
