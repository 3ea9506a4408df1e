//! What can go wrong with the broker, and whether trying again may help.
//!
//! Texts name objects and addresses, never credentials.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("could not read the broker's url: {reason}")]
    Url { reason: String },
    #[error("could not read the broker's CA file {}", path.display())]
    CaFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not {doing}{}", what_lacks(source))]
    Failed {
        doing: Cow<'static, str>,
        #[source]
        source: lapin::Error,
    },
    #[error("could not connect to the broker at {place}{}", what_to_look_at(source))]
    Unreached {
        /// Host, port, vhost and user.
        place: String,
        #[source]
        source: lapin::Error,
    },
    #[error("could not {doing} within {limit:?}")]
    TimedOut { doing: Cow<'static, str>, limit: Duration },
    #[error("could not publish: the broker blocks publishers (memory or disk alarm)")]
    Blocked,
    #[error(
        "could not declare {object}: it exists and differs ({difference}); set broker.topology \
         to \"verify\" to use it as it is, or delete it and let creditd declare it"
    )]
    Differs { object: String, difference: String },
    #[error("could not find in the broker: {}; {remedy}", objects.join(", "))]
    Missing { objects: Vec<String>, remedy: &'static str },
    #[error("could not go on consuming: the broker cancelled the subscription to queue `{queue}`")]
    Cancelled { queue: String },
    /// lapin closes the connection on a delivery with a routing key or property that is no UTF-8;
    /// anyone may publish one. It comes again with all its neighbours, and each time counts for
    /// all: open again at once, with a prefetch of one, so that only it reaches the delivery limit.
    #[error("could not read a delivery, which ended the connection")]
    Unreadable {
        #[source]
        source: lapin::Error,
    },
    #[error("could not go on: this connection has already failed and must be opened again")]
    Unusable,
    #[error("could not dead-letter delivery {tag}: an acknowledgement has already covered it")]
    AlreadySettled { tag: u64 },
    #[error("could not settle delivery {tag}: nothing with this tag was delivered")]
    NeverDelivered { tag: u64 },
    #[error("could not use {what}: it has {bytes} bytes and may have {max}")]
    TooLong { what: Cow<'static, str>, bytes: usize, max: usize },
    #[error("could not tell what became of a publication: {reason}")]
    Unaccounted { reason: &'static str },
}

impl BrokerError {
    /// Whether the same attempt, on a new connection, may succeed without anyone changing
    /// settings, permissions or the broker's objects.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Failed { source, .. } | Self::Unreached { source, .. } => heals(source.kind()),
            Self::TimedOut { .. }
            | Self::Blocked
            | Self::Cancelled { .. }
            | Self::Unreadable { .. }
            | Self::Unusable
            | Self::Unaccounted { .. } => true,
            Self::Url { .. }
            | Self::CaFile { .. }
            | Self::Differs { .. }
            | Self::Missing { .. }
            | Self::AlreadySettled { .. }
            | Self::NeverDelivered { .. }
            | Self::TooLong { .. } => false,
        }
    }

    /// Whether an exchange or queue was named that is not there, or not any more.
    pub fn is_not_found(&self) -> bool {
        let Self::Failed { source, .. } = self else { return false };
        let ErrorKind::ProtocolError(error) = source.kind() else { return false };
        *error.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)
    }

    /// For `map_err`, after "could not".
    pub(super) fn while_trying_to(
        doing: impl Into<Cow<'static, str>>,
    ) -> impl FnOnce(lapin::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Failed { doing, source }
    }
}

/// In brackets.
#[expect(clippy::wildcard_enum_match_arm, reason = "lapin's error kinds are non-exhaustive")]
fn what_to_look_at(error: &lapin::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                " (does the user exist, is its password right, and may it log in from here?)"
            }
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                " (does the vhost exist, and may the user use it?)"
            }
            _ => "",
        },
        ErrorKind::IOError(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => " (is RabbitMQ running there?)",
            io::ErrorKind::InvalidData => {
                " (is that its port for TLS, and its certificate for this host, by an authority \
                 of broker.ca_file or the system?)"
            }
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => AMQP_PORT,
            _ => " (is that its address?)",
        },
        ErrorKind::ParsingError(_) => AMQP_PORT,
        _ => "",
    }
}

