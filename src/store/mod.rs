//! The books in Postgres.

pub mod desk;
pub mod events;
mod read_error;
pub mod reading;
pub mod verify;

pub use read_error::ReadError;
