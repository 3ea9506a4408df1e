//! The real daemon, on real servers, with what can go wrong going wrong.
//!
//! Every test lives in a [`world::World`] of its own: a database, exchanges and queues that no
//! other test knows, a subscriber to the notices, and the program as child processes. Tests wait
//! for conditions, never for time; after each of them `creditd verify` proves the books.
//!
//! | file | what happens |
//! | --- | --- |
//! | `once` | the same thing told again, at once, in any order |
//! | `poison` | messages that can't be applied among those that can |
//! | `crashes` | SIGKILL and lost replies at the worst moments |
//! | `restarts` | a server goes away under load |
//! | `batching`, `randomly` | however events are batched, the books are the same as in memory |
//! | `signals` | SIGTERM and SIGHUP |
//! | `relaying` | two daemons and one relay; a broker that blocks publishers |
//! | `health`, `rights`, `commands`, `operators` | what an operator meets |

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test crate: a panic is a failed test"
)]

mod batching;
mod books;
mod child;
mod commands;
mod crashes;
mod desk;
mod events;
mod health;
mod once;
mod operators;
mod poison;
mod randomly;
mod relay_steps;
mod relaying;
mod restarts;
mod rights;
mod servers;
mod signals;
mod subscriber;
mod time;
mod waiting;
mod world;

#[path = "../common/asked.rs"]
mod asked;
#[path = "../common/database.rs"]
mod database;
#[path = "../common/implied.rs"]
mod implied;
#[path = "../common/proxy.rs"]
mod proxy;
#[path = "../common/streams.rs"]
mod streams;
#[path = "../common/words.rs"]
mod words;
