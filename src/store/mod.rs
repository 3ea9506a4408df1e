//! The books in Postgres.

pub mod events;
pub mod parked;
mod read_error;
pub mod reading;
pub mod verify;

pub use read_error::ReadError;
