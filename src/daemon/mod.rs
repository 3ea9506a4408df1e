//! Where broker and store meet.

pub mod retry;
pub mod shutdown;
