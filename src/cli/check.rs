//! `creditd check`: every mistake in the settings and the catalog at once; `--online` also asks
//! the servers.

use serde::Serialize;

use super::{CliError, Context, Exit, Output};
use crate::broker::{BrokerError, BrokerSettings, TopologyMode, ensure_topology, url_warnings};
use crate::catalog::Catalog;
use crate::daemon::chain;
use crate::mistake::Mistake;
use crate::settings::Settings;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Also ask the broker and the database
    #[arg(long)]
    online: bool,
}

#[derive(Default, Serialize)]
struct Findings {
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
    servers: Vec<Server>,
}

#[derive(Serialize)]
struct Server {
    name: &'static str,
    is_good: bool,
    says: String,
}

/// # Errors
/// Never by itself: what is wrong is printed, and the exit code says which kind it is.
pub(super) async fn run(context: &Context, args: Args, output: Output) -> Result<Exit, CliError> {
    let mut findings = Findings::default();
    let settings = context.settings().map_err(|mistakes| findings.mistakes.extend(mistakes)).ok();
    let catalog = context.catalog().map_err(|mistakes| findings.mistakes.extend(mistakes)).ok();
    if let Some(catalog) = &catalog {
        findings.warnings.extend(catalog.warnings().iter().map(ToString::to_string));
    }
    if let Some(settings) = &settings {
        findings.warnings.extend(url_warnings(settings.broker.url.expose()));
    }
    if let (true, Some(settings), Some(catalog)) = (args.online, &settings, &catalog) {
        findings.servers.push(database(settings, catalog).await);
        findings.servers.push(broker(&settings.broker).await);
    }
    output.answer(&findings, || findings.text(args.online))?;
    Ok(match (&findings.mistakes, findings.servers.iter().all(|server| server.is_good)) {
        (mistakes, _) if !mistakes.is_empty() => Exit::Config,
        (_, false) => Exit::Unavailable,
        (_, true) => Exit::Good,
    })
}

async fn database(settings: &Settings, catalog: &Catalog) -> Server {
    let asked = async {
        let store = Store::connect(&settings.database).await?;
        let mut says = store.warnings().to_vec();
        store.check_migrated().await?;
        let units: Vec<_> =
            catalog.units().map(|(code, unit)| (code.clone(), unit.decimals)).collect();
        store.compare_units(&units).await?;
        store.close().await;
        says.insert(0, "answers, has the schema, and its units are the catalog's".to_owned());
        Ok::<_, crate::store::StoreError>(says.join("; "))
    };
    match asked.await {
        Ok(says) => Server { name: "database", is_good: true, says },
        Err(error) => Server { name: "database", is_good: false, says: chain(&error) },
    }
}

/// Looks, and declares nothing.
async fn broker(settings: &BrokerSettings) -> Server {
    let looking = BrokerSettings { topology: TopologyMode::Verify, ..settings.clone() };
    let (is_good, says) = match ensure_topology(&looking).await {
        Ok(()) => (true, "answers and has the exchanges and queues".to_owned()),
        Err(BrokerError::Missing { objects }) if settings.topology == TopologyMode::Declare => {
            (true, format!("answers; creditd run will declare {}", objects.join(", ")))
        }
        Err(error) => (false, chain(&error)),
    };
    Server { name: "broker", is_good, says }
}

impl Findings {
    fn text(&self, is_online: bool) -> String {
        let mut lines: Vec<String> = self.mistakes.iter().map(ToString::to_string).collect();
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.extend(self.servers.iter().map(|server| format!("{}: {}", server.name, server.says)));
        lines.push(match (self.mistakes.len(), is_online) {
            (0, true) => "settings and catalog are right".to_owned(),
            (0, false) => {
                "settings and catalog are right; --online also asks the servers".to_owned()
            }
            (1, _) => "1 mistake".to_owned(),
            (count, _) => format!("{count} mistakes"),
        });
        lines.join("\n")
    }
}
