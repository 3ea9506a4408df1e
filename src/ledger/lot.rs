//! Lots: blocks of granted credits, pending, open or closed; the order in which they are drawn, and
//! what resets and time do to them.

use jiff::SignedDuration;

use super::account::Change;
use super::amount::{Credits, Overflow};
use super::money::Money;
use super::names::{LotNo, Name, PurchaseId, Timestamp};

/// One block of granted credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    pub no: LotNo,
    pub package: Name,
    pub family: Name,
    pub granted: Credits,
    pub remaining: Credits,
    /// What this lot lost to a reset.
    pub forfeited: Credits,
    /// How much of what it lost counts as taken back by its purchase's reversal.
    pub counted: Credits,
    /// What this lot lost by expiring.
    pub expired: Credits,
    /// Granted, and not usable before `opened_at`: what it holds is pending, not balance.
    pub is_pending: bool,
    /// Its coming expiry was told.
    pub is_warned: bool,
    pub promotional: bool,
    pub priority: i16,
    /// The meters that it may pay for; empty: all.
    pub applies_to: Vec<Name>,
    pub expires_at: Option<Timestamp>,
    /// When it opens or opened by the world's clock: when it was granted, or that long after.
    pub opened_at: Timestamp,
    /// Orders resets: when it was paid, then by which reference.
    pub paid: ResetMark,
    /// The entry with which it became usable, or came back from a reset; 0: one has replaced it.
    /// Resets before that entry have not touched it.
    pub usable_since: i64,
    /// What it cost, for revenue; `None` where nobody paid for it.
    pub cost: Option<Money>,
    /// `None` for a lot that was carried over.
    pub purchase: Option<PurchaseId>,
    pub change: Change,
}

/// When something was paid; a reset replaces what was paid before it (semantics 4.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResetMark {
    pub paid_at: Timestamp,
    pub reference: Name,
}

/// A reset that was posted, as what came before it has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastReset {
    pub paid: ResetMark,
    /// The last entry before it took what was there.
    pub swept_at: i64,
    /// The lot that it granted, where its reversal gives back what it had forfeited.
    pub restores: Option<LotNo>,
    /// It is fully reversed, and has given back what it had forfeited: as if it had never been.
    pub is_undone: bool,
}

impl PastReset {
    /// Whether it would have taken whatever `lot` holds: paid later, and posted when the lot was
    /// there already.
    pub fn has_replaced(&self, lot: &Lot) -> bool {
        self.paid > lot.paid && self.swept_at >= lot.usable_since
    }
}

/// What one reset forfeited of one lot, and how much of it came back because the reset was reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forfeit {
    /// The lot that the reset granted.
    pub by: LotNo,
    pub lot: LotNo,
    pub credits: Credits,
    /// Ever given back, and how much of that was ever forfeited again.
    pub restored: Credits,
    pub again: Credits,
    pub change: Change,
}

impl Forfeit {
    /// What the lot has back of it now.
    ///
    /// # Errors
    /// [`Overflow`] when the books are broken.
    pub fn outstanding(&self) -> Result<Credits, Overflow> {
        self.restored.minus(self.again)
    }
}

/// The name under which resets of a whole unit are remembered; no family can be called that.
pub(super) fn whole_unit() -> Name {
    Name::from("")
}

impl Lot {
    /// Whether it holds credits that are part of the balance.
    pub fn is_open(&self) -> bool {
        self.remaining.is_positive() && !self.is_pending
    }

    /// Whether it holds credits that may be drawn: what has expired counts in the balance until
    /// the expiry is posted, but only late usage draws on it (semantics 7.2).
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.is_open() && self.expires_at.is_none_or(|at| now < at)
    }

    /// Whether usage that happened at `occurred_at` may draw on it now: also on a lot that expired
    /// after that, for as long as late usage is waited for (semantics 5.3).
    pub fn is_usable_late(
        &self,
        occurred_at: Timestamp,
        now: Timestamp,
        late_usage: SignedDuration,
    ) -> bool {
        let was_in_time = |expires_at: Timestamp| {
            occurred_at < expires_at && now.duration_since(expires_at) < late_usage
        };
        self.is_usable(now) || (self.is_open() && self.expires_at.is_some_and(was_in_time))
    }

    /// Whether its expiry has been posted, or is due to be: what it is given back expires at once
    /// (semantics 4.10).
    pub fn has_expired(&self, now: Timestamp, expiry_grace: SignedDuration) -> bool {
        let is_due = |expires_at| now.duration_since(expires_at) >= expiry_grace;
        self.expired.is_positive() || self.expires_at.is_some_and(is_due)
    }

    /// What it lost, to resets or by expiring, and no reversal has counted as taken back yet.
    ///
    /// # Errors
    /// [`Overflow`] when the books are broken.
    pub fn uncounted(&self) -> Result<Credits, Overflow> {
        let lost = self.forfeited.plus(self.expired)?;
        Ok(lost.minus(self.counted)?.max(Credits::ZERO))
    }

    /// Whether usage of `meter` may draw on it; without a meter, only an unscoped lot.
    pub fn admits(&self, meter: Option<&Name>) -> bool {
        self.applies_to.is_empty() || meter.is_some_and(|meter| self.applies_to.contains(meter))
    }

    pub fn is_scoped(&self) -> bool {
        !self.applies_to.is_empty()
    }

    /// The total order in which lots are drawn (semantics 5.2): narrower scope, lower priority,
    /// earlier expiry, promotional before paid, earlier opening, earlier lot.
    pub(super) fn draw_key(&self) -> (usize, i16, Timestamp, bool, Timestamp, LotNo) {
        let scope = match self.applies_to.len() {
            0 => usize::MAX,
            meters => meters,
        };
        let expires_at = self.expires_at.unwrap_or(Timestamp::MAX);
        (scope, self.priority, expires_at, !self.promotional, self.opened_at, self.no)
    }
}
