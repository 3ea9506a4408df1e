//! `creditd migrate`: the schema, with an owner's rights.

use super::{CliError, Exit, Output};
use crate::settings::Settings;
use crate::store::Store;

/// # Errors
/// [`CliError`] when the database is away or refuses.
pub(super) async fn run(settings: &Settings, output: Output) -> Result<Exit, CliError> {
    let migrated = Store::migrate(&settings.database)
        .await
        .map_err(|error| CliError::store(error.at(&settings.database)))?;
    output.answer(
        &serde_json::json!({
            "created_database": migrated.created_database,
            "applied": migrated.applied,
        }),
        || match migrated.applied.is_empty() {
            true => "the schema was up to date".to_owned(),
            false => format!("migrated: {}", migrated.applied.join(", ")),
        },
    )?;
    Ok(Exit::Good)
}
