//! Accounts: whoever owns credits.

use std::collections::BTreeMap;

use super::balance::Balance;
use super::declines::Declines;
use super::names::{AccountId, AccountKind, Name};
use super::settings::{Settings, Stamped};

/// Whether a row has to be written, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change {
    #[default]
    None,
    Changed,
    New,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: Name,
    pub kind: Stamped<AccountKind>,
    pub display_name: Stamped<Option<Name>>,
    /// The last notice's number; notices of one account are numbered without a gap.
    pub notice_sequence: i64,
    /// Boxed: a map makes room for eleven at once, and most accounts have one.
    pub balances: BTreeMap<Name, Box<Balance>>,
    /// By meter (empty: none): usage that was declined, so that at most one notice a minute goes
    /// out (semantics 8.6).
    pub declines: BTreeMap<Name, Declines>,
    /// What the account sets for itself, by unit; most accounts set nothing.
    pub settings: BTreeMap<Name, Settings>,
    pub change: Change,
}

impl Account {
    pub fn new(id: AccountId, name: Name) -> Self {
        Self {
            id,
            name,
            kind: Stamped::default(),
            display_name: Stamped::default(),
            notice_sequence: 0,
            balances: BTreeMap::new(),
            declines: BTreeMap::new(),
            settings: BTreeMap::new(),
            change: Change::New,
        }
    }

    /// The balance in `unit`, opened at zero if there is none.
    pub fn balance_mut(&mut self, unit: &Name) -> &mut Balance {
        let id = self.id;
        let opened = || Box::new(Balance::new(id, unit.clone()));
        self.balances.entry(unit.clone()).or_insert_with(opened)
    }

    /// Takes the next notice number.
    pub fn next_notice(&mut self) -> i64 {
        self.notice_sequence = self.notice_sequence.saturating_add(1);
        self.change.touch();
        self.notice_sequence
    }
}

impl Change {
    /// Marks a row as changed; a new one stays new.
    pub fn touch(&mut self) {
        if *self == Self::None {
            *self = Self::Changed;
        }
    }
}
