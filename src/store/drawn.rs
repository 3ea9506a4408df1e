//! What became of the events that reversals name: from their rows in `inbox`, and for usage from
//! the entries that it posted.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;

use super::batch::Loading;
use super::columns::{Columns, Names, column, key};
use super::error::StoreError;
use super::lot::LotName;
use super::session::Session;
use super::{Arrival, usage_reversal};
use crate::ledger::{
    AccountId, Asks, Command, Credits, Draw, DrawSlice, DrawnFrom, EventKey, EventName, LotNo,
    Name, Number, Standing, WaitsFor,
};

/// An event that came.
pub(super) struct Came {
    name: EventName,
    /// Where it is usage, without account and slices until its account is locked.
    standing: Standing,
    /// Whose credits usage drew.
    pub(super) account: Option<AccountId>,
    uncovered: Credits,
    entries: Option<(i64, i64)>,
}

impl Loading {
    /// What became of the events that are to be reversed. Where one has not come, or may still be
    /// released, its reversal will wait: nobody may miss that.
    pub(super) async fn find_reversed(
        &mut self,
        tx: &mut Session,
        arrivals: &[Arrival],
    ) -> Result<(), StoreError> {
        let named = |arrival: &Arrival| match &arrival.request.event().asks {
            Asks::Command(Command::ReverseUsage(reversal)) => {
                Some((reversal.usage, reversal.usage_name.clone()))
            }
            Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => None,
        };
        self.reversed = arrivals.iter().filter_map(named).collect();
        if self.reversed.is_empty() {
            return Ok(());
        }
        self.came = find(tx, &self.reversed, &mut self.names).await?;
        let came: HashMap<&EventName, &Standing> =
            self.came.iter().map(|came| (&came.name, &came.standing)).collect();
        let comes: HashSet<EventKey> = arrivals.iter().map(|one| one.request.key).collect();
        let may_be_missed = |(key, name): (&EventKey, &EventName)| match came.get(name) {
            Some(standing) => **standing == Standing::Awaited,
            None => !comes.contains(key),
        };
        if self.reversed.iter().any(may_be_missed) {
            usage_reversal::hold(tx).await?;
            self.came = find(tx, &self.reversed, &mut self.names).await?;
        }
        Ok(())
    }

    /// The reversals that wait for one of these events.
    pub(super) async fn find_waiting(
        &mut self,
        tx: &mut Session,
        awaited: &[EventKey],
    ) -> Result<(), StoreError> {
        for row in usage_reversal::waiting(tx, awaited, &mut self.names).await? {
            self.reversed.insert(row.reversal.usage, row.reversal.usage_name.clone());
            self.put_reversal(row);
        }
        Ok(())
    }

    /// What is to be reversed, and the reversals that it has seen; its accounts are locked.
    pub(super) async fn load_usages(&mut self, tx: &mut Session) -> Result<(), StoreError> {
        if self.came.is_empty() {
            return Ok(());
        }
        let mut came = std::mem::take(&mut self.came);
        load_slices(tx, &mut came).await?;
        let events: Vec<EventKey> = self.reversed.keys().copied().collect();
        for row in usage_reversal::load(tx, &events, &mut self.names).await? {
            self.put_reversal(row);
        }
        for Came { name, mut standing, account, .. } in came {
            if let Standing::Drawn(draw) = &mut standing {
                let account = account.and_then(|id| self.accounts.get(&id));
                let account = account.ok_or(StoreError::Internal {
                    what: "usage is reversed whose account was not locked",
                })?;
                draw.account = account.name.clone();
            }
            self.book.usages.entry(name).or_default().standing = standing;
        }
        Ok(())
    }

    pub(super) fn put_reversal(&mut self, row: usage_reversal::Row) {
        let usage = self.book.usages.entry(row.reversal.usage_name.clone()).or_default();
        self.loaded.usage_reversals.push((row.event, row.reversal.clone()));
        usage.reversals.insert(row.event, row.reversal);
    }

    /// Adds the lots that usage drew, and the overdraft that it may give back.
    pub(super) fn need_usages(
        &self,
        account_of: &HashMap<&Name, AccountId>,
        overdrafts: &mut HashMap<(AccountId, Name), i64>,
        lots: &mut HashSet<LotName>,
    ) {
        for usage in self.book.usages.values() {
            let Standing::Drawn(draw) = &usage.standing else { continue };
            let Some(account) = account_of.get(&draw.account).copied() else { continue };
            for slice in &draw.slices {
                let unit = draw.unit.clone();
                match slice.from {
                    DrawnFrom::Lot(no) => {
                        lots.insert(LotName { account, unit, no });
                    }
                    DrawnFrom::Overdraft => {
                        let sum = overdrafts.entry((account, unit)).or_default();
                        *sum = sum.saturating_add(slice.credits.steps());
                    }
                    DrawnFrom::Uncovered => {}
                }
            }
        }
    }
}

/// What a reversal may wait for: what arrives, and what an operator releases, discards or forgets.
pub(super) fn awaited(arrivals: &[Arrival]) -> Vec<EventKey> {
    let mut keys = column(arrivals, |arrival| arrival.request.key);
    for arrival in arrivals {
        match &arrival.request.asks {
            Asks::Command(Command::Release(release)) => keys.push(release.first),
            Asks::Command(Command::Discard(discard)) => keys.push(discard.first),
            Asks::Command(Command::Forget(forget)) => match &forget.waits_for {
                WaitsFor::Usage(key, _) => keys.push(*key),
                WaitsFor::Payment(_) => {}
            },
            Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => {}
        }
    }
    keys
}

