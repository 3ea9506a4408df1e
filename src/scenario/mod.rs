//! Scenario files: what happens, step by step, and what is expected of the books after each.
//!
//! [`Scenario::read`] reads a file strictly; [`Scenario::play`] plays it; [`judge`] says
//! where what was [`Observed`] is not what was expected. Whoever plays a scenario elsewhere (on
//! Postgres) observes the same things, and [`differences`] says where the two disagree. Pure, but
//! for reading the files; knows no server.

mod act;
mod expect;
mod file;
mod folder;
mod json;
mod judge;
mod observed;
mod play;
mod sources;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use act::{Act, Event, Instruct, Order, Pending};
pub use expect::Expect;
pub use file::{Catalogs, Scenario, Step};
pub use folder::{Collected, collect};
pub use judge::{Difference, Missed, Row, differences, judge};
pub use observed::{Decimals, Ending, Holding, Holdings, Movement, Observed, OpenLot, Told, told};
pub use value::Value;
