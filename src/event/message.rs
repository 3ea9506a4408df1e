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
