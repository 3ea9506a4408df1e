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
#[derive(Clone, Debug, PartialEq, Eq)]
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
