//! Where broker and store meet: the intake, the relay, and what keeps them running.
//!
//! [`run`] reads as the daemon's life: wait for the database, migrate if allowed, start the loops,
//! wait for a signal, drain within the grace. Everything spawned lives in one set; the first loop
//! to end ends the rest.

mod clock;
mod gauges;
mod intake;
mod lanes;
mod listener;
mod poster;
mod pruner;
mod relay;
pub mod retry;
mod rounds;
pub mod shutdown;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use self::clock::{Clock, Flow};
use self::gauges::Gauges;
use self::intake::Intake;
use self::listener::Listener;
use self::pruner::Pruner;
use self::relay::Relay;
use self::retry::Retry;
use self::shutdown::Shutdown;
use crate::broker::{self, BrokerSettings};
use crate::catalog::Catalog;
use crate::event::{Source, Sources};
use crate::ledger::Name;
use crate::observe::health::{Beat, Health};
use crate::observe::http;
use crate::observe::metrics::Metrics;
use crate::settings::Settings;
use crate::store::{self, Store, StoreError};

/// RabbitMQ's own bound on a message. The one on events says nothing about notices: one that is too
/// long would never be published, and hold up all others for ever.
const NOTICE_MAX_BYTES: usize = 16 << 20;

/// Why the daemon could not run, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("the database can't be used as it is")]
    Store(#[source] StoreError),
    #[error("signals can't be received")]
    Signals(#[source] std::io::Error),
    #[error("health and metrics can't be shown on {address}; change http.listen")]
    Listen {
        address: std::net::SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "what was in work did not finish within run.shutdown_grace ({grace:?}); the broker delivers it again"
    )]
    Grace { grace: Duration },
    #[error("a loop ended by itself, which is a fault of ours")]
    Ended,
}

/// Runs until SIGTERM or SIGINT. SIGHUP reads `catalog_file` again.
///
/// # Errors
/// [`DaemonError`] when it could not start, or not end in time.
pub async fn run(
    settings: Settings,
    catalog: Catalog,
    catalog_file: PathBuf,
) -> Result<(), DaemonError> {
    let (trigger, shutdown) = Shutdown::new();
    let (metrics, health) = (Metrics::new(), Health::new());
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;
    let mut tasks = JoinSet::new();
    if settings.http.enabled {
        let address = settings.http.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| DaemonError::Listen { address, source })?;
        let mut shutdown = shutdown.clone();
        let (health, metrics) = (health.clone(), metrics.clone());
        tasks.spawn(async move {
            http::serve(listener, health, metrics, shutdown.requested()).await;
        });
    }
    let starting = open_store(&settings, &catalog, shutdown.clone());
    let store = tokio::select! {
        opened = starting => match opened.map_err(DaemonError::Store)? {
            Some(store) => store,
            None => return Ok(()),
        },
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    health.set_database_ready(true);
    let (new_catalog, catalog) = watch::channel(Arc::new(catalog));
    spawn_loops(&mut tasks, &settings, &store, catalog, &metrics, &health, &shutdown);
    info!("running");
    let ended_by_itself = loop {
        tokio::select! {
            _ = terminate.recv() => break false,
            _ = interrupt.recv() => break false,
            _ = hang_up.recv() => reload(&catalog_file, &store, &new_catalog).await,
            _ = tasks.join_next() => break true,
        }
    };
    info!("stopping: finishing what is in work");
    trigger.request();
    let grace = settings.run.shutdown_grace;
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, drained).await.is_err() {
        return Err(DaemonError::Grace { grace });
    }
    store.close().await;
    info!("stopped");
    match ended_by_itself {
        true => Err(DaemonError::Ended),
        false => Ok(()),
    }
}

fn spawn_loops(
    tasks: &mut JoinSet<()>,
    settings: &Settings,
    store: &Store,
    catalog: watch::Receiver<Arc<Catalog>>,
    metrics: &Metrics,
    health: &Health,
    shutdown: &Shutdown,
) {
    let (wake, heard) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (new_flow, flow) = watch::channel(Flow::default());
    let clock = Clock {
        store: store.clone(),
        catalog: catalog.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        wake: wake.clone(),
        flow,
    };
    let intake = Intake {
        store: store.clone(),
        broker: settings.broker.clone(),
        catalog,
        sources: sources(settings),
        payload_max_bytes: settings.intake.payload_max_bytes,
        batch_max: settings.intake.batch_max,
        workers: settings.intake.workers,
        metrics: metrics.clone(),
        health: health.clone(),
        wake: wake.clone(),
        flow: new_flow,
    };
    let relay = Relay {
        store: store.clone(),
        broker: BrokerSettings { message_max_bytes: NOTICE_MAX_BYTES, ..settings.broker.clone() },
        settings: settings.relay.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        wake,
        heard: heard.clone(),
    };
    let listener = Listener { store: store.clone(), health: health.clone(), heard };
    let pruner = Pruner {
        store: store.clone(),
        health: health.clone(),
        retention: settings.relay.notice_retention,
    };
    let gauges = Gauges { store: store.clone(), metrics: metrics.clone(), health: health.clone() };
    tasks.spawn(intake.run(shutdown.clone()));
    tasks.spawn(clock.run(shutdown.clone()));
    tasks.spawn(relay.run(shutdown.clone()));
    tasks.spawn(listener.run(shutdown.clone()));
    tasks.spawn(pruner.run(shutdown.clone()));
    tasks.spawn(gauges.run(shutdown.clone()));
}

