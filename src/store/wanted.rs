//! What the new events of a batch name, so that it is locked and loaded.

use std::collections::HashSet;

use crate::ledger::{Asks, Command, Name, PurchaseId, Reference, Request, WaitsFor};

/// What the new events of a batch name.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) accounts: Vec<Name>,
    /// Those that are not opened if they are not there.
    pub(super) known_accounts: Vec<Name>,
    /// Whether any of them gives up what waits for a payment.
    pub(super) forgets: bool,
    /// Of purchases; empty for a batch of nothing but usage.
    pub(super) references: Vec<Reference>,
    /// How many events may come to make a purchase.
    pub(super) purchases: usize,
    /// Purchases of lots that time asks something of.
    pub(super) of_lots: Vec<PurchaseId>,
}

impl Wanted {
    pub(super) fn of<'a>(requests: impl Iterator<Item = &'a Request>) -> Self {
        let mut accounts: HashSet<&Name> =
            HashSet::with_capacity(requests.size_hint().1.unwrap_or(0));
        let mut references: HashSet<&Reference> = HashSet::new();
        let mut purchases = 0_usize;
        let mut forgets = false;
        let mut known_accounts = Vec::new();
        let mut of_lots = Vec::new();
        for request in requests {
            match &request.event().asks {
                Asks::Command(Command::Use(usage)) => {
                    accounts.insert(&usage.account);
                }
                Asks::Command(Command::Adjust(adjustment)) => {
                    accounts.insert(&adjustment.account);
                }
                Asks::Command(Command::Update(update)) => {
                    accounts.insert(&update.account);
                }
                Asks::Command(Command::Pay(payment)) => {
                    accounts.insert(&payment.account);
                    references.extend(&payment.references);
                    purchases = purchases.saturating_add(1);
                }
                Asks::Command(Command::Refund(refund)) => {
                    references.extend(&refund.references);
                    purchases = purchases.saturating_add(1);
                }
                Asks::Command(Command::Forget(forget)) => match &forget.waits_for {
                    WaitsFor::Payment(named) => {
                        references.extend(named);
                        forgets = true;
                    }
                    WaitsFor::Usage(..) => {}
                },
                Asks::Command(Command::Fail(failure)) => {
                    known_accounts.push(failure.account.clone());
                }
                Asks::Command(Command::Unread(payment)) => {
                    known_accounts.push(payment.account.clone());
                }
                Asks::Command(Command::Time(due)) => {
                    accounts.insert(&due.account);
                    of_lots.extend(due.purchase);
                }
                Asks::Command(
                    Command::ReverseUsage(_) | Command::Release(_) | Command::Discard(_),
                )
                | Asks::Nothing
                | Asks::Noted
                | Asks::Rejected(_) => {}
            }
        }
        Self {
            accounts: accounts.into_iter().cloned().collect(),
            references: references.into_iter().cloned().collect(),
            known_accounts,
            forgets,
            purchases,
            of_lots,
        }
    }

    pub(super) fn names_purchases(&self) -> bool {
        !self.references.is_empty() || !self.of_lots.is_empty()
    }
}
