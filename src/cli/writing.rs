//! Writing to the books from the command line, through the door that events take: read, decide,
//! one transaction. Notices wait in the outbox for any daemon's relay.

use sqlx::PgPool;

use super::{CliError, CommandError, Context};
use crate::catalog::Catalog;
use crate::daemon;
use crate::event::{self, Message, Sources};
use crate::ledger::{Credits, Moved, Record, Request, Verdict, decide};
use crate::notice::{render, render_parked};
use crate::store::reading::is_account;
use crate::store::{Arrival, Store, StoreError};

/// The books, for a command that changes them with today's catalog.
pub(super) struct Books {
    store: Store,
    catalog: Catalog,
    sources: Sources,
    /// For looking things up.
    pub(super) pool: PgPool,
}

/// What became of what was asked, in its order.
pub(super) struct Posted {
    pub(super) records: Vec<Record>,
    pub(super) moved: Vec<Moved>,
    /// What the last entry left; `None` where nothing moved.
    pub(super) balance: Option<Credits>,
}

/// What becomes of events that can't be applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parked {
    Kept,
    /// Nothing of the batch is written: whoever asked is there to be told.
    Refused,
}

/// How often a batch is opened again that somebody overtook.
const ATTEMPTS_MAX: u32 = 10;

impl Context {
    /// # Errors
    /// [`CliError`] when the configuration is wrong, the database is away, or the catalog does not
    /// fit the books.
    pub(super) async fn writable_books(&self) -> Result<Books, CliError> {
        let (settings, catalog) = (self.settings()?, self.catalog()?);
        let unreached = |error: StoreError| CliError::store(error.at(&settings.database));
        let store = Store::connect(&settings.database).await.map_err(unreached)?;
        store.check_migrated().await.map_err(CliError::store)?;
        store.check_units(&daemon::units(&catalog)).await.map_err(CliError::store)?;
        let pool = Store::reader(&settings.database).await.map_err(unreached)?;
        Ok(Books { store, catalog, sources: daemon::sources(&settings), pool })
    }
}

impl Books {
    /// An amount of a unit as text; the catalog has every unit that the books have.
    pub(super) fn text(&self, unit: &str, credits: Credits) -> String {
        let decimals = self.catalog.unit(unit).map_or(0, |unit| unit.decimals);
        credits.text(u32::from(decimals))
    }

    /// The codes of the catalog's units.
    pub(super) fn units(&self) -> Vec<String> {
        self.catalog.units().map(|(code, _)| code.to_string()).collect()
    }

    /// Whether an event has opened the account.
    ///
    /// # Errors
    /// [`CommandError`] when the books can't be read.
    pub(super) async fn has_account(&self, account: &str) -> Result<bool, CommandError> {
        Ok(is_account(&self.pool, account).await?)
    }

    /// Reads a message with today's catalog; how large it is was judged when it came.
    pub(super) fn read(&self, message: &Message) -> Request {
        event::read(message, &self.catalog, &self.sources, usize::MAX)
    }

    /// Decides and writes all of it in one transaction; again where somebody came first, because
    /// the inbox tells what an attempt did of which nothing is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn post(&self, arrivals: &[Arrival]) -> Result<Posted, StoreError> {
        self.try_often(arrivals, Parked::Kept).await
    }

    /// Like [`Books::post`], but where an event would park, nothing is written.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn post_unless_parked(
        &self,
        arrivals: &[Arrival],
    ) -> Result<Posted, StoreError> {
        self.try_often(arrivals, Parked::Refused).await
    }

    async fn try_often(&self, arrivals: &[Arrival], parked: Parked) -> Result<Posted, StoreError> {
        let mut attempt = 1;
        loop {
            match self.try_once(arrivals, parked).await {
                Err(error) if error.is_overtaken() && attempt < ATTEMPTS_MAX => {
                    attempt = attempt.saturating_add(1);
                }
                ended => return ended,
            }
        }
    }

    async fn try_once(&self, arrivals: &[Arrival], parked: Parked) -> Result<Posted, StoreError> {
        let mut batch = self.store.open_batch(arrivals).await?;
        let (rules, now) = (self.catalog.rules(), batch.now);
        let records: Vec<Record> = arrivals
            .iter()
            .map(|arrival| decide(&mut batch.book, &rules, &arrival.request, now))
            .collect();
        let journal = &batch.book.journal;
        let balance = journal.entries.last().map(|entry| entry.balance_after);
        let posted = Posted { records, moved: journal.moved.clone(), balance };
        let is_parked = |record: &Record| matches!(record.verdict, Verdict::Parked(_));
        if parked == Parked::Refused && posted.records.iter().any(is_parked) {
            // A batch that is dropped leaves nothing behind.
            return Ok(posted);
        }
        let told = journal.notices.iter().map(|notice| render(notice, &self.catalog));
        let notices: Vec<_> =
            told.chain(journal.parked_notices.iter().map(render_parked)).collect();
        batch.commit(arrivals, &notices).await?;
        if !notices.is_empty() {
            // Whoever relays looks by itself too, if it does not hear.
            let _unheard = self.store.ring().await;
        }
        Ok(posted)
    }
}
