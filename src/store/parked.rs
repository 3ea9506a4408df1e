//! Table `parked`: events that could not be applied. The message itself is in the inbox row.

use std::collections::HashMap;

use super::columns::{Columns, at, column, key};
use super::error::StoreError;
use super::inbox::Ended;
use super::session::Session;
use super::writer::Writer;
use super::{Arrival, Backlog, Store};
use super::{batch, inbox, moved, notice};
use crate::ledger::{
    Book, DeskState, EventKey, EventName, Fate, Fingerprint, Met, Moved, Name, OnDesk,
    ParkedNotice, Record, Rejection, Timestamp, Verdict,
};
use crate::notice::Wire;

impl Store {
    /// Parks one event for a reason that lies outside the ledger: the database refused its rows,
    /// or it is too large to be kept. `render` makes its notice. `false`: it was known already,
    /// and nothing changed.
    ///
    /// # Errors
    /// [`StoreError`]; transient ones ask for the same again.
    pub async fn park_alone(
        &self,
        arrival: &Arrival,
        rejection: &Rejection,
        render: impl Fn(&ParkedNotice) -> Wire,
    ) -> Result<bool, StoreError> {
        match self.park(arrival, rejection, &render).await {
            // The message's bytes fit anyhow. Its properties may be what the database refuses.
            Err(error) if error.is_about_an_event() && arrival.properties.is_some() => {
                let bare = Arrival { properties: None, ..arrival.clone() };
                self.park(&bare, rejection, &render).await
            }
            answer => answer,
        }
    }

    async fn park(
        &self,
        arrival: &Arrival,
        rejection: &Rejection,
        render: &impl Fn(&ParkedNotice) -> Wire,
    ) -> Result<bool, StoreError> {
        let request = &arrival.request;
        let mut tx = self.begin().await?;
        let mut book = Book { desk: on_desk(&mut tx, &[request.key]).await?, ..Book::default() };
        let known = inbox::known(&mut tx, &[request.key, request.conflict_key]).await?;
        book.seen = known.into_iter().collect();
        let (key, older) = match book.met(request) {
            Met::Never => (request.key, None),
            Met::Differing => (request.conflict_key, None),
            Met::Correcting(older) => (request.conflict_key, Some(older)),
            Met::Before(_) => {
                tx.rollback().await?;
                return Ok(false);
            }
        };
        let now = batch::clock(&mut tx).await?;
        let record = record(arrival, rejection, key, now);
        let told = ParkedNotice {
            event: key,
            by: key,
            event_name: record.name.clone(),
            reason: rejection.reason,
            traceparent: request.traceparent.as_deref().map(|text| Name::from(printable(text))),
            occurred_at: record.occurred_at,
        };
        let writer = &mut Writer::new(&mut tx, None);
        inbox::insert(writer, &[Ended { record: &record, arrival }], now).await?;
        insert(writer, &[(key, rejection)], now).await?;
        if let Some(event) = older {
            let fate = Fate::Superseded { first: request.key };
            moved::save(writer, &[Moved { event, by: key, fate }], now).await?;
        }
        notice::insert(writer, &[render(&told)], now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// How many parked events wait for an operator, by reason.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn parked_by_reason(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let statement = sqlx::query(
            "SELECT reason, count(*)
             FROM parked
             WHERE state = 'open'
             GROUP BY reason
             ORDER BY reason",
        );
        let mut session = self.session().await?;
        let rows = session.rows("count parked events", statement).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                let reason = columns.next()?;
                let count: i64 = columns.next()?;
                Ok((reason, u64::try_from(count).unwrap_or(0)))
            })
            .collect()
    }

    /// How much waits for its cause, and since when: refunds, voids and disputes whose payment has
    /// not come, and reversals whose usage has not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting(&self) -> Result<Backlog, StoreError> {
        let statement = sqlx::query(
            "SELECT count(*),
                 (1000 * EXTRACT(EPOCH FROM clock_timestamp() - min(since)))::BIGINT
             FROM (
                 SELECT first_seen_at AS since
                 FROM purchase
                 JOIN refund ON refund.purchase_id = ANY (ARRAY[purchase.purchase_id])
                 WHERE purchase.account_id IS NULL
                 UNION ALL
                 SELECT inbox.received_at
                 FROM usage_reversal
                 JOIN inbox ON inbox.event_key = ANY (ARRAY[usage_reversal.event_key])
                 WHERE usage_reversal.credits IS NULL
             ) AS waiting",
        );
        let mut session = self.session().await?;
        let row = session.row("count what waits", statement).await?;
        Backlog::read(&row)
    }
}

