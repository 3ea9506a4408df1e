//! The store against a real Postgres: `CREDITD_TEST_POSTGRES`, or one on this machine.
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

#[path = "store/books.rs"]
mod books;
#[path = "common/database.rs"]
mod database;
#[path = "store/essence.rs"]
mod essence;
#[path = "store/guards.rs"]
mod guards;
#[path = "store/outbox.rs"]
mod outbox;
#[path = "store/parking.rs"]
mod parking;
#[path = "store/races.rs"]
mod races;
#[path = "store/speed.rs"]
mod speed;
#[path = "store/world.rs"]
mod world;
