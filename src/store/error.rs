//! What can go wrong with the database, and whose fault it is.
//!
//! SQLSTATE and constraint names decide, never message text. Three answers matter to whoever
//! settles a batch: the same batch may succeed later ([`StoreError::is_transient`]), one of its
//! events is refused ([`StoreError::is_about_an_event`]), or neither: the daemon's own
//! surroundings are wrong (rights, schema), and no event may be parked for that.

use std::error::Error;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("could not {doing}")]
    Database { doing: &'static str, source: sqlx::Error },

    #[error("could not {doing}: no answer from the database within {waited:?}")]
    Deadline { doing: &'static str, waited: Duration },

    /// Rows changed hands between looking them up and locking them, several times in a row.
    #[error("another daemon was faster with the same {what}")]
    Overtaken { what: &'static str },

    /// Made by [`StoreError::at`].
    #[error("could not connect to database {place}{ask}")]
    Unreached {
        place: String,
        /// What to look at, in brackets.
        ask: &'static str,
        is_transient: bool,
        source: Box<dyn Error + Send + Sync>,
    },

    #[error("the database server is {is}, and this one has to be written to")]
    WrongServer { is: &'static str },

    #[error(
        "database {name:?} does not exist: `creditd migrate` creates it where its role may, \
         else run `createdb {name}`"
    )]
    NoDatabase { name: String },

    #[error("the database's URL is not a PostgreSQL URL such as postgres://user@host:5432/name")]
    Url { source: sqlx::Error },

    #[error("could not migrate the database")]
    Migrate { source: sqlx::migrate::MigrateError },

    #[error("the database lacks migrations ({missing}): run `creditd migrate`")]
    NotMigrated { missing: String },

    #[error("role {role:?} does not exist: create it, or leave the setting out")]
    NoRole { role: String },

    #[error(
        "unit {unit:?} has entries with {kept} decimals, so it can't have {wanted}: \
         give the new unit another code"
    )]
    UnitChanged { unit: String, kept: u8, wanted: u8 },

    #[error("unit {unit:?} has entries, and the catalog has no such unit: keep it there")]
    UnitMissing { unit: String },

    #[error("a row holds what no version of creditd writes: {what}")]
    Corrupt { what: String },

    #[error("a fault of creditd's own: {what}")]
    Internal { what: &'static str },
}

/// Keys that two daemons may come to claim at once. Who comes second starts again and finds the
/// row there.
const RACED_CONSTRAINTS: [&str; 4] =
    ["inbox_pkey", "purchase_reference_pkey", "account_name_unique", "parked_pkey"];

impl StoreError {
    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: what.to_string() }
    }

    /// Whether the same batch may succeed later, all of it again. After a commit that failed so,
    /// only the inbox knows what happened: the same batch finds it out.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_transient(source),
            Self::Unreached { is_transient, .. } => *is_transient,
            Self::Deadline { .. } | Self::Overtaken { .. } | Self::WrongServer { .. } => true,
            Self::NoDatabase { .. }
            | Self::Url { .. }
            | Self::Migrate { .. }
            | Self::NotMigrated { .. }
            | Self::NoRole { .. }
            | Self::UnitChanged { .. }
            | Self::UnitMissing { .. }
            | Self::Corrupt { .. }
            | Self::Internal { .. } => false,
        }
    }

    /// Whether another daemon was faster with one of the batch's keys: trying again needs no
    /// pause.
    pub fn is_overtaken(&self) -> bool {
        match self {
            Self::Overtaken { .. } => true,
            Self::Database { source, .. } => {
                let (state, constraint) = verdict(source);
                is_raced(&state, &constraint) || matches!(state.as_str(), "40001" | "40P01")
            }
            Self::Deadline { .. }
            | Self::Unreached { .. }
            | Self::WrongServer { .. }
            | Self::NoDatabase { .. }
            | Self::Url { .. }
            | Self::Migrate { .. }
            | Self::NotMigrated { .. }
            | Self::NoRole { .. }
            | Self::UnitChanged { .. }
            | Self::UnitMissing { .. }
            | Self::Corrupt { .. }
            | Self::Internal { .. } => false,
        }
    }

    /// Whether the database did not answer in time: a batch may be too much for it as a whole.
    pub fn is_too_slow(&self) -> bool {
        match self {
            Self::Deadline { .. } => true,
            Self::Database { source, .. } => verdict(source).0 == "57014",
            Self::Overtaken { .. }
            | Self::Unreached { .. }
            | Self::WrongServer { .. }
            | Self::NoDatabase { .. }
            | Self::Url { .. }
            | Self::Migrate { .. }
            | Self::NotMigrated { .. }
            | Self::NoRole { .. }
            | Self::UnitChanged { .. }
            | Self::UnitMissing { .. }
            | Self::Corrupt { .. }
            | Self::Internal { .. } => false,
        }
    }

    /// Whether the database refused a value or a constraint, or the rows that one event needs are
    /// broken: the batch is halved until that event stands alone, so that it holds up nobody else.
    pub fn is_about_an_event(&self) -> bool {
        match self {
            Self::Corrupt { .. }
            | Self::Internal { .. }
            | Self::Database { source: sqlx::Error::Encode(_), .. } => true,
            Self::Database { source, .. } => {
                let (state, constraint) = verdict(source);
                let is_refusal = ["22", "23", "54"].iter().any(|class| state.starts_with(class));
                is_refusal && !is_raced(&state, &constraint)
            }
            Self::Deadline { .. }
            | Self::Unreached { .. }
            | Self::Overtaken { .. }
            | Self::WrongServer { .. }
            | Self::NoDatabase { .. }
            | Self::Url { .. }
            | Self::Migrate { .. }
            | Self::NotMigrated { .. }
            | Self::NoRole { .. }
            | Self::UnitChanged { .. }
            | Self::UnitMissing { .. } => false,
        }
    }
}

/// SQLSTATE and constraint, empty where there is none.
fn verdict(error: &sqlx::Error) -> (String, String) {
    let Some(error) = error.as_database_error() else { return (String::new(), String::new()) };
    let state = error.code().map_or_else(String::new, std::borrow::Cow::into_owned);
    (state, error.constraint().unwrap_or_default().to_owned())
}

fn is_raced(state: &str, constraint: &str) -> bool {
    state == "23505" && RACED_CONSTRAINTS.contains(&constraint)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx::Error may grow")]
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(_) => {
            let (state, constraint) = verdict(error);
            is_transient_state(&state) || is_raced(&state, &constraint)
        }
        // A link that broke, or answers that make no sense any more: the connection is thrown away.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

fn is_transient_state(state: &str) -> bool {
    // Connection trouble; too few connections, disk or memory.
    if state.starts_with("08") || state.starts_with("53") {
        return true;
    }
    matches!(
        state,
        // Serialization failure, deadlock, lock timeout, statement timeout.
        "40001" | "40P01" | "55P03" | "57014"
            // Shutdown, crash, start-up, an idle session or transaction ended by the server.
            | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04"
            // Read-only: a fail-over left us with the wrong server.
            | "25006"
            // A plan from before a migration; the next connection has none.
            | "0A000"
    )
}
