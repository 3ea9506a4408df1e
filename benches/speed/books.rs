//! What a run left behind, so that nobody wins by doing less.

use sqlx::{Connection as _, PgConnection};

use crate::Fallible;
use crate::world::Database;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) inbox: i64,
    pub(crate) entries: i64,
    /// Of all balances, in steps.
    pub(crate) balances: String,
    /// Of every row of the tables that usage writes, without the time of writing.
    digest: String,
}

/// The tables that usage writes, and the column that says when a row was written.
const WRITTEN: [(&str, &str); 4] =
    [("inbox", "received_at"), ("entry", "recorded_at"), ("balance", "updated_at"), ("lot", "")];

impl Books {
    pub(crate) async fn read(database: &Database) -> Fallible<Self> {
        let mut connection = database.connect().await?;
        let (inbox, entries, balances) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM creditd.inbox),
                 (SELECT count(*) FROM creditd.entry),
                 (SELECT COALESCE(sum(balance), 0)::TEXT FROM creditd.balance)",
        )
        .fetch_one(&mut connection)
        .await?;
        let mut digest = String::new();
        for (table, written_at) in WRITTEN {
            digest.push_str(&sum_of_rows(&mut connection, table, written_at).await?);
            digest.push(' ');
        }
        connection.close().await?;
        Ok(Self { inbox, entries, balances, digest })
    }

    /// The same in every row.
    pub(crate) fn refuse_unless_same(&self, other: &Self) -> Fallible<()> {
        self.refuse_unless(other, self == other)
    }

    /// As many rows, and the same in sum: what is left where the order of events is not.
    pub(crate) fn refuse_unless_alike(&self, other: &Self) -> Fallible<()> {
        let is_alike = (self.inbox, self.entries) == (other.inbox, other.entries)
            && self.balances == other.balances;
        self.refuse_unless(other, is_alike)
    }

    fn refuse_unless(&self, other: &Self, is_right: bool) -> Fallible<()> {
        match is_right {
            true => Ok(()),
            false => Err(format!(
                "two runs left different books behind, so they did different work:\n{self:?}\n\
                 {other:?}"
            )
            .into()),
        }
    }
}

/// The same for the same rows, in whatever order they lie.
async fn sum_of_rows(
    connection: &mut PgConnection,
    table: &str,
    written_at: &str,
) -> Fallible<String> {
    let sql = format!(
        "SELECT COALESCE(sum(hashtextextended((to_jsonb(it) - '{written_at}')::TEXT, 0)), 0)::TEXT
         FROM creditd.{table} AS it"
    );
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await?)
}
