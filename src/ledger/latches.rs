//! Thresholds: what is latched, what was told of it, and what is held back for a while (semantics
//! 8.3, 8.4).
//!
//! Two states: what is true (`latched`, `depleted`; every change of it is a [`Flip`]), and what was
//! told. They differ only while a repeat is held back: then [`Told`] remembers what was said, and
//! when, until what is true may be said.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::amount::{Credits, Overflow};
use super::balance::Balance;
use super::entry::Cause;
use super::names::{AccountId, EventKey, Name, Timestamp};
use super::notices::Tells;
use super::terms::Watch;

/// A threshold was latched or let go; recorded with the balance that did it (semantics 8.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    pub account: AccountId,
    pub unit: Name,
    /// The entry after which it was judged.
    pub entry_seq: i64,
    /// `None`: the balance was used up.
    pub threshold: Option<Credits>,
    pub latched: bool,
    pub balance: Credits,
    pub event: EventKey,
    /// Its notice was held back: it repeats one that was told a short while ago.
    pub is_held: bool,
}

/// What was told of one balance, for as long as that may differ from what is true, or may keep a
/// repeat back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Thresholds of which `balance.low` was told, and no `balance.recovered` since.
    pub low: Vec<Credits>,
    pub depleted: bool,
    /// When each notice was told last.
    pub low_at: Vec<(Credits, Timestamp)>,
    pub recovered_at: Option<Timestamp>,
    pub depleted_at: Option<Timestamp>,
}

/// What one balance is judged by.
pub(super) struct Judging<'a> {
    /// The balance before the event's first entry.
    pub(super) before: Credits,
    pub(super) watch: &'a Watch,
    /// Thresholds that this very event has set: they count even if they were never crossed, for
    /// whoever has held the unit.
    pub(super) set: &'a [Credits],
    pub(super) cause: &'a Cause,
    /// The books' clock.
    pub(super) now: Timestamp,
}

/// Judges the thresholds of one balance, once an event. Latches as it goes; what is to be told
/// comes back in its order.
pub(super) fn judge(
    balance: &mut Balance,
    judging: &Judging<'_>,
    flips: &mut Vec<Flip>,
) -> Result<Vec<Tells>, Overflow> {
    let moved = balance.balance.minus(judging.before)?;
    let was = (balance.told.clone(), balance.peak);
    let first_flip = flips.len();
    forget_removed(balance, judging, flips);
    let mut told = balance.told.take().map_or_else(
        || Told { low: balance.latched.clone(), depleted: balance.depleted, ..Told::default() },
        |told| *told,
    );
    told.low.retain(|line| judging.watch.thresholds.contains(line));
    latch(balance, judging, flips);
    recover(balance, judging, flips);
    deplete(balance, judging, flips);
    balance.peak = balance.peak.max(judging.before).max(balance.balance);

    let tells = told.catch_up(balance, judging, moved);
    for flip in flips.iter_mut().skip(first_flip) {
        flip.is_held = told.holds(balance, flip);
    }
    balance.told = told.worth_keeping(balance, judging);
    if first_flip < flips.len() || was != (balance.told.clone(), balance.peak) {
        balance.change.touch();
    }
    Ok(tells)
}

/// A threshold that is no longer set is let go without a word.
fn forget_removed(balance: &mut Balance, judging: &Judging<'_>, flips: &mut Vec<Flip>) {
    let (kept, gone): (Vec<_>, Vec<_>) =
        balance.latched.iter().copied().partition(|line| judging.watch.thresholds.contains(line));
    balance.latched = kept;
    for line in gone {
        flips.push(Flip::of(balance, Some(line), false, judging.cause));
    }
}

/// What the balance was once at or above, and is below now, is latched; so a threshold that the
/// catalog has from now on reaches whoever it concerns with their next posting.
fn latch(balance: &mut Balance, judging: &Judging<'_>, flips: &mut Vec<Flip>) {
    let has_held = balance.is_held;
    let highest = balance.peak.max(judging.before);
    let concerns = |line: &Credits| highest >= *line || (has_held && judging.set.contains(line));
    let crossed: Vec<Credits> = judging
        .watch
        .thresholds
        .iter()
        .copied()
        .filter(|line| balance.balance < *line && concerns(line))
        .filter(|line| !balance.latched.contains(line))
        .collect();
    for line in crossed {
        balance.latched.push(line);
        flips.push(Flip::of(balance, Some(line), true, judging.cause));
    }
    balance.latched.sort_by(|left, right| right.cmp(left));
}

/// Lets go what the balance has recovered from.
fn recover(balance: &mut Balance, judging: &Judging<'_>, flips: &mut Vec<Flip>) {
    let after = balance.balance;
    let recovered_at = judging.watch.recovered_at;
    let is_recovered = |line: &Credits| after >= recovered_at.unwrap_or(*line).max(*line);
    let (gone, kept): (Vec<_>, Vec<_>) = balance.latched.iter().copied().partition(is_recovered);
    balance.latched = kept;
    for line in gone {
        flips.push(Flip::of(balance, Some(line), false, judging.cause));
    }
}

