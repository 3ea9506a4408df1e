//! `account.updated`: what an account is, and what it sets for itself (semantics 6.2).

use super::adjust::PlainLot;
use super::working::Working;
use super::{Clock, Rules};
use crate::ledger::account::Account;
use crate::ledger::amount::Credits;
use crate::ledger::book::{Book, Record};
use crate::ledger::command::{AccountUpdate, Request, UnitUpdate};
use crate::ledger::entry::EntryKind;
use crate::ledger::names::{EventName, Name, Timestamp};
use crate::ledger::notices::{About, Tells};
use crate::ledger::outcome::{AppliedReason, Reason, Rejection};
use crate::ledger::terms::OPENING_BALANCE;

pub(super) fn update(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    update: &AccountUpdate,
    clock: Clock,
) -> Result<Record, Rejection> {
    let occurred_at = clock.occurred_at;
    let account = book.account(&update.account)?;
    for (unit, said) in &update.units {
        refuse_another_opening(&account, unit, said)?;
    }
    let mut working = Working::new(request, rules, account, clock);
    let mut is_news = working.account.hear(update, occurred_at, &request.name);
    for (unit, said) in &update.units {
        is_news |= set(&mut working, rules, unit, said);
        is_news |= open(&mut working, unit, said.opening_balance)?;
    }
    if is_news {
        working.account.change.touch();
    }
    working.repay()?;
    working.judge()?;
    let why_empty = match is_news {
        true => AppliedReason::Updated,
        false => AppliedReason::Known,
    };
    Ok(working.commit(book, why_empty))
}

/// An account opens once with one amount of each unit.
fn refuse_another_opening(
    account: &Account,
    unit: &Name,
    said: &UnitUpdate,
) -> Result<(), Rejection> {
    let known = account.settings.get(unit).and_then(|own| own.opening_balance);
    match (known, said.opening_balance) {
        (Some(known), Some(other)) if known != other => Err(Reason::Conflict.because(format!(
            "the account's opening balance in {unit} was granted before with another amount; \
             the first one stands"
        ))),
        _ => Ok(()),
    }
}

/// Takes over what is newer of one unit's settings. A threshold that becomes new by it is judged
/// at once (semantics 8.4).
fn set(working: &mut Working<'_>, rules: &Rules, unit: &Name, said: &UnitUpdate) -> bool {
    let (at, by) = (working.cause.occurred_at, &working.request.name);
    let before = working.account.watch(unit, rules.watch(unit));
    let mut own = working.account.settings.get(unit).cloned().unwrap_or_default();
    let is_news = [
        own.low_balance.hear(&said.low_balance, at, by),
        own.recovered_at.hear(&said.recovered_at, at, by),
        own.overdraft_limit.hear(&said.overdraft_limit, at, by),
        own.topup.hear(&said.topup, at, by),
    ];
    if !is_news.contains(&true) {
        return false;
    }
    working.account.settings.insert(unit.clone(), own);
    let after = working.account.watch(unit, rules.watch(unit));
    let is_new = |line: &Credits| !before.thresholds.contains(line);
    working.rewatched(unit, after.thresholds.into_iter().filter(is_new).collect());
    true
}

/// Grants what the account begins with, once.
fn open(
    working: &mut Working<'_>,
    unit: &Name,
    opening: Option<Credits>,
) -> Result<bool, Rejection> {
    let Some(credits) = opening else { return Ok(false) };
    let own = working.account.settings.entry(unit.clone()).or_default();
    if own.opening_balance.is_some() {
        return Ok(false);
    }
    own.opening_balance = Some(credits);
    if credits.is_zero() {
        return Ok(true);
    }
    let lot = PlainLot { unit, package: OPENING_BALANCE, promotional: false, expires_at: None };
    lot.open(working, credits, EntryKind::Granted)?;
    let about = About { package: Some(Name::from(OPENING_BALANCE)), ..About::default() };
    working.tell(unit, Tells::Credited { credits, money: None, expires_at: None }, about);
    Ok(true)
}

impl Account {
    /// Takes over what is newer of kind and name.
    fn hear(&mut self, update: &AccountUpdate, at: Timestamp, by: &EventName) -> bool {
        let kind = update.kind.is_some_and(|kind| self.kind.say(kind, at, by));
        let name = self.display_name.hear(&update.name, at, by);
        kind || name
    }
}
