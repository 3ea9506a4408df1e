//! Logs on standard error, as text for people or as JSON for collectors.
//!
//! `RUST_LOG` goes before the configured level, but not before this: libraries may only warn,
//! lapin only if it is asked for. At
//! TRACE the AMQP libraries print URLs with passwords and frames with payloads, and lapin
//! warns with the whole message when one is returned; sqlx warns with the value of a URL parameter
//! that it does not know, and with lines of a password file. No directive opens those.

use std::env::{self, VarError};
use std::io::{self, IsTerminal};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterExt, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::settings::{LogFormat, LogSettings};

const VARIABLE: &str = "RUST_LOG";
const OWN: &str = "creditd";
/// Says nothing unless a directive names it: what it says of a lost link stands in our own line.
const UNASKED: &str = "lapin";

/// Targets that say nothing at all, because what they say holds payloads or secrets.
const SILENT: [&str; 2] = ["lapin::returned_messages", "sqlx_postgres::options"];

#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("RUST_LOG holds no directives, such as info or creditd::daemon=debug")]
    Directives(#[source] ParseError),
    #[error("RUST_LOG is not text in UTF-8")]
    NotText,
    #[error("the logs have been started before")]
    Started,
}

/// Sends all logs of this process to standard error, once and for good.
pub fn start(settings: &LogSettings) -> Result<(), LogsError> {
    let directives = match env::var(VARIABLE) {
        Ok(directives) => Some(directives).filter(|directives| !directives.is_empty()),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => return Err(LogsError::NotText),
    };
    let has_colours = io::stderr().is_terminal();
    let layer = layer(settings, directives.as_deref(), has_colours, io::stderr)?;
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogsError::Started)
}

fn layer<W>(
    settings: &LogSettings,
    directives: Option<&str>,
    has_colours: bool,
    writer: W,
) -> Result<Box<dyn Layer<Registry> + Send + Sync>, LogsError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let asked = match directives {
        Some(directives) => EnvFilter::try_new(directives).map_err(LogsError::Directives)?,
        None => EnvFilter::default().add_directive(settings.level.into()),
    };
    let is_asked_for = directives.is_some_and(|directives| directives.contains(UNASKED));
    let asked = match format!("{UNASKED}=off").parse() {
        Ok(off) if !is_asked_for => asked.add_directive(off),
        Ok(_) | Err(_) => asked,
    };
    let allowed = filter_fn(is_allowed).with_max_level_hint(LevelFilter::TRACE);
    let filter = asked.and(allowed);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(has_colours);
    Ok(match settings.format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

fn is_allowed(metadata: &Metadata<'_>) -> bool {
    metadata.level() <= &most(metadata.target())
}

/// The most a target may say, whatever is asked for.
fn most(target: &str) -> LevelFilter {
    let within = |module: &str| {
        target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    if SILENT.into_iter().any(within) {
        LevelFilter::OFF
    } else if within(OWN) {
        LevelFilter::TRACE
    } else {
        LevelFilter::WARN
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{Level, error, info, trace, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(
        format: LogFormat,
        level: Level,
        directives: Option<&str>,
        say: impl FnOnce(),
    ) -> String {
        let written = Written::default();
        let writer = written.clone();
        let settings = LogSettings { format, level };
        let layer = layer(&settings, directives, false, move || writer.clone()).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, say);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// What libraries say with a secret or a payload in it, as seen in their sources.
    fn leak() {
        trace!(target: "amq_protocol_tcp", uri = "amqp://u:hunter2@h", "Connecting.");
        trace!(target: "lapin::channels", frame = "hunter2", "will handle frame");
        trace!(target: "lapin::internal_rpc", command = "hunter2", "Queuing");
        warn!(target: "lapin::returned_messages", message = "hunter2", "Server returned");
        info!(target: "sqlx::query", summary = "hunter2");
        warn!(target: "sqlx_postgres::options::parse", value = "hunter2", "ignoring");
        warn!(target: "sqlx_postgres::options::pgpass", line = "hunter2", "Malformed");
    }

    #[test]
    fn no_directive_opens_what_libraries_print_of_secrets_and_payloads() {
        for directives in [
            None,
            Some("trace"),
            Some("lapin=trace,amq_protocol_tcp=trace,sqlx=trace"),
            Some("lapin::channels=trace,lapin::returned_messages=trace,sqlx_postgres=trace"),
        ] {
            assert_eq!(logged(LogFormat::Text, Level::TRACE, directives, leak), "");
        }
    }

    #[test]
    fn libraries_still_warn_but_the_brokers_only_when_it_is_asked_for() {
        let say = || {
            warn!(target: "sqlx::pool::acquire", "slow");
            error!(target: "lapin::io_loop", "broken");
            warn!(target: "lapin::returned_messages_of_another_kind", "another");
        };

        for (directives, lines) in
            [(None, 1), (Some("info"), 1), (Some("trace,lapin=error"), 2), (Some("lapin=warn"), 2)]
        {
            let logged = logged(LogFormat::Text, Level::INFO, directives, say);
            assert_eq!(logged.lines().count(), lines, "{directives:?}: {logged}");
        }
    }

    #[test]
    fn the_level_of_the_settings_decides_without_rust_log() {
        let say = || {
            tracing::debug!("more");
            info!("enough");
        };

        let at_info = logged(LogFormat::Text, Level::INFO, None, say);
        let at_debug = logged(LogFormat::Text, Level::DEBUG, None, say);

        assert_eq!(at_info.lines().count(), 1);
        assert_eq!(at_debug.lines().count(), 2);
    }

    #[test]
    fn rust_log_goes_before_the_level_of_the_settings() {
        let logged = logged(LogFormat::Text, Level::ERROR, Some("creditd::observe=trace"), || {
            trace!("heard");
            trace!(target: "creditd::daemon", "not asked for");
        });

        assert!(logged.contains("heard"));
        assert_eq!(logged.lines().count(), 1);
    }

    #[test]
    fn directives_that_are_none_are_refused() {
        let settings = LogSettings { format: LogFormat::Text, level: Level::INFO };

        let error = layer(&settings, Some("creditd=loud"), false, io::stderr).err().unwrap();

        assert!(matches!(error, LogsError::Directives(_)));
    }

    #[test]
    fn json_is_one_object_a_line_with_fields_at_its_top() {
        let logged = logged(LogFormat::Json, Level::INFO, None, || {
            info!(outcome = "applied", elapsed_ms = 12, "message settled");
        });

        let line: serde_json::Value = serde_json::from_str(&logged).unwrap();
        assert_eq!(line["outcome"], "applied");
        assert_eq!(line["elapsed_ms"], 12);
        assert_eq!(line["message"], "message settled");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn without_a_terminal_there_are_no_colours() {
        let logged = logged(LogFormat::Text, Level::INFO, None, || error!("plain"));

        assert!(!logged.contains('\u{1b}'), "{logged:?}");
    }
}