fn record(arrival: &Arrival, rejection: &Rejection, key: EventKey, now: Timestamp) -> Record {
    let request = &arrival.request;
    let clean = |name: &Name| Name::from(printable(name));
    Record {
        key,
        fingerprint: request.fingerprint,
        name: EventName { source: clean(&request.name.source), id: clean(&request.name.id) },
        kind: clean(&request.kind),
        verdict: Verdict::Parked(rejection.clone()),
        occurred_at: request.occurred_at.map_or(now, |at| at.min(now)),
        is_new: true,
        account: None,
        purchase: None,
        used: None,
        postings: Vec::new(),
    }
}

/// What is on the desk of these events and, where one was corrected, of the newest of its name;
/// locked, so that nobody else moves it meanwhile.
pub(super) async fn on_desk(
    tx: &mut Session,
    keys: &[EventKey],
) -> Result<HashMap<EventKey, OnDesk>, StoreError> {
    let mut desk: HashMap<EventKey, OnDesk> = lock(tx, keys).await?.into_iter().collect();
    let newest: Vec<EventKey> = desk.values().filter_map(|first| first.newest).collect();
    if !newest.is_empty() {
        desk.extend(lock(tx, &newest).await?);
    }
    Ok(desk)
}

/// In the order of their keys.
async fn lock(tx: &mut Session, keys: &[EventKey]) -> Result<Vec<(EventKey, OnDesk)>, StoreError> {
    let statement = sqlx::query(
        "SELECT event_key, state, reason, released_as, tries, newest
         FROM parked
         WHERE event_key = ANY($1)
         ORDER BY event_key
         FOR UPDATE",
    )
    .bind(column(keys, |event| key(*event)));
    let rows = tx.rows("lock parked events", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let event = columns.key()?;
            let (state, reason): (&str, &str) = (columns.next()?, columns.next()?);
            let state = DeskState::from_code(state, reason).ok_or_else(|| {
                StoreError::corrupt(format!("a parked event is {state} as {reason}"))
            })?;
            let released_as: Option<uuid::Uuid> = columns.next()?;
            let tries = columns.next()?;
            let newest: Option<uuid::Uuid> = columns.next()?;
            let desk = OnDesk {
                state,
                released_as: released_as.map(|meaning| Fingerprint(meaning.into_bytes())),
                tries,
                newest: newest.map(|newest| EventKey(newest.into_bytes())),
            };
            Ok((event, desk))
        })
        .collect()
}

/// Puts events on the desk, or there again.
pub(super) async fn insert(
    writer: &mut Writer<'_>,
    parked: &[(EventKey, &Rejection)],
    now: Timestamp,
) -> Result<(), StoreError> {
    if parked.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO parked (event_key, reason, detail, parked_at)
         SELECT event_key, reason, detail, $4
         FROM unnest($1::UUID[], $2::TEXT[], $3::TEXT[]) AS new (event_key, reason, detail)
         ON CONFLICT (event_key) DO UPDATE
         SET state = 'open', reason = EXCLUDED.reason, detail = EXCLUDED.detail,
             closed_by = NULL, closed_at = NULL",
    )
    .bind(column(parked, |(event, _)| key(*event)))
    .bind(column(parked, |(_, rejection)| rejection.reason.code()))
    .bind(column(parked, |(_, rejection)| printable(&rejection.detail)))
    .bind(at(now));
    writer.run("write parked events", statement).await.map(|_| ())
}

/// Postgres takes every character but one.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
