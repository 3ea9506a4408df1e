//! Events whose outcome was moved: by an operator, by a corrected event, or by the payment that
//! they waited for. The outcome and what belongs to it are all that an inbox row ever changes.

use std::collections::BTreeMap;

use super::columns::{at, column, key};
use super::error::StoreError;
use super::inbox::usage_run;
use super::parked;
use super::writer::Writer;
use crate::ledger::{EventKey, Fate, Moved, Record, Rejection, Timestamp};

/// How an event stands after the batch, whatever happened to it in between.
struct Ending<'a> {
    last: &'a Moved,
    /// How it was applied, if it was.
    record: Option<&'a Record>,
    /// How often it was released, with success or not.
    tries: i32,
}

impl<'a> Ending<'a> {
    fn of(moved: &'a [Moved]) -> Vec<Self> {
        let mut endings: BTreeMap<EventKey, Self> = BTreeMap::new();
        for last in moved {
            let ending =
                endings.entry(last.event).or_insert(Ending { last, record: None, tries: 0 });
            ending.last = last;
            match &last.fate {
                Fate::Released(record) => {
                    ending.record = Some(record);
                    ending.tries = ending.tries.saturating_add(1);
                }
                Fate::StillParked(_) => ending.tries = ending.tries.saturating_add(1),
                Fate::Discarded | Fate::Superseded { .. } | Fate::Displaced(_) => {}
            }
        }
        endings.into_values().collect()
    }

    fn rejection(&self) -> Option<&'a Rejection> {
        match &self.last.fate {
            Fate::StillParked(rejection) | Fate::Displaced(rejection) => Some(rejection),
            Fate::Released(_) | Fate::Discarded | Fate::Superseded { .. } => None,
        }
    }

    /// The desk's word for what it is now; `None`: it is open.
    fn closed_as(&self) -> Option<&'static str> {
        match &self.last.fate {
            Fate::Released(_) => Some("released"),
            Fate::Discarded => Some("discarded"),
            Fate::Superseded { .. } => Some("superseded"),
            Fate::StillParked(_) | Fate::Displaced(_) => None,
        }
    }
}

/// What was released, with how it ended.
pub(super) fn released(moved: &[Moved]) -> impl Iterator<Item = &Record> {
    moved.iter().filter_map(|moved| match &moved.fate {
        Fate::Released(record) => Some(&**record),
        Fate::StillParked(_) | Fate::Discarded | Fate::Superseded { .. } | Fate::Displaced(_) => {
            None
        }
    })
}

pub(super) async fn save(
    writer: &mut Writer<'_>,
    moved: &[Moved],
    now: Timestamp,
) -> Result<(), StoreError> {
    let endings = &Ending::of(moved);
    move_outcomes(writer, endings).await?;
    let open: Vec<(EventKey, &Rejection)> = endings
        .iter()
        .filter_map(|ending| Some((ending.last.event, ending.rejection()?)))
        .collect();
    parked::insert(writer, &open, now).await?;
    close(writer, endings, now).await?;
    remember_newest(writer, moved).await
}

async fn move_outcomes(writer: &mut Writer<'_>, endings: &[Ending<'_>]) -> Result<(), StoreError> {
    let records = column(endings, |ending| ending.record);
    let used = column(&records, |record| record.and_then(|record| record.used.as_ref()));
    let run = |record: &Option<&Record>| record.and_then(usage_run);
    let statement = sqlx::query(
        "UPDATE inbox
         SET outcome = new.outcome, reason = new.reason,
             account_id = coalesce(new.account_id, inbox.account_id),
             purchase_id = coalesce(new.purchase_id, inbox.purchase_id),
             unit = coalesce(new.unit, inbox.unit),
             meter = coalesce(new.meter, inbox.meter),
             quantity = coalesce(new.quantity, inbox.quantity),
             cost = coalesce(new.cost, inbox.cost),
             uncovered = coalesce(new.uncovered, inbox.uncovered),
             entry_first = coalesce(new.entry_first, inbox.entry_first),
             entry_last = coalesce(new.entry_last, inbox.entry_last)
         FROM unnest($1::UUID[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::TEXT[],
             $7::TEXT[], $8::NUMERIC[], $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], $12::BIGINT[])
             AS new (event_key, outcome, reason, account_id, purchase_id, unit, meter, quantity,
             cost, uncovered, entry_first, entry_last)
         WHERE inbox.event_key = ANY (ARRAY[new.event_key])",
    )
    .bind(column(endings, |ending| key(ending.last.event)))
    .bind(column(endings, |ending| ending.last.outcome()))
    .bind(column(endings, |ending| ending.last.reason()))
    .bind(column(&records, |record| record.and_then(|one| one.account).map(|id| id.0)))
    .bind(column(&records, |record| record.and_then(|one| one.purchase).map(|id| id.0)))
    .bind(column(&used, |used| used.map(|used| &*used.unit)))
    .bind(column(&used, |used| used.and_then(|used| used.meter.as_deref())))
    .bind(column(&used, |used| used.map(|used| used.quantity.decimal())))
    .bind(column(&used, |used| used.map(|used| used.cost.steps())))
    .bind(column(&used, |used| used.map(|used| used.uncovered.steps())))
    .bind(column(&records, |record| run(record).map(|(first, _)| first)))
    .bind(column(&records, |record| run(record).map(|(_, last)| last)));
    writer.run("move the outcomes of events", statement).await.map(|_| ())
}

async fn close(
    writer: &mut Writer<'_>,
    endings: &[Ending<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "UPDATE parked
         SET state = coalesce(new.state, parked.state),
             tries = parked.tries + new.tries,
             released_as = coalesce(new.released_as, parked.released_as),
             closed_by = CASE WHEN new.state IS NOT NULL THEN new.closed_by END,
             closed_at = CASE WHEN new.state IS NOT NULL THEN $6 END
         FROM unnest($1::UUID[], $2::TEXT[], $3::INTEGER[], $4::UUID[], $5::UUID[])
             AS new (event_key, state, tries, released_as, closed_by)
         WHERE parked.event_key = ANY (ARRAY[new.event_key])",
    )
    .bind(column(endings, |ending| key(ending.last.event)))
    .bind(column(endings, Ending::closed_as))
    .bind(column(endings, |ending| ending.tries))
    .bind(column(endings, |ending| ending.record.map(|record| key(EventKey(record.fingerprint.0)))))
    .bind(column(endings, |ending| key(ending.last.by)))
    .bind(at(now));
    writer.run("close parked events", statement).await.map(|_| ())
}

/// Of a name that was corrected, the first event leads to the newest.
async fn remember_newest(writer: &mut Writer<'_>, moved: &[Moved]) -> Result<(), StoreError> {
    let mut newest: BTreeMap<EventKey, EventKey> = BTreeMap::new();
    for one in moved {
        if let Fate::Superseded { first } = one.fate {
            newest.insert(first, one.by);
        }
    }
    if newest.is_empty() {
        return Ok(());
    }
    let newest: Vec<(EventKey, EventKey)> = newest.into_iter().collect();
    let statement = sqlx::query(
        "UPDATE parked
         SET newest = new.newest
         FROM unnest($1::UUID[], $2::UUID[]) AS new (event_key, newest)
         WHERE parked.event_key = ANY (ARRAY[new.event_key])",
    )
    .bind(column(&newest, |(first, _)| key(*first)))
    .bind(column(&newest, |(_, newest)| key(*newest)));
    writer.run("remember the newest event of a name", statement).await.map(|_| ())
}
