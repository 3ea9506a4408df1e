//! From typed notices to what goes over the wire. Pure.

use crate::ledger::{AccountId, EventKey, EventName, Name, Timestamp};

/// A notice ready for the outbox: its envelope's members, and its data as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// 16 bytes, the same for the same notice whenever it is rendered.
    pub id: [u8; 16],
    /// `None` for `event.parked`, which belongs to no account.
    pub account: Option<(AccountId, Name)>,
    /// From 1, without a gap, per account; 0 for `event.parked`.
    pub sequence: i64,
    /// The type, without prefix.
    pub kind: &'static str,
    pub unit: Option<Name>,
    pub event: EventKey,
    pub event_name: EventName,
    pub traceparent: Option<Name>,
    pub occurred_at: Timestamp,
    /// The `data` member, as JSON text.
    pub data: String,
}
