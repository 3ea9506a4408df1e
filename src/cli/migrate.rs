//! `creditd migrate`: the schema, with an owner's rights.

use super::{CliError, Exit, Output};
use crate::settings::Settings;
use crate::store::Store;

/// # Errors
/// [`CliError`] when the database is away or refuses.
pub async fn run(settings: &Settings, output: Output) -> Result<Exit, CliError> {
    let store = Store::connect(&settings.database).await.map_err(CliError::store)?;
    store.migrate(&settings.database).await.map_err(CliError::store)?;
    store.close().await;
    output.print(&serde_json::json!({ "migrated": true }), || {
        "the schema is up to date".to_owned()
    });
    Ok(Exit::Good)
}