/// Waits for the database for as long as it takes; what waiting can't mend is an error. `None`:
/// shutdown came first.
async fn open_store(
    settings: &Settings,
    catalog: &Catalog,
    mut shutdown: Shutdown,
) -> Result<Option<Store>, StoreError> {
    let mut retry = Retry::new();
    loop {
        let opened = try_open(settings, catalog).await;
        let error = match opened.map_err(|error| error.at(&settings.database)) {
            Ok(store) => return Ok(Some(store)),
            Err(error) if error.is_transient() => error,
            Err(error) => return Err(error),
        };
        let delay = retry.next_delay();
        warn!(error = %chain(&error), ?delay, "the database is away, trying again");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shutdown.requested() => return Ok(None),
        }
    }
}

async fn try_open(settings: &Settings, catalog: &Catalog) -> Result<Store, StoreError> {
    if settings.migrate_on_start {
        let migrated = Store::migrate(&settings.database).await?;
        for migration in migrated.applied {
            info!(migration, "schema migrated");
        }
    }
    let store = Store::connect(&settings.database).await?;
    for warning in store.warnings() {
        warn!("{warning}");
    }
    store.check_migrated().await?;
    take(&store, catalog).await?;
    Ok(store)
}

/// Makes the catalog known to the books, unless it does not fit them.
async fn take(store: &Store, catalog: &Catalog) -> Result<(), StoreError> {
    store.check_units(&units(catalog)).await?;
    // Only explaining asks for it, so no event waits for that.
    if let Err(error) = store.note_catalog(catalog.hash()).await {
        warn!(error = %chain(&error), "the catalog's hash was not noted");
    }
    Ok(())
}

/// The catalog's units with their decimals, for [`Store::check_units`].
pub fn units(catalog: &Catalog) -> Vec<(Name, u8)> {
    catalog.units().map(|(code, unit)| (code.clone(), unit.decimals)).collect()
}

/// Takes a new catalog over if it is valid; else says why and goes on with the old one.
async fn reload(file: &Path, store: &Store, catalog: &watch::Sender<Arc<Catalog>>) {
    match Catalog::load(file) {
        Err(mistakes) => {
            for mistake in mistakes {
                error!(%mistake, "catalog not reloaded");
            }
        }
        Ok(new) => match take(store, &new).await {
            Err(error) => error!(error = %chain(&error), "catalog not reloaded"),
            Ok(()) => {
                info!(hash = %new.hash(), "catalog reloaded");
                catalog.send_replace(Arc::new(new));
            }
        },
    }
}

/// Where events come from, as the settings say.
pub fn sources(settings: &Settings) -> Sources {
    let named = settings.sources.iter().map(|(name, source)| {
        let source = Source {
            namespace: Some(Name::from(source.namespace.as_str())),
            type_prefix: source.type_prefix.clone(),
        };
        (Name::from(name.as_str()), source)
    });
    Sources {
        default: Name::from(settings.intake.default_source.as_str()),
        type_prefix: settings.intake.type_prefix.clone(),
        named: named.collect(),
    }
}

/// Waits, but not for shutdown.
async fn wait(delay: Duration, beat: &Beat, shutdown: &mut Shutdown) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = shutdown.requested() => {}
    }
    beat.touch();
}

/// Logs that a loop lost what it works with, and whether trying again can help.
fn tell_broken(what: &'static str, error: &dyn Error, is_transient: bool, delay: Duration) {
    let error = chain(error);
    match is_transient {
        true => warn!(error, ?delay, "{what} broke off, trying again"),
        false => error!(
            error,
            ?delay,
            "{what} broke off, and trying again will not help until this is mended"
        ),
    }
}

/// An error with all its causes, each said once, for the one place that logs it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let all = store::library_says(cause).or_else(|| broker::library_says(cause));
        source = cause.source().filter(|_| all.is_none());
        let says = all.unwrap_or_else(|| cause.to_string());
        // Some libraries end an error with its cause, and name that as its cause besides.
        if !text.ends_with(&says) {
            text.push_str(": ");
            text.push_str(&says);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{says}")]
    struct Failed {
        says: &'static str,
        source: Error,
    }

    #[test]
    fn a_cause_that_an_error_ends_with_is_not_said_again() {
        let refused = || Error::new(ErrorKind::ConnectionRefused, "refused");

        let twice = Failed { says: "could not connect: refused", source: refused() };
        let once = Failed { says: "could not connect", source: refused() };

        assert_eq!(chain(&twice), "could not connect: refused");
        assert_eq!(chain(&once), "could not connect: refused");
    }
}
