//! After an event's last movement, each balance that it touched is looked at: thresholds, top-ups,
//! and when to look again (semantics 8.3 to 8.5).

use super::Rules;
use crate::ledger::account::Account;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::balance::Balance;
use crate::ledger::entry::Cause;
use crate::ledger::latches::{Flip, Judging, judge};
use crate::ledger::names::{Name, Timestamp};
use crate::ledger::notices::Tells;
use crate::ledger::settings::TopUp;
use crate::ledger::topup::Standing;

/// What happened to one balance.
pub(super) struct Touched<'a> {
    pub(super) unit: &'a Name,
    /// The balance before the event's first entry.
    pub(super) before: Credits,
    /// Thresholds that this very event has set.
    pub(super) set: &'a [Credits],
    pub(super) cause: &'a Cause,
    /// The books' clock.
    pub(super) now: Timestamp,
}

/// What is to be told of it, in its order. Fails only where its balance could not have been moved.
pub(super) fn attend(
    account: &mut Account,
    rules: &Rules,
    touched: &Touched<'_>,
    flips: &mut Vec<Flip>,
) -> Result<Vec<Tells>, Overflow> {
    let Touched { unit, before, set, cause, now } = *touched;
    let watch = account.watch(unit, rules.watch(unit));
    let (name, topup) = (account.name.clone(), account.topup(unit).cloned());
    let balance = account.balance_mut(unit);
    let judging = Judging { before, watch: &watch, set, cause, now };
    let mut tells = judge(balance, &judging, flips)?;
    let free_at =
        balance.told.as_ref().and_then(|told| told.free_at(balance, watch.notify_interval));
    let (asked, ask_at) = match topup.filter(|_| balance.is_held) {
        Some(topup) => ask(balance, &topup, &name, rules, now),
        None => (None, None),
    };
    tells.extend(asked);
    let look_at = [free_at, ask_at].into_iter().flatten().min();
    if balance.look_at != look_at {
        balance.look_at = look_at;
        balance.change.touch();
    }
    Ok(tells)
}

fn ask(
    balance: &mut Balance,
    topup: &TopUp,
    account: &Name,
    rules: &Rules,
    now: Timestamp,
) -> (Option<Tells>, Option<Timestamp>) {
    // Whoever paid for what is not sold any more would get nothing for it.
    let Some(price) = rules.offers.get(&topup.package) else { return (None, None) };
    let standing = Standing {
        account,
        unit: &balance.unit,
        // A sum that does not fit is not below anything.
        credits: balance.balance.plus(balance.pending).unwrap_or(balance.balance),
        settings: topup,
        price: *price,
        now,
    };
    let mut asking = balance.asking.clone().unwrap_or_default();
    let looked = asking.look(&standing);
    let Some(request) = looked.request else { return (None, looked.again_at) };
    balance.asking = Some(asking);
    balance.change.touch();
    (Some(Tells::TopUp(request)), looked.again_at)
}
