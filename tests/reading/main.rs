//! Reading the books: the views of `creditd_read`, and the commands balance, history and parked.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod commands;
mod explaining;
mod purchases;
#[path = "../common/reading_database.rs"]
mod reading_database;
mod views;
