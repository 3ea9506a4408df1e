//! `creditd::broker` against a real broker: `CREDITD_TEST_AMQP`, or the one on this machine.
//!
//! Each test lives in a [`world::World`] of its own, whose exchanges and queues no other test
//! knows and which are deleted with it. Tests wait for conditions, never for time; a condition
//! that does not come true in [`world::PATIENCE`] fails the test.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot proceed panics")]

mod alarms;
mod consuming;
mod faults;
mod publishing;
mod secrets;
mod topology;
mod world;

#[path = "../common/proxy.rs"]
mod proxy;
