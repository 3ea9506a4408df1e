//! Where the database is looked for, and what to look at when it is not found there. Texts name
//! the place and the role, never the password.

use std::error::Error;
use std::io;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;

use super::connect::DatabaseSettings;
use super::error::{StoreError, is_transient};

impl DatabaseSettings {
    /// Database, server and role, as the URL names them.
    pub fn place(&self) -> String {
        let Ok(options) = self.url.expose().parse::<PgConnectOptions>() else {
            return "of a URL that can't be read".to_owned();
        };
        let role = options.get_username();
        let database = options.get_database().unwrap_or(role);
        match options.get_socket() {
            Some(socket) => format!("{database} at {} as {role}", socket.display()),
            None => {
                let (host, port) = (options.get_host(), options.get_port());
                format!("{database} at {host}:{port} as {role}")
            }
        }
    }
}

impl StoreError {
    /// An error of reaching the database with where it was looked for and what to look at; any
    /// other error as it is.
    #[must_use]
    pub fn at(self, settings: &DatabaseSettings) -> Self {
        let is_transient = self.is_transient();
        let (ask, source): (_, Box<dyn Error + Send + Sync>) = match self {
            Self::Database { source, doing } => match what_to_look_at(&source) {
                Some(ask) => (ask, Box::new(source)),
                None => return Self::Database { source, doing },
            },
            Self::Deadline { waited, .. } => (
                " (is that its address, and does a firewall let it through?)",
                format!("no answer within {waited:?}").into(),
            ),
            Self::NoDatabase { name } => (
                "",
                format!(
                    "it does not exist; `creditd migrate` creates it where its role may, else \
                     run `createdb {name}`"
                )
                .into(),
            ),
            Self::WrongServer { .. } => ("", Box::new(self)),
            Self::Overtaken { .. }
            | Self::Unreached { .. }
            | Self::Url { .. }
            | Self::Migrate { .. }
            | Self::NotMigrated { .. }
            | Self::NoRole { .. }
            | Self::UnitChanged { .. }
            | Self::UnitMissing { .. }
            | Self::Corrupt { .. }
            | Self::Internal { .. } => return self,
        };
        Self::Unreached { place: settings.place(), ask, is_transient, source }
    }
}

const CERTIFICATE: &str = " (does it offer TLS, and its certificate name this host, by an \
                           authority that sslrootcert names?)";

/// `None`: the database was reached, and something else is wrong.
#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx::Error may grow")]
fn what_to_look_at(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Io(error) => Some(match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                " (is PostgreSQL running there?)"
            }
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => " (is that a PostgreSQL server?)",
            io::ErrorKind::InvalidData => CERTIFICATE,
            _ => " (is that its address?)",
        }),
        sqlx::Error::Tls(_) => Some(CERTIFICATE),
        sqlx::Error::Protocol(_) => Some(" (is that a PostgreSQL server?)"),
        sqlx::Error::Database(error) => {
            let state = error.code()?;
            match state.as_ref() {
                "3D000" => Some(" (does the database exist?)"),
                "53300" => Some(" (raise its max_connections, or lower database.pool_max)"),
                state if state.starts_with("28") => Some(
                    " (does the role exist, is its password right, and does pg_hba.conf let it \
                     in from here?)",
                ),
                _ => None,
            }
        }
        _ if is_transient(error) => Some(""),
        _ => None,
    }
}

/// What the database's library says of a cause, once and without the line of the server's source
/// that said it; `None` for what is not of that library.
#[expect(clippy::wildcard_enum_match_arm, reason = "MigrateError may grow")]
pub fn library_says(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<sqlx::Error>() {
        return Some(plain(error));
    }
    let error = cause.downcast_ref::<MigrateError>()?;
    Some(match error {
        MigrateError::Execute(error) => plain(error),
        MigrateError::ExecuteMigration(error, version) => {
            format!("migration {version:04}: {}", plain(error))
        }
        _ => error.to_string(),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx::Error may grow")]
fn plain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        // Ends in the place in the library that did not understand.
        sqlx::Error::Protocol(text) => {
            text.rsplit_once(" (sqlx").map_or(text.as_str(), |(text, _)| text).to_owned()
        }
        _ => error.to_string(),
    }
}
