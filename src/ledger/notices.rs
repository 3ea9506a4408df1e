//! What a posting lets the world know (semantics 8).
//!
//! Notices are values here; `notice/` turns them into what goes over the wire.

use super::account::Account;
use super::amount::Credits;
use super::money::Money;
use super::names::{AccountId, AccountKind, EventKey, EventName, Name, Reference, Timestamp};
use super::outcome::Reason;
use super::purchase::Purchase;
use super::topup::TopUpRequest;

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
    Credited {
        credits: Credits,
        money: Option<Money>,
        expires_at: Option<Timestamp>,
    },
    Revoked {
        credits: Credits,
        shortfall: Credits,
    },
    Restored {
        credits: Credits,
    },
    Expired {
        credits: Credits,
        expires_at: Option<Timestamp>,
    },
    Reset {
        forfeited: Credits,
        carried: Credits,
        forgiven: Credits,
    },
    Adjusted {
        credits: Credits,
        expires_at: Option<Timestamp>,
    },
    /// What remains of a lot that will expire.
    Expiring {
        credits: Credits,
        expires_at: Option<Timestamp>,
    },
    Low {
        threshold: Credits,
        moved: Credits,
    },
    Recovered {
        threshold: Credits,
        moved: Credits,
    },
    Depleted {
        moved: Credits,
    },
    Declined {
        credits: Credits,
        meter: Option<Name>,
        count: i64,
    },
    TopUp(TopUpRequest),
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
    /// What a notice is about that no purchase caused.
    pub(super) fn about(&self) -> About {
        if let Self::TopUp(request) = self {
            return About { package: Some(request.package.clone()), ..About::default() };
        }
        About::default()
    }

    /// The type, without prefix.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Credited { .. } => "balance.credited",
            Self::Revoked { .. } => "balance.revoked",
            Self::Restored { .. } => "balance.restored",
            Self::Expired { .. } => "balance.expired",
            Self::Expiring { .. } => "balance.expiring",
            Self::Reset { .. } => "balance.reset",
            Self::Adjusted { .. } => "balance.adjusted",
            Self::Low { .. } => "balance.low",
            Self::Recovered { .. } => "balance.recovered",
            Self::Depleted { .. } => "balance.depleted",
            Self::Declined { .. } => "usage.declined",
            Self::TopUp(_) => "topup.requested",
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
