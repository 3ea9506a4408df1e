//! `creditd test PATH…`: plays scenario files and says where the books are not what was expected.

mod report;

use std::path::PathBuf;

use super::{CliError, Context, Exit, Output};
use crate::scenario::{Catalogs, Collected, Scenario, collect, judge};

use report::{Played, Report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenario files, or folders that hold some
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// # Errors
/// [`CliError`] when a path can't be read or holds no scenario. What is wrong in a file is
/// printed, and the exit code says which kind it is.
pub(super) fn run(context: &Context, args: &Args, output: Output) -> Result<Exit, CliError> {
    let collected = collect_all(context, args)?;
    let mut report = Report { mistakes: collected.mistakes, ..Report::default() };
    for scenario in &collected.scenarios {
        report.add(play(scenario));
    }
    output.answer(&report, || report.text())?;
    Ok(match (report.mistakes.is_empty(), report.failed) {
        (false, _) => Exit::Config,
        (true, 0) => Exit::Good,
        (true, _) => Exit::Found,
    })
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

fn play(scenario: &Scenario) -> Played {
    let missed = judge(scenario, &scenario.play());
    Played {
        file: scenario.file.clone(),
        name: scenario.name.clone(),
        passed: missed.is_empty(),
        missed,
    }
}