/// In brackets: what the broker refuses that somebody has to give.
#[expect(clippy::wildcard_enum_match_arm, reason = "lapin's error kinds are non-exhaustive")]
fn what_lacks(error: &lapin::Error) -> &'static str {
    let ErrorKind::ProtocolError(error) = error.kind() else { return "" };
    match error.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
            " (give the user that right with rabbitmqctl set_permissions)"
        }
        _ => "",
    }
}

const AMQP_PORT: &str = " (is that RabbitMQ's port for AMQP?)";

/// What the broker's library says of a cause, once; `None` for what is not of that library.
#[expect(clippy::wildcard_enum_match_arm, reason = "lapin's error kinds are non-exhaustive")]
pub fn library_says(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    let error = cause.downcast_ref::<lapin::Error>()?;
    Some(match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ParsingError(_) => "what it answers is not AMQP".to_owned(),
        _ => error.to_string(),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "lapin's error kinds are non-exhaustive")]
fn heals(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::ProtocolError(error) => match error.kind() {
            // PRECONDITION_FAILED reaches this from a running channel only (an acknowledgement
            // that took too long); a declaration's has become `Differs`. NOT_FOUND is a queue
            // between two leaders, or one that the next declaration makes again.
            AMQPErrorKind::Soft(
                AMQPSoftError::NOTFOUND
                | AMQPSoftError::RESOURCELOCKED
                | AMQPSoftError::PRECONDITIONFAILED
                | AMQPSoftError::NOROUTE
                | AMQPSoftError::NOCONSUMERS,
            ) => true,
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::CONTENTTOOLARGE) => {
                false
            }
            // NOT_ALLOWED is a virtual host that does not exist or is closed to this user.
            AMQPErrorKind::Hard(
                AMQPHardError::NOTALLOWED
                | AMQPHardError::INVALIDPATH
                | AMQPHardError::NOTIMPLEMENTED,
            ) => false,
            AMQPErrorKind::Hard(
                AMQPHardError::CONNECTIONFORCED
                | AMQPHardError::FRAMEERROR
                | AMQPHardError::SYNTAXERROR
                | AMQPHardError::COMMANDINVALID
                | AMQPHardError::CHANNELERROR
                | AMQPHardError::UNEXPECTEDFRAME
                | AMQPHardError::RESOURCEERROR
                | AMQPHardError::INTERNALERROR,
            ) => true,
        },
        // A certificate that does not verify arrives as invalid data, a system without
        // certificates as a file that is not found.
        ErrorKind::IOError(error) => !matches!(
            error.kind(),
            io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::NotFound
                | io::ErrorKind::PermissionDenied
        ),
        ErrorKind::InvalidProtocolVersion(_)
        | ErrorKind::SerialisationError(_)
        | ErrorKind::AuthProviderError(_)
        | ErrorKind::RuntimeShutdownError(_)
        | ErrorKind::NoDefaultRuntime => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::AMQPError;

    use super::*;

    #[test]
    fn a_right_that_is_missing_is_asked_for_and_no_retry_gives_it() {
        let message = "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'eve'";
        let refused = AMQPError::new(AMQPSoftError::ACCESSREFUSED.into(), message.into());
        let source = lapin::Error::from(ErrorKind::ProtocolError(refused));

        let error = BrokerError::while_trying_to("declare queue `q`")(source.clone());

        assert!(error.to_string().contains("rabbitmqctl set_permissions"), "{error}");
        assert_eq!(library_says(&source).as_deref(), Some(message));
        assert!(!error.is_transient());
    }
}
