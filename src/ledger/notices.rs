//! What a posting lets the world know (semantics 8).
//!
//! Notices are values here; `notice/` turns them into what goes over the wire.

use super::account::{Account, Balance};
use super::amount::{Credits, Overflow};
use super::entry::Cause;
use super::money::Money;
use super::names::{AccountId, AccountKind, EventKey, EventName, Name, Reference, Timestamp};
use super::outcome::Reason;
use super::purchase::Purchase;
use super::terms::Watch;

/// One notice of one account, numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub account: AccountId,
    pub account_name: Name,
    pub account_kind: AccountKind,
    /// From 1, without a gap, per account.
    pub sequence: i64,
    pub unit: Name,
    pub tells: Tells,
    pub balance: Credits,
    pub overdraft: Credits,
    pub pending: Credits,
    pub about: About,
    pub event: EventKey,
    pub event_name: EventName,
    pub traceparent: Option<Name>,
    pub occurred_at: Timestamp,
}

/// What a notice says about its purchase, where it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub package: Option<Name>,
    pub references: Vec<Reference>,
    pub order_id: Option<Name>,
    /// The member who acted, if another than the account.
    pub purchased_by: Option<Name>,
}

/// The notice's type and what only that type says. Amounts are positive, but for `moved`, what the
/// event changed the balance by, and for an adjustment, which is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tells {
    Credited { credits: Credits, money: Option<Money>, expires_at: Option<Timestamp> },
    Revoked { credits: Credits, shortfall: Credits },
    Restored { credits: Credits },
    Expired { credits: Credits, expires_at: Option<Timestamp> },
    Reset { forfeited: Credits, carried: Credits, forgiven: Credits },
    Adjusted { credits: Credits, expires_at: Option<Timestamp> },
    Low { threshold: Credits, moved: Credits },
    Recovered { threshold: Credits, moved: Credits },
    Depleted { moved: Credits },
    Declined { credits: Credits, meter: Option<Name>, count: i64 },
}

/// An event was parked. Belongs to no account and has no number (semantics 8.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedNotice {
    pub event: EventKey,
    /// Whose decision parked it: its own, or that of the payment that it had waited for.
    pub by: EventKey,
    pub event_name: EventName,
    pub reason: Reason,
    pub traceparent: Option<Name>,
    pub occurred_at: Timestamp,
}

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
}

impl About {
    /// What a purchase's notices tell of it.
    pub(super) fn of(purchase: &Purchase) -> Self {
        Self {
            package: None,
            references: purchase.references.clone(),
            order_id: purchase.order_id.clone(),
            purchased_by: purchase.sale.as_ref().and_then(|sale| sale.purchased_by.clone()),
        }
    }
}

impl Tells {
    /// The type, without prefix.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Credited { .. } => "balance.credited",
            Self::Revoked { .. } => "balance.revoked",
            Self::Restored { .. } => "balance.restored",
            Self::Expired { .. } => "balance.expired",
            Self::Reset { .. } => "balance.reset",
            Self::Adjusted { .. } => "balance.adjusted",
            Self::Low { .. } => "balance.low",
            Self::Recovered { .. } => "balance.recovered",
            Self::Depleted { .. } => "balance.depleted",
            Self::Declined { .. } => "usage.declined",
        }
    }
}

/// Judges the thresholds of one balance, once an event: `before` its first entry against now
/// (semantics 8.3, 8.4). Latches as it goes; what is to be told comes back in its order.
/// Thresholds of `set` were set by this very event: they count even if they were never crossed,
/// for whoever has held the unit.
pub(super) fn judge(
    balance: &mut Balance,
    before: Credits,
    watch: &Watch,
    set: &[Credits],
    cause: &Cause,
    flips: &mut Vec<Flip>,
) -> Result<Vec<Tells>, Overflow> {
    let after = balance.balance;
    let moved = after.minus(before)?;
    let mut tells = Vec::new();
    let flipped_before = flips.len();
    forget_removed(balance, watch, cause, flips);
    let counts =
        |line: &Credits| before >= *line || (set.contains(line) && balance.has_been_held());
    let crossed: Vec<Credits> = watch
        .thresholds
        .iter()
        .copied()
        .filter(|line| counts(line) && after < *line && !balance.latched.contains(line))
        .collect();
    if let Some(lowest) = crossed.iter().min() {
        tells.push(Tells::Low { threshold: *lowest, moved });
    }
    for line in crossed {
        balance.latched.push(line);
        flips.push(Flip::of(balance, Some(line), true, cause));
    }
    balance.latched.sort_by(|left, right| right.cmp(left));
    if let Some(threshold) = recover(balance, watch, cause, flips) {
        tells.push(Tells::Recovered { threshold, moved });
    }
    match (balance.depleted, after.is_positive()) {
        (false, false) if before.is_positive() => {
            balance.depleted = true;
            flips.push(Flip::of(balance, None, true, cause));
            tells.push(Tells::Depleted { moved });
        }
        (true, true) => {
            balance.depleted = false;
            flips.push(Flip::of(balance, None, false, cause));
        }
        (true | false, _) => {}
    }
    if flips.len() > flipped_before {
        balance.change.touch();
    }
    Ok(tells)
}

/// A threshold that is no longer set is let go without a word.
fn forget_removed(balance: &mut Balance, watch: &Watch, cause: &Cause, flips: &mut Vec<Flip>) {
    let (kept, gone): (Vec<_>, Vec<_>) =
        balance.latched.iter().copied().partition(|line| watch.thresholds.contains(line));
    balance.latched = kept;
    for line in gone {
        flips.push(Flip::of(balance, Some(line), false, cause));
    }
}

/// Lets go what the balance has recovered from; the highest such threshold, once none is left.
fn recover(
    balance: &mut Balance,
    watch: &Watch,
    cause: &Cause,
    flips: &mut Vec<Flip>,
) -> Option<Credits> {
    let after = balance.balance;
    let is_recovered = |line: &Credits| after >= watch.recovered_at.unwrap_or(*line).max(*line);
    let (gone, kept): (Vec<_>, Vec<_>) = balance.latched.iter().copied().partition(is_recovered);
    balance.latched = kept;
    for line in &gone {
        flips.push(Flip::of(balance, Some(*line), false, cause));
    }
    match balance.latched.is_empty() {
        true => gone.into_iter().max(),
        false => None,
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
        }
    }
}

/// Who a notice comes from and why; what all notices of one event share.
pub(super) struct Sender<'a> {
    pub(super) request: &'a super::command::Request,
    pub(super) occurred_at: Timestamp,
}

impl Sender<'_> {
    /// Numbers a notice of `account` about its balance in `unit`.
    pub(super) fn notice(
        &self,
        account: &mut Account,
        unit: &Name,
        tells: Tells,
        about: About,
    ) -> Notice {
        let sequence = account.next_notice();
        let [balance, overdraft, pending] = match account.balances.get(unit) {
            Some(balance) => [balance.balance, balance.overdraft, balance.pending],
            None => [Credits::ZERO; 3],
        };
        Notice {
            account: account.id,
            account_name: account.name.clone(),
            account_kind: account.kind.value,
            sequence,
            unit: unit.clone(),
            tells,
            balance,
            overdraft,
            pending,
            about,
            event: self.request.key,
            event_name: self.request.name.clone(),
            traceparent: self.request.traceparent.clone(),
            occurred_at: self.occurred_at,
        }
    }
}
