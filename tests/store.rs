//! The store against a real Postgres: `CREDITD_TEST_POSTGRES`, or one on this machine.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test crate: a panic is a failed test"
)]

#[path = "store/books.rs"]
mod books;
#[path = "common/database.rs"]
mod database;
#[path = "store/desk.rs"]
mod desk;
#[path = "store/essence.rs"]
mod essence;
#[path = "store/guards.rs"]
mod guards;
#[path = "store/looking.rs"]
mod looking;
#[path = "store/outbox.rs"]
mod outbox;
#[path = "store/parking.rs"]
mod parking;
#[path = "store/races.rs"]
mod races;
#[path = "store/sound.rs"]
mod sound;
#[path = "store/speed.rs"]
mod speed;
#[path = "store/time.rs"]
mod time;
#[path = "store/topups.rs"]
mod topups;
#[path = "store/world.rs"]
mod world;
#[path = "store/young.rs"]
mod young;
