//! Table `notice`, as the relay sees it: what waits to be published, per account in sequence.
//!
//! An account's notices are committed under its lock, so what is visible of them has no gap.

use std::time::Duration;

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::columns::{Columns, Names};
use super::error::StoreError;
use super::{Backlog, Store};
use crate::ledger::{AccountId, EventKey, EventName, Name, Timestamp};

/// A notice that the broker has not confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingNotice {
    pub id: Uuid,
    /// `None` for `event.parked`.
    pub account: Option<(AccountId, Name)>,
    /// From 1, without a gap, per account; 0 for `event.parked`.
    pub sequence: i64,
    /// The type, without prefix.
    pub kind: Name,
    pub unit: Option<Name>,
    pub event: EventKey,
    pub event_name: EventName,
    pub traceparent: Option<Name>,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    /// The `data` member, as JSON text.
    pub data: String,
}

/// A place in the order in which notices wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxCursor {
    account: Option<AccountId>,
    sequence: i64,
    id: Uuid,
}

impl OutboxCursor {
    /// Behind all that belongs to no account.
    pub const ACCOUNTS: Self = Self { account: Some(FIRST.0), sequence: FIRST.1, id: Uuid::nil() };

    pub fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// Behind all of its account.
    pub fn past_account(self) -> Self {
        Self { sequence: i64::MAX, ..self }
    }
}

impl PendingNotice {
    pub fn cursor(&self) -> OutboxCursor {
        let account = self.account.as_ref().map(|(account, _)| *account);
        OutboxCursor { account, sequence: self.sequence, id: self.id }
    }
}

impl Store {
    /// At most `limit` waiting notices behind `after`: first those of no account, then account by
    /// account, each in sequence. Fewer than `limit` means that this was the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_notices(
        &self,
        after: Option<OutboxCursor>,
        limit: u32,
    ) -> Result<Vec<PendingNotice>, StoreError> {
        // Behind the last id there is nothing.
        let (id, (account, sequence)) = match after {
            Some(OutboxCursor { account: Some(account), sequence, .. }) => {
                (Uuid::max(), (account, sequence))
            }
            Some(OutboxCursor { account: None, id, .. }) => (id, FIRST),
            None => (Uuid::nil(), FIRST),
        };
        // The order is spelt as the index has it, or another would be walked.
        let statement = sqlx::query(
            "(SELECT notice_id, account_id, account, sequence, type, unit, event_key, source, id,
                 traceparent, occurred_at, recorded_at, data
             FROM notice
             WHERE published_at IS NULL AND account_id IS NULL AND sequence = 0
                 AND notice_id > $1
             ORDER BY account_id NULLS FIRST, sequence, notice_id
             LIMIT $4)
             UNION ALL
             (SELECT notice_id, account_id, account, sequence, type, unit, event_key, source, id,
                 traceparent, occurred_at, recorded_at, data
             FROM notice
             WHERE published_at IS NULL AND (account_id, sequence) > ($2, $3)
             ORDER BY account_id NULLS FIRST, sequence
             LIMIT $4)
             LIMIT $4",
        )
        .bind(id)
        .bind(account.0)
        .bind(sequence)
        .bind(i64::from(limit));
        let mut session = self.session().await?;
        read(&session.rows("look for waiting notices", statement).await?)
    }

    /// Notes that the broker has confirmed these. Waits for no disk: what a crash of the server
    /// takes back is published again under the same ids, as after a crash before this.
    ///
    /// # Errors
    /// [`StoreError`]; the notices are then published again, which their subscribers must expect.
    pub async fn mark_published(&self, notices: &[Uuid]) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "WITH hint AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
             UPDATE notice
             SET published_at = clock_timestamp()
             FROM hint
             WHERE notice_id = ANY($1)",
        )
        .bind(notices);
        let mut session = self.session().await?;
        session.run("mark notices as published", statement).await.map(|_| ())
    }

    /// How many notices wait, and since when.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn outbox_depth(&self) -> Result<Backlog, StoreError> {
        let statement = sqlx::query(
            "SELECT count(*), (1000 * EXTRACT(EPOCH FROM clock_timestamp() - min(recorded_at)))::BIGINT
             FROM notice
             WHERE published_at IS NULL",
        );
        let mut session = self.session().await?;
        let row = session.row("count waiting notices", statement).await?;
        Backlog::read(&row)
    }
}

impl Backlog {
    /// From a row of a count and an age in milliseconds.
    pub(super) fn read(row: &PgRow) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        let count: i64 = columns.next()?;
        let oldest: Option<i64> = columns.next()?;
        let age = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        Ok(Self { count: u64::try_from(count).unwrap_or(0), oldest: oldest.map(age) })
    }
}

/// Before the first notice of any account.
const FIRST: (AccountId, i64) = (AccountId(i64::MIN), 0);

fn read(rows: &[PgRow]) -> Result<Vec<PendingNotice>, StoreError> {
    let names = &mut Names::default();
    rows.iter()
        .map(|row| {
            let columns = &mut Columns::of(row);
            Ok(PendingNotice {
                id: columns.next()?,
                account: {
                    let id: Option<i64> = columns.next()?;
                    id.map(AccountId).zip(columns.name_or_none(names)?)
                },
                sequence: columns.next()?,
                kind: columns.name(names)?,
                unit: columns.name_or_none(names)?,
                event: columns.key()?,
                event_name: EventName {
                    source: columns.name(names)?,
                    id: Name::from(columns.next::<&str>()?),
                },
                traceparent: columns.next::<Option<&str>>()?.map(Name::from),
                occurred_at: columns.at()?,
                recorded_at: columns.at()?,
                data: columns.next()?,
            })
        })
        .collect()
}
