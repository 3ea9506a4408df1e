//! `creditd check`: every mistake in the settings and the catalog at once; `--online` also asks
//! the servers.

use serde::Serialize;

use super::{CliError, Context, Exit, Output};
use crate::broker::{
    BrokerError, BrokerSettings, TopologyMode, compare_topology, ensure_topology, url_warnings,
};
use crate::catalog::Catalog;
use crate::daemon::chain;
use crate::mistake::Mistake;
use crate::settings::Settings;
use crate::store::{Store, StoreError};

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
    /// It can't be reached, and nothing else is known to be wrong with it.
    is_away: bool,
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
    Ok(findings.exit())
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
        Ok::<_, StoreError>(says.join("; "))
    };
    let told = |error: StoreError| {
        let error = error.at(&settings.database);
        (error.is_transient(), chain(&error))
    };
    Server::new("database", asked.await.map_err(told))
}

/// Looks, and makes nothing.
async fn broker(settings: &BrokerSettings) -> Server {
    let looked = match settings.topology {
        TopologyMode::Verify => ensure_topology(settings)
            .await
            .map(|()| "answers and has the exchanges and queues".to_owned()),
        TopologyMode::Declare => compare_topology(settings).await.map(|missing| compared(&missing)),
    };
    let told = |error: BrokerError| (error.is_transient(), chain(&error));
    Server::new("broker", looked.map_err(told))
}

fn compared(missing: &[String]) -> String {
    let compared = "bindings were not compared";
    match missing {
        [] => format!("answers, and its exchanges and queues are the settings'; {compared}"),
        missing => format!(
            "answers; creditd run will declare {}; whether it may, and what else it finds, shows \
             only then; {compared}",
            missing.join(", ")
        ),
    }
}

impl Server {
    /// `asked` fails with whether trying again may help, and the reason.
    fn new(name: &'static str, asked: Result<String, (bool, String)>) -> Self {
        match asked {
            Ok(says) => Self { name, is_good: true, is_away: false, says },
            Err((is_away, says)) => Self { name, is_good: false, is_away, says },
        }
    }
}

impl Findings {
    /// A server that is away is worth waiting for; all else has to be mended first.
    fn exit(&self) -> Exit {
        let is_wrong = |server: &Server| !server.is_good && !server.is_away;
        match (self.mistakes.is_empty(), self.is_ready()) {
            (true, true) => Exit::Good,
            (true, false) if !self.servers.iter().any(is_wrong) => Exit::Unavailable,
            (true, false) | (false, _) => Exit::Config,
        }
    }

    fn is_ready(&self) -> bool {
        self.servers.iter().all(|server| server.is_good)
    }

    fn text(&self, is_online: bool) -> String {
        let mut lines: Vec<String> = self.mistakes.iter().map(ToString::to_string).collect();
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.extend(self.servers.iter().map(|server| format!("{}: {}", server.name, server.says)));
        lines.push(match (self.mistakes.len(), is_online) {
            (0, true) if !self.is_ready() => {
                "the files are right; the servers are not ready".to_owned()
            }
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
