//! Writing to the books from the command line, through the door that events take: read, decide,
//! one transaction. Notices wait in the outbox for any daemon's relay.

use sqlx::PgPool;

use super::{CliError, Context};
use crate::catalog::Catalog;
use crate::daemon;
use crate::event::{self, Message, Sources};
use crate::ledger::{Moved, Record, Request, decide};
use crate::notice::{render, render_parked};
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
}

/// How often a batch is opened again that somebody overtook.
const ATTEMPTS_MAX: u32 = 10;

impl Context {
    /// # Errors
    /// [`CliError`] when the configuration is wrong, the database is away, or the catalog does not
    /// fit the books.
    pub(super) async fn writable_books(&self) -> Result<Books, CliError> {
        let (settings, catalog) = (self.settings()?, self.catalog()?);
        let store = Store::connect(&settings.database).await.map_err(CliError::store)?;
        store.check_migrated().await.map_err(CliError::store)?;
        store.check_units(&daemon::units(&catalog)).await.map_err(CliError::store)?;
        let pool = Store::reader(&settings.database).await.map_err(CliError::store)?;
        Ok(Books { store, catalog, sources: daemon::sources(&settings), pool })
    }
}

impl Books {
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
        let mut attempt = 1;
        loop {
            match self.try_once(arrivals).await {
                Err(error) if error.is_overtaken() && attempt < ATTEMPTS_MAX => {
                    attempt = attempt.saturating_add(1);
                }
                ended => return ended,
            }
        }
    }

    async fn try_once(&self, arrivals: &[Arrival]) -> Result<Posted, StoreError> {
        let mut batch = self.store.open_batch(arrivals).await?;
        let (rules, now) = (self.catalog.rules(), batch.now);
        let records = arrivals
            .iter()
            .map(|arrival| decide(&mut batch.book, &rules, &arrival.request, now))
            .collect();
        let journal = &batch.book.journal;
        let moved = journal.moved.clone();
        let told = journal.notices.iter().map(|notice| render(notice, &self.catalog));
        let notices: Vec<_> =
            told.chain(journal.parked_notices.iter().map(render_parked)).collect();
        batch.commit(arrivals, &notices).await?;
        Ok(Posted { records, moved })
    }
}
