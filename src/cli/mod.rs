//! One file a subcommand.

pub mod balance;
pub mod history;
mod output;
pub mod parked;
pub mod verify;

pub use output::{CommandError, Ending, Output};
