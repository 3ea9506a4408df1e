//! The store against a real Postgres: `CREDITD_TEST_POSTGRES`, or one on this machine.
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

#[path = "store/books.rs"]
mod books;
#[path = "common/database.rs"]
mod database;
#[path = "store/essence.rs"]
mod essence;
#[path = "store/world.rs"]
mod world;
