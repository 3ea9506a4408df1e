//! What the roles may do, granted again with every migration. The schema's owner needs nothing.
//!
//! The writer can't change or take away what the books never change: entries, postings, reversals,
//! latch flips; of an inbox row only the outcome and what belongs to it. It may read the views too,
//! which the commands use. The reader sees `creditd_read` and nothing else.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::connect::{DatabaseSettings, within};
use super::error::StoreError;

const TO_WRITER: [&str; 7] = [
    "GRANT USAGE ON SCHEMA creditd TO ",
    "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA creditd TO ",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA creditd TO ",
    "GRANT UPDATE (outcome, reason, account_id, purchase_id, unit, meter, quantity, cost, \
     uncovered, entry_first, entry_last) ON creditd.inbox TO ",
    "GRANT UPDATE ON creditd.unit, creditd.account, creditd.balance, creditd.lot, \
     creditd.repayment, creditd.forfeit, creditd.reset_mark, creditd.purchase, \
     creditd.purchase_reference, creditd.purchase_line, creditd.revocation, creditd.refund, \
     creditd.usage_reversal, creditd.notice, creditd.parked, \
     creditd.redelivery, creditd.lease, creditd.notice_horizon TO ",
    "GRANT DELETE ON creditd.account, creditd.purchase, creditd.purchase_reference, \
     creditd.reset_mark, creditd.refund, creditd.usage_reversal, creditd.notice, creditd.lease TO ",
    "REVOKE INSERT ON creditd._sqlx_migrations FROM ",
];

const TO_READER: [&str; 2] = [
    "GRANT USAGE ON SCHEMA creditd_read TO ",
    "GRANT SELECT ON ALL TABLES IN SCHEMA creditd_read TO ",
];

pub(super) async fn all(
    connection: &mut PgConnection,
    settings: &DatabaseSettings,
) -> Result<(), StoreError> {
    if let Some(role) = &settings.writer_role {
        grant(connection, settings, role, &TO_WRITER).await?;
    }
    if within(settings, "look for creditd_read", has_views(connection)).await? {
        for role in settings.writer_role.iter().chain(&settings.reader_role) {
            grant(connection, settings, role, &TO_READER).await?;
        }
    }
    Ok(())
}

async fn grant(
    connection: &mut PgConnection,
    settings: &DatabaseSettings,
    role: &str,
    grants: &[&str],
) -> Result<(), StoreError> {
    let Some(quoted) = within(settings, "look for a role", quoted(connection, role)).await? else {
        return Err(StoreError::NoRole { role: role.to_owned() });
    };
    for grant in grants {
        let sql = AssertSqlSafe(format!("{grant}{quoted}"));
        let granting = sqlx::raw_sql(sql).execute(&mut *connection);
        within(settings, "grant a role its rights", granting).await?;
    }
    Ok(())
}

/// The role's name as an identifier; `None` where there is no such role.
async fn quoted(connection: &mut PgConnection, role: &str) -> Result<Option<String>, sqlx::Error> {
    let statement = sqlx::query("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = $1");
    match statement.bind(role).fetch_optional(connection).await? {
        Some(row) => row.try_get(0).map(Some),
        None => Ok(None),
    }
}

async fn has_views(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query("SELECT to_regnamespace('creditd_read') IS NOT NULL")
        .fetch_one(connection)
        .await?
        .try_get(0)
}
