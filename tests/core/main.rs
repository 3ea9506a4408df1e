//! The rules, in memory: what an event does to the books. Named after semantics' rules.

#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test crate: nothing is exported, and a panic is a failed test"
)]

mod accounts;
mod adjustments;
mod audit;
mod desk;
mod disputes;
mod finer;
mod forfeits;
mod grants;
mod invariants;
mod notices;
mod once;
mod orders;
mod properties;
mod refunds;
mod rows;
mod time;
mod topups;
mod unused;
mod usage;
mod waiting;
mod world;

#[path = "../common/asked.rs"]
mod asked;
#[path = "../common/implied.rs"]
mod implied;
#[path = "../common/streams.rs"]
mod streams;
#[path = "../common/words.rs"]
mod words;
