//! Stand-in until the broker lands: only the shape that the settings fill.

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::Secret;

#[derive(Clone, Debug)]
pub struct BrokerSettings {
    pub url: Secret,
    pub connection_name: String,
    pub events_exchange: String,
    pub queue: String,
    pub dead_queue: String,
    pub dead_exchange: String,
    pub notices_exchange: String,
    pub bindings: Vec<String>,
    pub topology: TopologyMode,
    pub prefetch: u16,
    pub delivery_limit: u32,
    pub heartbeat: Duration,
    pub connect_timeout: Duration,
    pub operation_timeout: Duration,
    pub confirm_timeout: Duration,
    pub message_max_bytes: usize,
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyMode {
    Declare,
    Verify,
}
