//! From wire to typed values. Pure: knows no server and no library of one.

mod message;

pub use message::{Header, Message};