/// Which of these events came, and how they ended; of a name that was corrected, the newest. What
/// is applied, declined or ignored stays so; what is parked may be released.
async fn find(
    tx: &mut Session,
    events: &HashMap<EventKey, EventName>,
    names: &mut Names,
) -> Result<Vec<Came>, StoreError> {
    let keys: Vec<EventKey> = events.keys().copied().collect();
    let statement = sqlx::query(
        "SELECT named.event_key, outcome, account_id, unit, quantity, cost, uncovered, entry_first,
             entry_last
         FROM unnest($1::UUID[]) AS named (event_key)
         LEFT JOIN parked ON parked.event_key = ANY (ARRAY[named.event_key])
         JOIN inbox ON inbox.event_key = ANY (ARRAY[coalesce(parked.newest, named.event_key)])",
    )
    .bind(column(&keys, |event| key(*event)));
    let rows = tx.rows("look for what is reversed", statement).await?;
    let mut came = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        if let Some(name) = events.get(&columns.key()?) {
            came.push(read(name.clone(), &mut columns, names)?);
        }
    }
    Ok(came)
}

/// Fills in what the usage among `came` took from where.
async fn load_slices(tx: &mut Session, came: &mut [Came]) -> Result<(), StoreError> {
    let runs: Vec<Run> = came
        .iter()
        .zip(0_i32..)
        .filter_map(|(came, place)| {
            let Standing::Drawn(draw) = &came.standing else { return None };
            let (first, last) = came.entries?;
            Some(Run { place, account: came.account?, unit: draw.unit.clone(), first, last })
        })
        .collect();
    let mut drawn = match runs.is_empty() {
        true => HashMap::new(),
        false => entries(tx, &runs).await?,
    };
    for (came, place) in came.iter_mut().zip(0_i32..) {
        let Standing::Drawn(draw) = &mut came.standing else { continue };
        draw.slices = drawn.remove(&place).unwrap_or_default();
        if came.uncovered.is_positive() {
            draw.slices.push(DrawSlice { from: DrawnFrom::Uncovered, credits: came.uncovered });
        }
    }
    Ok(())
}

/// The entries of one usage.
struct Run {
    /// Among those that came.
    place: i32,
    account: AccountId,
    unit: Name,
    first: i64,
    last: i64,
}

/// What usage took, in the order in which it did. Reversals that had waited for it, and what they
/// repaid, are in the same run.
async fn entries(
    tx: &mut Session,
    runs: &[Run],
) -> Result<HashMap<i32, Vec<DrawSlice>>, StoreError> {
    let statement = sqlx::query(
        "SELECT run.place, entry.lot_no, -entry.credits
         FROM unnest($1::INTEGER[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[])
             AS run (place, account_id, unit, entry_first, entry_last)
         JOIN entry ON entry.account_id = ANY (ARRAY[run.account_id])
             AND entry.unit = run.unit
             AND entry.seq BETWEEN run.entry_first AND run.entry_last
         WHERE entry.kind IN ('used', 'overdrawn')
         ORDER BY run.place, entry.seq",
    )
    .bind(column(runs, |run| run.place))
    .bind(column(runs, |run| run.account.0))
    .bind(column(runs, |run| &*run.unit))
    .bind(column(runs, |run| run.first))
    .bind(column(runs, |run| run.last));
    let mut drawn: HashMap<i32, Vec<DrawSlice>> = HashMap::new();
    for row in tx.rows("load what usage drew", statement).await? {
        let mut columns = Columns::of(&row);
        let place = columns.next()?;
        let lot = columns.next::<Option<i32>>()?;
        let from = lot.map_or(DrawnFrom::Overdraft, |no| DrawnFrom::Lot(LotNo(no)));
        let credits = columns.credits()?;
        drawn.entry(place).or_default().push(DrawSlice { from, credits });
    }
    Ok(drawn)
}

fn read(name: EventName, columns: &mut Columns<'_>, names: &mut Names) -> Result<Came, StoreError> {
    let outcome: &str = columns.next()?;
    let account = columns.next::<Option<i64>>()?.map(AccountId);
    let unit = columns.name_or_none(names)?;
    let quantity = columns.next::<Option<Decimal>>()?.map(Number::from_decimal);
    let cost = columns.next::<Option<i64>>()?.map(Credits::from_steps);
    let uncovered = columns.next::<Option<i64>>()?.map_or(Credits::ZERO, Credits::from_steps);
    let entries = columns.next::<Option<i64>>()?.zip(columns.next::<Option<i64>>()?);
    let standing = match (outcome, unit, quantity, cost) {
        ("parked", ..) => Standing::Awaited,
        ("declined" | "ignored", ..) => Standing::Idle,
        (_, Some(unit), Some(quantity), Some(cost)) => Standing::Drawn(Draw {
            account: Name::from(""),
            unit,
            quantity,
            cost,
            slices: Vec::new(),
        }),
        (_, _, _, _) => Standing::NoUsage,
    };
    Ok(Came { name, standing, account, uncovered, entries })
}
