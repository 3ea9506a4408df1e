//! creditd: prepaid credits from `RabbitMQ` events, kept in `PostgreSQL`, each event exactly once
//! in effect.
//!
//! Modules in reading order. Arrows only point upwards in this list (`tests/tidy.rs` holds it), and
//! the first eight are pure: no clock, no randomness, no network, no logging.
//!
//! | module | is | must not know |
//! | --- | --- | --- |
//! | [`ledger`] | what an event does to the books | wire formats, the catalog's file, servers |
//! | [`mistake`] | a mistake in a configuration: where, what, what would be right | any setting |
//! | [`catalog`] | units, packages, meters: matching and pricing | events on the wire, servers |
//! | [`event`] | from wire to typed values | servers |
//! | [`notice`] | from typed values to wire | servers |
//! | [`memory`] | the books in memory, with a clock of their own | servers |
//! | [`scenario`] | scenario files: what happens, what is expected, where it differs | servers |
//! | [`simulation`] | many events in memory, also by two catalogs | servers |
//! | [`secret`] | a text that is never printed | what it opens |
//! | [`store`] | the books in Postgres | the broker |
//! | [`broker`] | `RabbitMQ`: topology, subscription, publisher | the database |
//! | [`settings`] | servers and limits, typed | what they do |
//! | [`observe`] | logs, metrics, health | the books, the servers |
//! | [`daemon`] | where they meet: intake, relay, supervisor | the command line |
//! | [`cli`] | one file a subcommand | |

pub mod catalog;
pub mod event;
pub mod ledger;
pub mod memory;
pub mod mistake;
pub mod notice;
pub mod scenario;
pub mod secret;
pub mod simulation;

#[cfg(feature = "servers")]
pub mod broker;
#[cfg(feature = "servers")]
pub mod cli;
#[cfg(feature = "servers")]
pub mod daemon;
#[cfg(feature = "servers")]
pub mod observe;
#[cfg(feature = "servers")]
pub mod settings;
#[cfg(feature = "servers")]
pub mod store;
