//! `creditd test PATH…`: plays scenario files and says where the books are not what was expected;
//! with `--database` also where they are not the same in memory and on Postgres.

mod postgres;
mod report;

use std::path::PathBuf;

use super::{CliError, CommandError, Context, Exit, Output};
use crate::daemon::chain;
use crate::scenario::{Catalogs, Collected, Scenario, collect, differences, judge};
use crate::store::scratch::Scratch;

use postgres::PlayError;
use report::{Played, Report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenario files, or folders that hold some
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also on Postgres: same result or it fails. Makes a scratch database on the server of the
    /// settings and drops it
    #[arg(long)]
    database: bool,
}

/// # Errors
/// [`CliError`] when a path can't be read or holds no scenario, and when the database can't be
/// used. What is wrong in a file is printed, and the exit code says which kind it is.
pub(super) async fn run(context: &Context, args: &Args, output: Output) -> Result<Exit, CliError> {
    let collected = collect_all(context, args)?;
    let mut report = Report { mistakes: collected.mistakes, ..Report::default() };
    match args.database {
        false => collected.scenarios.iter().for_each(|scenario| {
            report.add(Played::of(scenario, judge(scenario, &scenario.play())));
        }),
        true => play_on_both(context, &collected.scenarios, &mut report).await?,
    }
    output.answer(&report, || report.text())?;
    Ok(match (report.mistakes.is_empty(), report.failed) {
        (false, _) => Exit::Config,
        (true, 0) => Exit::Good,
        (true, _) => Exit::Found,
    })
}

/// In memory and in a scratch database, which is dropped however this ends.
async fn play_on_both(
    context: &Context,
    scenarios: &[Scenario],
    report: &mut Report,
) -> Result<(), CliError> {
    let settings = context.settings()?;
    let scratch = Scratch::create(&settings.database)
        .await
        .map_err(|error| CliError::store(error.at(&settings.database)))?;
    let playing = async {
        for scenario in scenarios {
            report.add(play_twice(&scratch, scenario).await?);
        }
        Ok(())
    };
    let played = tokio::select! {
        played = playing => played,
        _interrupted = tokio::signal::ctrl_c() => Err(CliError::found("interrupted")),
    };
    let dropped = scratch.drop().await.map_err(CliError::store);
    played.and(dropped)
}

async fn play_twice(scratch: &Scratch, scenario: &Scenario) -> Result<Played, CliError> {
    let memory = scenario.play();
    let mut played = Played::of(scenario, judge(scenario, &memory));
    let on_postgres = async {
        let observed = postgres::play(scratch, scenario).await?;
        Ok::<_, PlayError>((observed, postgres::unsound(scratch).await?))
    };
    match on_postgres.await {
        Ok((observed, unsound)) => {
            played.on_postgres(differences(scenario, &memory, &observed), unsound);
        }
        Err(error) if error.is_about_the_scenario() => {
            played.on_postgres(Vec::new(), vec![chain(&error)]);
        }
        Err(PlayError::Store(error)) => return Err(CliError::store(error)),
        Err(PlayError::Read(error)) => return Err(CommandError::Read(error).into()),
        Err(error @ PlayError::Properties { .. }) => return Err(CliError::found(chain(&error))),
    }
    Ok(played)
}

fn collect_all(context: &Context, args: &Args) -> Result<Collected, CliError> {
    let mut catalogs = Catalogs::new(Some(context.catalog_file()));
    let mut all = Collected::default();
    for path in &args.paths {
        let found = collect(path, &mut catalogs)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
        if found.scenarios.is_empty() && found.mistakes.is_empty() {
            let text = format!("{}: no scenario file (*.toml) in there", path.display());
            return Err(CliError::usage(text));
        }
        all.scenarios.extend(found.scenarios);
        all.mistakes.extend(found.mistakes);
    }
    Ok(all)
}
