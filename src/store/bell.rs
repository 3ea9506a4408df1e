//! Telling the daemon that relays, at once, that another has committed notices: LISTEN and NOTIFY.
//!
//! A NOTIFY is a commit of its own, which waits for no disk, and never part of a batch's
//! transaction: there it would make all commits of the server wait for each other. Only a hint:
//! whoever relays also looks by itself now and then.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

use super::Store;
use super::error::StoreError;

const CHANNEL: &str = "creditd_outbox";

/// A link that died without a word says as little as one on which nothing happens.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Hears it when another daemon rings, over a connection of its own.
pub struct Bell {
    listener: PgListener,
}

impl Store {
    /// Tells whoever listens that notices wait.
    ///
    /// # Errors
    /// [`StoreError`]; the notices are found all the same, a little later.
    pub async fn ring(&self) -> Result<(), StoreError> {
        let statement =
            sqlx::query("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')")
                .bind(CHANNEL);
        let mut session = self.session().await?;
        session.row("announce notices", statement).await.map(|_| ())
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bell(&self) -> Result<Bell, StoreError> {
        let doing = "listen for notices";
        let options = self.connections.pool.connect_options().as_ref().clone();
        // Not of the pool: a listener that is dropped while its server is silent keeps its place.
        let alone = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.deadline)
            .connect_lazy_with(options);
        let listening = async {
            let mut listener = PgListener::connect_with(&alone).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        match timeout(self.deadline, listening).await {
            Ok(Ok(listener)) => Ok(Bell { listener }),
            Ok(Err(source)) => Err(StoreError::Database { doing, source }),
            Err(_) => Err(StoreError::Deadline { doing, waited: self.deadline }),
        }
    }
}

impl Bell {
    /// Waits until somebody rings. `false`: nobody has for so long, or the link is lost, that
    /// listening has to begin anew.
    pub async fn rings(&mut self) -> bool {
        match timeout(SILENCE_MAX, self.listener.try_recv()).await {
            Ok(Ok(Some(_))) => true,
            Ok(Ok(None) | Err(_)) | Err(_) => false,
        }
    }
}