fn deplete(balance: &mut Balance, judging: &Judging<'_>, flips: &mut Vec<Flip>) {
    let is_up = balance.balance.is_positive();
    let flips_to = match balance.depleted {
        false => !is_up && judging.before.is_positive(),
        true => !is_up,
    };
    if balance.depleted != flips_to {
        balance.depleted = flips_to;
        flips.push(Flip::of(balance, None, flips_to, judging.cause));
    }
}

impl Told {
    /// Says what is true and was not said, unless it would repeat what was said too shortly ago.
    fn catch_up(&mut self, balance: &Balance, judging: &Judging<'_>, moved: Credits) -> Vec<Tells> {
        let now = judging.now;
        let is_free = |at: Option<Timestamp>| {
            at.is_none_or(|at| now.duration_since(at) >= judging.watch.notify_interval)
        };
        let mut tells = Vec::new();
        if !balance.latched.is_empty() {
            // Some of several let go: nothing is said before the last.
            self.low.retain(|line| balance.latched.contains(line));
        }
        let unsaid: Vec<Credits> =
            balance.latched.iter().copied().filter(|line| !self.low.contains(line)).collect();
        let free = unsaid.iter().copied().filter(|line| is_free(self.told_at(*line)));
        if let Some(threshold) = free.min() {
            tells.push(Tells::Low { threshold, moved });
            for line in unsaid.into_iter().filter(|line| threshold <= *line) {
                self.low_at.retain(|(told, _)| *told != line);
                self.low_at.push((line, now));
                self.low.push(line);
            }
        }
        if balance.latched.is_empty()
            && is_free(self.recovered_at)
            && let Some(threshold) = self.low.iter().copied().max()
        {
            tells.push(Tells::Recovered { threshold, moved });
            self.low.clear();
            self.recovered_at = Some(now);
        }
        self.depleted &= balance.depleted;
        if balance.depleted && !self.depleted && is_free(self.depleted_at) {
            tells.push(Tells::Depleted { moved });
            self.depleted = true;
            self.depleted_at = Some(now);
        }
        tells
    }

    fn told_at(&self, line: Credits) -> Option<Timestamp> {
        self.low_at.iter().find(|(told, _)| *told == line).map(|(_, at)| *at)
    }

    /// Only while it says more than what is latched, or keeps a repeat back.
    fn worth_keeping(mut self, balance: &Balance, judging: &Judging<'_>) -> Option<Box<Self>> {
        let interval = judging.watch.notify_interval;
        let is_young = |at: &Timestamp| judging.now.duration_since(*at) < interval;
        self.low_at.retain(|(_, at)| is_young(at));
        self.recovered_at = self.recovered_at.filter(is_young);
        self.depleted_at = self.depleted_at.filter(is_young);
        let is_plain = self.low_at.is_empty()
            && self.recovered_at.is_none()
            && self.depleted_at.is_none()
            && !self.lags_behind(balance);
        (!is_plain).then(|| Box::new(self))
    }

    fn holds(&self, balance: &Balance, flip: &Flip) -> bool {
        match (flip.latched, flip.threshold) {
            (true, Some(line)) => !self.low.contains(&line),
            (true, None) => !self.depleted,
            (false, Some(_)) => balance.latched.is_empty() && !self.low.is_empty(),
            (false, None) => false,
        }
    }

    fn lags_behind(&self, balance: &Balance) -> bool {
        balance.latched.iter().any(|line| !self.low.contains(line))
            || (balance.latched.is_empty() && !self.low.is_empty())
            || (balance.depleted && !self.depleted)
    }

    /// When what was held back may be said; `None`: nothing is.
    pub(super) fn free_at(&self, balance: &Balance, interval: SignedDuration) -> Option<Timestamp> {
        if !self.lags_behind(balance) {
            return None;
        }
        let low = balance.latched.iter().filter(|line| !self.low.contains(line));
        let low = low.filter_map(|line| self.told_at(*line));
        let is_recovered = balance.latched.is_empty() && !self.low.is_empty();
        let recovered = self.recovered_at.filter(|_| is_recovered);
        let depleted = self.depleted_at.filter(|_| balance.depleted && !self.depleted);
        let first = low.chain(recovered).chain(depleted).min()?;
        first.checked_add(interval).ok()
    }
}

impl Flip {
    fn of(balance: &Balance, threshold: Option<Credits>, latched: bool, cause: &Cause) -> Self {
        Self {
            account: balance.account,
            unit: balance.unit.clone(),
            entry_seq: balance.entry_seq,
            threshold,
            latched,
            balance: balance.balance,
            event: cause.event,
            is_held: false,
        }
    }
}
