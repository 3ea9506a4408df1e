//! What is seen from outside: logs, metrics, health, and the small server that shows the last two.
//!
//! Must not know the database, the broker or the ledger: they are told of here by name and number.

pub mod health;
pub mod http;
pub mod logs;
pub mod metrics;
