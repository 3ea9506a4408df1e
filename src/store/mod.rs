//! The books in Postgres. Knows nothing of the broker, and decides nothing: it loads what a batch
//! touches into a [`crate::ledger::Book`], and writes what became of it.
//!
//! Round trips of one batch, whatever its size. Those in brackets are left out where there is
//! nothing for them to do.
//!
//! | step | usage only | with payments and refunds besides |
//! | --- | --- | --- |
//! | claim | begin, look events up (known ones, and reversals that wait), (lock the desk, conflict probe), lock accounts, (open accounts) | lock accounts finds the owners of what is named, (reserve numbers), lock purchases |
//! | load | clock, balances and open lots | (references, lines, revocations, refunds), (reset marks), (forfeits), (repayments), (closed lots) |
//! | save | inbox, balances, lots, entries; (what is rare) | purchases, references, lines, lots, postings, notices, what becomes of older purchases; (what is rare) |
//! | commit | seal and commit in one message | |
//!
//! A small batch saves in one statement what `writer` says, a large one table by table. So one of
//! nothing but usage takes six round trips, and nine beyond 256 events; a payment of a new purchase
//! one more. Reversals of usage ask besides what became of it, for its slices and its reversals.
//!
//! Every statement but BEGIN and COMMIT is prepared once a connection, with one plan for every size
//! of batch. The statements of one transaction follow each other: each needs what the one before
//! has locked or found. What runs beside them is the other lanes' transactions and the decoding of
//! the next round (`daemon::intake`). Connections are kept between batches, warm (`kept`).
//!
//! | index on the hot path | answers | why so |
//! | --- | --- | --- |
//! | `inbox_pkey` (16 bytes made of source and id) | was this event there | a text key writes twice the WAL |
//! | `account_name_unique` | whose | the one look-up by text |
//! | `lot_open_of_account`, where open | what may be drawn | an index that named `remaining` would end HOT updates; read for all accounts at once (`holding`), not joined to balances |
//! | `balance_pkey`, `lot_pkey` | what an account has | written by row (`row_at`), not by key |
//! | `entry_pkey` (account, unit, number) | what happened to it | grows at the end of each account; no second index |
//!
//! Lock order, the same in every daemon: table `usage_reversal`, parked events by key where an
//! operator or a correction names them, accounts that exist by id, new accounts by name,
//! purchases by id, then at save inbox rows by key and references by name. Whoever finds that rows
//! changed hands in between lets everything go and starts again; whoever loses a race for a key at
//! save gets a transient error, and finds the winner's row the next time.
//!
//! Balances and lots are written where they were read (`row_at`). Hot inserts unnest their arrays
//! in the select list: in FROM, each array would be laid out as a table of its own first.
//!
//! Statements that join a batch with a table do it on `= ANY (ARRAY[key])`: plans are kept, and one
//! made while a table was tiny must not walk all of it later (docs/benchmarks.md).
//!
//! Every wait has a deadline (`session`). Nothing here is half done: an error or a dropped future
//! closes the connection, and the server rolls back.

mod account;
mod adjustment;
mod balance;
mod batch;
mod bell;
pub mod catalog_taken;
mod columns;
mod connect;
pub mod desk;
mod drawn;
mod due;
mod entry;
mod error;
pub mod events;
mod forfeit;
mod grant;
mod holding;
mod inbox;
mod kept;
mod lease;
mod lot;
mod migrate;
mod moved;
mod nodelay;
mod notice;
mod outbox;
pub mod own;
mod parked;
mod place;
mod prune;
mod purchase;
mod purchase_line;
pub mod purchases;
mod read_error;
pub mod reading;
mod redelivery;
mod reference;
mod refund;
mod repayment;
mod reset_mark;
mod revocation;
mod row_at;
mod save;
pub mod scratch;
pub mod sequel;
mod session;
pub mod telling;
mod unit;
mod usage_reversal;
pub mod verify;
pub mod waiting;
mod wanted;
mod writer;

pub use batch::Batch;
pub use bell::Bell;
pub use connect::{DatabaseSettings, Store};
pub use due::DueCursor;
pub use error::StoreError;
pub use migrate::{Migrated, SchemaState};
pub use outbox::{OutboxCursor, PendingNotice};
pub use place::library_says;
pub use read_error::ReadError;

use std::time::Duration;

use crate::ledger::Request;

/// An event as it arrived: what it asks, and the message to keep.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub request: Request,
    /// The message as it came; `None` where it is too large to be kept.
    pub body: Option<Vec<u8>>,
    /// The AMQP properties that reading the message needs, as JSON text.
    pub properties: Option<String>,
}

/// How much waits, and for how long the oldest of it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub count: u64,
    pub oldest: Option<Duration>,
}
