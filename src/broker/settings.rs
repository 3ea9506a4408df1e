use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

/// Everything that connecting, declaring, consuming and publishing are told.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// `amqp://` or `amqps://`, with the password.
    pub url: Secret,
    /// What the broker's own tools show for our connections.
    pub connection_name: String,
    pub events_exchange: String,
    pub queue: String,
    pub dead_queue: String,
    pub dead_exchange: String,
    pub notices_exchange: String,
    /// Routing keys of the events exchange that are bound to the queue.
    pub bindings: Vec<String>,
    pub topology: TopologyMode,
    /// Deliveries that may be out unacknowledged; the only bound on the consumer's memory.
    pub prefetch: u16,
    /// How often a delivery may come back before the broker dead-letters it. Every crash of ours
    /// counts once for each delivery that was out.
    pub delivery_limit: u32,
    /// A dead peer is noticed after two of these. Whole seconds, at least one.
    pub heartbeat: Duration,
    /// From the first packet until the broker has let us in.
    pub connect_timeout: Duration,
    /// One request to the broker; for a window of publications, until all are written.
    pub operation_timeout: Duration,
    /// From the last publication of a window being written until all of it is confirmed.
    pub confirm_timeout: Duration,
    /// The largest message that the publisher sends, body and headers.
    pub message_max_bytes: usize,
    /// Certificates in PEM to trust for `amqps://`, besides the system's. A system without any (an
    /// empty container) is an error all the same; there `SSL_CERT_FILE` may name this file.
    pub ca_file: Option<PathBuf>,
}

/// Who owns the exchanges and queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyMode {
    /// We do: what is missing is made, what differs is an error.
    Declare,
    /// The operator does: what is missing is an error, and nothing is made.
    Verify,
}
