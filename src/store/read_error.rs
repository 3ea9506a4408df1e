/// Something of the books could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}")]
pub struct ReadError {
    doing: &'static str,
    #[source]
    source: sqlx::Error,
}

impl ReadError {
    pub(super) fn while_trying_to(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self { doing, source }
    }

    /// Whether the server was out of reach, rather than the question wrong.
    pub fn is_away(&self) -> bool {
        if let sqlx::Error::Database(error) = &self.source {
            // Connections, too many of them, shutdown, and a server that is starting up.
            return error.code().is_some_and(|code| {
                ["08", "53", "57P"].iter().any(|class| code.starts_with(class))
            });
        }
        matches!(
            self.source,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
        )
    }
}
