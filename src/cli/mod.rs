//! The command line: one file a subcommand, one place for exit codes.
//!
//! Exit 0 good, 1 found something wrong, 64 usage, 69 a server is away, 78 configuration.

mod adjust;
pub mod balance;
mod check;
mod claims;
pub mod desk;
pub mod explain;
mod hints;
pub mod history;
mod lines;
mod migrate;
pub mod notices;
mod output;
pub mod parked;
mod publish;
pub mod purchase;
mod simulate;
mod test;
pub mod verify;
pub mod waiting;
mod writing;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sqlx::PgPool;
use tracing::info;

use crate::broker::BrokerError;
use crate::catalog::Catalog;
use crate::daemon::{self, DaemonError, chain};
use crate::mistake::Mistake;
use crate::observe::logs;
use crate::settings::{self, Settings};
use crate::store::reading::units;
use crate::store::{Store, StoreError};

#[derive(Debug, Parser)]
#[command(name = "creditd", version, about, disable_help_subcommand = true)]
struct Cli {
    /// The directory with creditd.toml and catalog.toml
    #[arg(
        long,
        global = true,
        default_value = "config",
        value_name = "DIR",
        env = "CREDITD_CONFIG"
    )]
    config: PathBuf,
    /// Overrides a setting: section.key=value; may be given several times
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Prints JSON for programs instead of text for people
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: consume events, keep the books, relay notices
    Run,
    /// Check every setting and the whole catalog
    Check(check::Args),
    /// Play scenario files against their catalog
    Test(test::Args),
    /// Put events through the rules in memory and show what they leave
    Simulate(simulate::Args),
    /// Bring the database's schema up to date
    Migrate,
    /// Publish events from files, one a line
    Publish(publish::Args),
    /// Show an account's balances and open lots
    Balance(balance::BalanceArgs),
    /// Show an account's entries, newest first
    History(history::HistoryArgs),
    /// Tell what became of one event, and why
    Explain(explain::ExplainArgs),
    /// Show what an account was told and what waits to be
    Notices(notices::NoticesArgs),
    /// Put credits into an account, or take them out
    Adjust(adjust::Args),
    /// Show, release and discard events that could not be applied
    Parked(parked::ParkedArgs),
    /// Show one purchase: what was paid and granted, what went back and why
    Purchase(purchase::PurchaseArgs),
    /// Show what came before the payment or the usage that it belongs to
    Waiting(waiting::WaitingArgs),
    /// Prove that the books are what must always be true of them
    Verify(verify::VerifyArgs),
}

pub use output::{CommandError, Ending, Output};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Good,
    /// It looked and found something wrong.
    Found,
    Usage,
    /// A server is away.
    Unavailable,
    Config,
}

/// Why a command could not do its work, for the person at the terminal.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    text: String,
}

/// Where a command reads its configuration.
pub struct Context {
    dir: PathBuf,
    overrides: Vec<(String, String)>,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asking for help or the version is not a mistake.
            if !error.use_stderr() {
                let _unprintable = error.print();
                return Exit::Good.into();
            }
            match std::env::args_os().any(|argument| argument == "--json") {
                true => complain(error.to_string().trim_start_matches("error: ").trim(), true),
                false => _ = error.print(),
            }
            return Exit::Usage.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("creditd: the runtime can't start: {error}");
            return Exit::Unavailable.into();
        }
    };
    let is_json = cli.json;
    match runtime.block_on(dispatch(cli)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            complain(&error.text, is_json);
            error.exit.into()
        }
    }
}

/// Says why the command could not do its work, on standard error: in lines for people, as one JSON
/// object for programs.
fn complain(text: &str, is_json: bool) {
    match is_json {
        true => eprintln!("{}", serde_json::json!({ "error": text })),
        false => text.lines().for_each(|line| eprintln!("creditd: {line}")),
    }
}

async fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    let output = Output { json: cli.json };
    let context = Context { dir: cli.config, overrides: overrides(&cli.overrides)? };
    match cli.command {
        Command::Check(args) => check::run(&context, args, output).await,
        Command::Test(args) => test::run(&context, &args, output).await,
        Command::Simulate(args) => simulate::run(&context, &args, output),
        Command::Run => run(&context).await,
        Command::Migrate => migrate::run(&context.settings()?, output).await,
        Command::Publish(args) => publish::run(&context.settings()?, args, output).await,
        Command::Balance(args) => {
            Ok(balance::run(&context.books().await?, &args, output).await?.into())
        }
        Command::History(args) => {
            let books = context.books().await?;
            if let Some(unit) = &args.unit {
                context.refuse_unknown_unit(&books, unit).await?;
            }
            Ok(history::run(&books, &args, output).await?.into())
        }
        Command::Explain(args) => {
            Ok(explain::run(&context.books().await?, &args, output).await?.into())
        }
        Command::Notices(args) => {
            Ok(notices::run(&context.books().await?, &args, output).await?.into())
        }
        Command::Adjust(args) => adjust::run(&context, &args, output).await,
        Command::Parked(args) => parked::run(&context, &args, output).await,
        Command::Purchase(args) => {
            Ok(purchase::run(&context.books().await?, &args, output).await?.into())
        }
        Command::Waiting(args) => waiting::run(&context, &args, output).await,
        Command::Verify(args) => {
            let sources = daemon::sources(&context.settings()?);
            Ok(verify::run(&context.books().await?, &sources, &args, output).await?.into())
        }
    }
}

