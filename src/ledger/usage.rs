//! One usage event: what it took from where, and what was reversed of it.
//!
//! What is given back is a function of the set of its reversals, in whatever order they and the
//! usage came (semantics 5.5). Which slices it comes from follows from the sum alone, so no slice
//! keeps account of itself.

use std::collections::BTreeMap;

use super::account::Change;
use super::amount::{Credits, Number, Overflow, divided};
use super::fold::reduced;
use super::names::{EventKey, EventName, LotNo, Name};

/// An event that reversals name, or may come to name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRecord {
    pub standing: Standing,
    pub reversals: BTreeMap<EventKey, UsageReversalRecord>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It has not come yet, or is parked: its reversals wait.
    #[default]
    Awaited,
    Drawn(Draw),
    /// It was declined or ignored: there is nothing to give back.
    Idle,
    /// It is an event of another type: there is nothing to reverse.
    NoUsage,
}

/// Usage that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    pub account: Name,
    pub unit: Name,
    pub quantity: Number,
    pub cost: Credits,
    /// What it cost, by where that was taken from, oldest first.
    pub slices: Vec<DrawSlice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawSlice {
    pub from: DrawnFrom,
    pub credits: Credits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawnFrom {
    Lot(LotNo),
    Overdraft,
    /// Nowhere: nothing covered it. Counts as the newest.
    Uncovered,
}

/// One `usage.reversed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReversalRecord {
    /// The usage event: the key that its name makes, and the name.
    pub usage: EventKey,
    pub usage_name: EventName,
    pub event_name: EventName,
    /// `None`: all.
    pub quantity: Option<Number>,
    /// By how much it raised what is reversed; `None`: it waits for its usage.
    pub credits: Option<Credits>,
    pub change: Change,
}

impl UsageRecord {
    pub fn is_waited_for(&self) -> bool {
        self.reversals.values().any(|reversal| reversal.credits.is_none())
    }

    /// What was reversed so far.
    ///
    /// # Errors
    /// [`Overflow`] when the books are broken.
    pub fn reversed(&self) -> Result<Credits, Overflow> {
        let settled = self.reversals.values().filter_map(|reversal| reversal.credits);
        settled.into_iter().try_fold(Credits::ZERO, Credits::plus)
    }

    /// What is to be reversed of `draw` by all that has been settled, and by one of `quantity`
    /// beside them.
    ///
    /// # Errors
    /// [`Overflow`] when a share does not fit 128 bits.
    pub fn target(&self, draw: &Draw, more: Option<Number>) -> Result<Credits, Overflow> {
        let settled = self.reversals.values().filter(|reversal| reversal.credits.is_some());
        draw.share(settled.map(|reversal| reversal.quantity).chain([more]))
    }
}

impl UsageReversalRecord {
    pub(super) fn settle(&mut self, credits: Credits) {
        self.credits = Some(credits);
        self.change.touch();
    }
}

impl Draw {
    /// round(cost × min(Σ quantities, quantity) ÷ quantity); a quantity of `None` is all of it.
    ///
    /// # Errors
    /// [`Overflow`] when it does not fit 128 bits.
    pub fn share(
        &self,
        quantities: impl IntoIterator<Item = Option<Number>>,
    ) -> Result<Credits, Overflow> {
        let whole = self.quantity.billionths()?;
        let mut part = 0_i128;
        for quantity in quantities {
            let more = quantity.map_or(Ok(whole), Number::billionths)?;
            part = part.saturating_add(more).min(whole);
        }
        // Usage of nothing costs nothing.
        if whole == 0 {
            return Ok(Credits::ZERO);
        }
        let (part, whole) = reduced(part, whole);
        let product = i128::from(self.cost.steps()).checked_mul(part).ok_or(Overflow)?;
        let steps = i64::try_from(divided(product, whole)?).map_err(|_| Overflow)?;
        Ok(Credits::from_steps(steps))
    }

    /// What of each slice lies between two sums of reversed credits, newest first.
    ///
    /// # Errors
    /// [`Overflow`] when the books are broken.
    pub fn between(&self, before: Credits, after: Credits) -> Result<Vec<DrawSlice>, Overflow> {
        let (mut had, mut owed) = (before, after.minus(before)?);
        let mut parts = Vec::new();
        for slice in self.slices.iter().rev() {
            let gone = slice.credits.min(had);
            had = had.minus(gone)?;
            let credits = slice.credits.minus(gone)?.min(owed);
            owed = owed.minus(credits)?;
            if credits.is_positive() {
                parts.push(DrawSlice { from: slice.from, credits });
            }
        }
        Ok(parts)
    }
}
