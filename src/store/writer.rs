//! What a batch writes: one statement a table, sent together while they are small.
//!
//! A small batch is bound by round trips, and its writes need no answer of one another. So they
//! become one statement, each a part of its own (`WITH … AS (INSERT …)`). A part of a [`Kind`] that
//! is written has its place in it even without rows, so that there are few such statements to plan.
//! The parts see the tables as they were before all of them, and foreign keys are checked after the
//! last. Those whose rows are counted ([`Write::that_writes`]) run first and in their order, because
//! the counts are asked for in that order; the others in none that matters. So the inbox is counted:
//! its key is the one that two daemons race for. Whatever has to see what the others wrote, or take
//! a key that another lets go, is no part: [`Writer::run`] sends what was collected before it.
//!
//! A large batch is bound by its rows, and would only be held in memory twice: there each part is
//! sent by itself, at once.

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::{Arguments, AssertSqlSafe, Encode, Type};

use super::columns::Columns;
use super::error::StoreError;
use super::row_at;
use super::session::{Session, Statement};

/// What belongs together in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Written by nearly every batch.
    Usage,
    /// New purchases and what they grant.
    Purchase,
    /// What becomes of purchases that were there.
    Refund,
    /// Thresholds and notices.
    Notice,
}

/// Which kinds a batch is going to write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kinds {
    pub(super) purchase: bool,
    pub(super) refund: bool,
    pub(super) notice: bool,
}

/// Sends the writes of one batch, in their order.
pub(super) struct Writer<'s> {
    session: &'s mut Session,
    /// The kinds that are sent together; `None`: each part by itself.
    together: Option<Kinds>,
    parts: Vec<Part>,
    arguments: PgArguments,
}

/// One table's write, whose values are bound.
pub(super) struct Write {
    part: Part,
    arguments: PgArguments,
    failed: Option<sqlx::error::BoxDynError>,
}

struct Part {
    doing: &'static str,
    sql: &'static str,
    /// How many values were bound before its own.
    first: usize,
    /// How many rows it has to write, and what they are.
    rows: Option<(usize, &'static str)>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(session: &'s mut Session, together: Option<Kinds>) -> Self {
        Self { session, together, parts: Vec::new(), arguments: PgArguments::default() }
    }

    /// A write of so many rows; `None` where it is not needed. To be handed to [`Self::write`].
    pub(super) fn part(
        &mut self,
        kind: Kind,
        rows: usize,
        doing: &'static str,
        sql: &'static str,
    ) -> Option<Write> {
        let is_wanted = self.together.is_some_and(|kinds| kinds.holds(kind));
        (rows > 0 || is_wanted).then(|| {
            let arguments = std::mem::take(&mut self.arguments);
            let part = Part { doing, sql, first: arguments.len(), rows: None };
            Write { part, arguments, failed: None }
        })
    }

    pub(super) async fn write(&mut self, write: Write) -> Result<(), StoreError> {
        let Write { part, arguments, failed } = write;
        if let Some(source) = failed {
            let source = sqlx::Error::Encode(source);
            return Err(StoreError::Database { doing: part.doing, source });
        }
        self.arguments = arguments;
        self.parts.push(part);
        match self.together {
            Some(_) => Ok(()),
            None => self.send().await,
        }
    }

    /// A statement that is no part: it comes after all parts so far.
    pub(super) async fn run(
        &mut self,
        doing: &'static str,
        statement: Statement<'_>,
    ) -> Result<u64, StoreError> {
        self.send().await?;
        self.session.run(doing, statement).await
    }

    /// Sends what was collected.
    pub(super) async fn send(&mut self) -> Result<(), StoreError> {
        let parts = std::mem::take(&mut self.parts);
        let arguments = std::mem::take(&mut self.arguments);
        match &parts[..] {
            [] => Ok(()),
            [Part { doing, sql, rows, .. }] => {
                let found = self.session.run(doing, sqlx::query_with(*sql, arguments)).await?;
                rows.map_or(Ok(()), |(sent, what)| row_at::all_found(found, sent, what))
            }
            parts => {
                let sql = AssertSqlSafe(joined(parts));
                let statement = sqlx::query_with(sql, arguments);
                let counts = self.session.row("write a batch", statement).await?;
                let mut counts = Columns::of(&counts);
                for (sent, what) in parts.iter().filter_map(|part| part.rows) {
                    let found: i64 = counts.next()?;
                    row_at::all_found(u64::try_from(found).unwrap_or(0), sent, what)?;
                }
                Ok(())
            }
        }
    }
}

impl Kinds {
    fn holds(self, kind: Kind) -> bool {
        match kind {
            Kind::Usage => true,
            Kind::Purchase => self.purchase,
            Kind::Refund => self.refund,
            Kind::Notice => self.notice,
        }
    }
}

impl Write {
    pub(super) fn bind<'v, T>(mut self, value: T) -> Self
    where
        T: Encode<'v, Postgres> + Type<Postgres> + 'v,
    {
        self.failed = self.failed.or(self.arguments.add(value).err());
        self
    }

    /// Fails as overtaken unless the statement writes so many rows.
    pub(super) fn that_writes(mut self, rows: usize, what: &'static str) -> Self {
        self.part.rows = Some((rows, what));
        self
    }
}

/// Parts as one statement. Its row tells how many rows those have written that are counted.
fn joined(parts: &[Part]) -> String {
    let mut sql = String::from("WITH ");
    let mut counts = Vec::new();
    for (number, Part { sql: own, first, rows, .. }) in parts.iter().enumerate() {
        if number > 0 {
            sql.push_str(", ");
        }
        sql.push_str(&format!("part_{number} AS ("));
        renumber(own, *first, &mut sql);
        if rows.is_some() {
            sql.push_str(" RETURNING 1");
            counts.push(format!("(SELECT count(*) FROM part_{number})"));
        }
        sql.push(')');
    }
    sql.push_str(" SELECT ");
    sql.push_str(&counts.join(", "));
    sql
}

/// `$1` becomes the one after `first`, and so on.
fn renumber(sql: &str, first: usize, into: &mut String) {
    let mut pieces = sql.split('$');
    into.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let rest = piece.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = piece.strip_suffix(rest).unwrap_or_default();
        let number = digits.parse().map_or(0, |number: usize| number.saturating_add(first));
        into.push_str(&format!("${number}{rest}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sql: &'static str, first: usize, rows: Option<(usize, &'static str)>) -> Part {
        Part { doing: "test", sql, first, rows }
    }

    #[test]
    fn parts_keep_their_own_values() {
        let parts = [
            part("INSERT INTO a SELECT unnest($1), $10", 0, None),
            part("UPDATE b SET c = $2 WHERE d = $1", 10, Some((1, "b"))),
        ];

        assert_eq!(
            joined(&parts),
            "WITH part_0 AS (INSERT INTO a SELECT unnest($1), $10), \
             part_1 AS (UPDATE b SET c = $12 WHERE d = $11 RETURNING 1) \
             SELECT (SELECT count(*) FROM part_1)"
        );
    }

    #[test]
    fn nothing_has_to_be_met_where_nothing_is_counted() {
        let parts = [part("INSERT INTO a VALUES ($1)", 0, None), part("SELECT 1", 1, None)];

        assert!(joined(&parts).ends_with("part_1 AS (SELECT 1) SELECT "));
    }
}