async fn run(context: &Context) -> Result<Exit, CliError> {
    let (read, catalog) = (context.settings(), context.catalog());
    let (settings, catalog) = match (read, catalog) {
        (Ok(settings), Ok(catalog)) => (settings, catalog),
        (settings, catalog) => {
            let mistakes = [settings.err(), catalog.err()].into_iter().flatten().flatten();
            return Err(mistakes.collect::<Vec<_>>().into());
        }
    };
    logs::start(&settings.log).map_err(|error| CliError::config(chain(&error)))?;
    let file = context.catalog_file();
    info!(
        version = env!("CARGO_PKG_VERSION"),
        settings = %context.dir.join(settings::FILE).display(),
        database = settings.database.place(),
        broker = settings.broker.place(),
        http = %settings.http,
        catalog = %file.display(),
        catalog_hash = %catalog.hash(),
        "starting"
    );
    match daemon::run(settings, catalog, file).await {
        Ok(()) => Ok(Exit::Good),
        Err(error) => Err(CliError {
            exit: match &error {
                DaemonError::Store(error) if error.is_transient() => Exit::Unavailable,
                DaemonError::Store(_) | DaemonError::Listen { .. } => Exit::Config,
                DaemonError::Signals(_) | DaemonError::Grace { .. } | DaemonError::Ended => {
                    Exit::Found
                }
            },
            text: chain(&error),
        }),
    }
}

impl Context {
    fn settings(&self) -> Result<Settings, Vec<Mistake>> {
        Settings::load(&self.dir, &self.overrides)
    }

    /// The settings, all of them their defaults where there is no file.
    fn settings_if_any(&self) -> Result<Settings, Vec<Mistake>> {
        let file = self.dir.join(settings::FILE);
        match file.exists() {
            true => self.settings(),
            false => Settings::parse(&file, "", std::env::vars_os(), &self.overrides),
        }
    }

    fn catalog(&self) -> Result<Catalog, Vec<Mistake>> {
        Catalog::load(&self.catalog_file())
    }

    /// A unit that neither the books nor the catalog know would look like one without entries.
    async fn refuse_unknown_unit(&self, books: &PgPool, unit: &str) -> Result<(), CliError> {
        let mut known = units(books).await.map_err(CommandError::from)?;
        if let Ok(catalog) = self.catalog() {
            known.extend(catalog.units().map(|(code, _)| code.to_string()));
        }
        known.sort_unstable();
        known.dedup();
        match known.iter().any(|one| one == unit) {
            true => Ok(()),
            false => Err(CliError::usage(format!(
                "no unit is called {unit}; the units are {}",
                known.join(", ")
            ))),
        }
    }

    fn catalog_file(&self) -> PathBuf {
        self.dir.join("catalog.toml")
    }

    /// The books, for a command that reads them.
    async fn books(&self) -> Result<PgPool, CliError> {
        let settings = self.settings()?;
        Store::reader(&settings.database)
            .await
            .map_err(|error| CliError::store(error.at(&settings.database)))
    }
}

fn overrides(given: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let parse = |text: &String| match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(CliError::usage(format!(
            "--set {text} has no value; write --set section.key=value"
        ))),
    };
    given.iter().map(parse).collect()
}

impl CliError {
    pub fn found(text: impl Into<String>) -> Self {
        Self { exit: Exit::Found, text: text.into() }
    }

    pub fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    pub fn config(text: impl Into<String>) -> Self {
        Self { exit: Exit::Config, text: text.into() }
    }

    pub fn unavailable(text: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, text: text.into() }
    }

    pub fn store(error: StoreError) -> Self {
        let exit = if error.is_transient() { Exit::Unavailable } else { Exit::Config };
        Self { exit, text: chain(&error) }
    }

    pub fn broker(error: BrokerError) -> Self {
        let exit = if error.is_transient() { Exit::Unavailable } else { Exit::Config };
        Self { exit, text: chain(&error) }
    }
}

impl From<Vec<Mistake>> for CliError {
    fn from(mistakes: Vec<Mistake>) -> Self {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Self::config(lines.join("\n"))
    }
}

impl From<CommandError> for CliError {
    fn from(error: CommandError) -> Self {
        // Never 1: nothing was found to be wrong with the books, they could not be looked at.
        let exit = if error.is_away() { Exit::Unavailable } else { Exit::Config };
        Self { exit, text: chain(&error) }
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Good => Self::Good,
            Ending::Wrong => Self::Found,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Found => 1,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
            Exit::Config => 78,
        })
    }
}
