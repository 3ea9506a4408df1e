//! What the catalog promised, in the ledger's own words.
//!
//! [`Terms`] are frozen on the purchase line that they granted (semantics 4.13): refunds, resets
//! and draws go by those, whatever the catalog says by then.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::amount::Credits;
use super::names::{AccountKind, Name};
use super::outcome::Rejection;
use super::time::After;

/// Stand where a lot's package stands, for lots that nobody bought; no package is called so.
pub const ADJUSTMENT: &str = "adjustment";
pub const OPENING_BALANCE: &str = "opening_balance";

/// Of a package that says none, and of lots that nobody bought.
pub const PRIORITY_DEFAULT: i16 = 50;

/// The terms of one package, as they were when it granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub package: Name,
    /// Which version of the catalog decided.
    pub catalog_hash: Name,
    pub unit: Name,
    /// The unit's, so that steps can be read and printed long after (semantics 2.4).
    pub decimals: u8,
    /// Lots of one family replace each other on a reset; the package's own id unless said.
    pub family: Name,
    pub mode: Mode,
    pub promotional: bool,
    /// Lower is drawn first.
    pub priority: i16,
    /// The meters that these credits may pay for; empty: all.
    pub applies_to: Vec<Name>,
    /// How long after the event's time the lot opens.
    #[serde(default)]
    pub available_after: After,
    #[serde(default)]
    pub expires: Expires,
    pub when_spent: WhenSpent,
    pub refundable: bool,
    #[serde(default)]
    pub revoke_on_dispute: RevokeOnDispute,
}

impl Terms {
    /// Whether a full reversal of what they granted gives back what a reset had forfeited.
    pub fn restores_forfeited(&self) -> bool {
        match &self.mode {
            Mode::Add => false,
            Mode::Reset(reset) => reset.restore_forfeited,
        }
    }
}

/// When credits expire (semantics 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expires {
    #[default]
    Never,
    /// So long after they were paid.
    After(After),
    /// With the period that their line pays for.
    PeriodEnd,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Mode {
    /// A new lot beside the others.
    Add,
    /// A new lot instead of the others of its scope.
    Reset(Reset),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    pub scope: ResetScope,
    /// How much of what is forfeited may be carried over, in steps.
    pub rollover_max_steps: i64,
    pub overdraft: ResetOverdraft,
    /// Whether a full reversal also gives back what the reset had forfeited (semantics 4.10).
    #[serde(default)]
    pub restore_forfeited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetScope {
    Family,
    Unit,
}

/// What a reset does with an overdraft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetOverdraft {
    /// The new lot repays it, like any other.
    Repay,
    /// It is written off.
    Forgive,
}

/// What happens when credits are to be taken back that were already used (semantics 4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenSpent {
    Debt,
    Clamp,
    Park,
}

/// From when on a dispute takes credits back (semantics 4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeOnDispute {
    #[default]
    Opened,
    Lost,
}

/// What happens when lots do not suffice for usage (semantics 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenShort {
    Overdraft,
    Partial,
    Decline,
}

impl Terms {
    /// Whether both are resets that replace some of the same lots.
    pub(super) fn replaces_with(&self, other: &Self) -> bool {
        let (Mode::Reset(mine), Mode::Reset(theirs)) = (&self.mode, &other.mode) else {
            return false;
        };
        let is_of_unit = [mine.scope, theirs.scope].contains(&ResetScope::Unit);
        self.unit == other.unit && (is_of_unit || self.family == other.family)
    }
}

/// What the catalog says to one purchase line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pricing {
    Grants {
        terms: std::sync::Arc<Terms>,
        credits: Credits,
        account_kinds: Vec<AccountKind>,
    },
    /// Money on the invoice that buys no credits; it takes its share of refunds.
    MoneyOnly {
        package: Name,
        account_kinds: Vec<AccountKind>,
    },
}

/// A line's price today, or why there is none. Only asked for when the line is new, so that a
/// repeat stays a repeat after its package left the catalog.
pub type Priced = Result<Pricing, Rejection>;

/// What a unit's balances are watched for (semantics 8.2, 8.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// `low_balance`, highest first.
    pub thresholds: Vec<Credits>,
    pub recovered_at: Option<Credits>,
    /// A notice that repeats one told so shortly ago is held back.
    pub notify_interval: SignedDuration,
    /// How long before a lot's time is over it is told; `None`: it is not.
    pub expiring_notice: Option<SignedDuration>,
}
