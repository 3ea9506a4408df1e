use super::error::is_transient;

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

    /// Whether asking again may help: the server is out of reach, and nothing has to be mended.
    pub fn is_away(&self) -> bool {
        is_transient(&self.source)
    }
}
