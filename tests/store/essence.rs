//! What two books have in common, whoever keeps them: everything but row ids and change marks.

use std::collections::{BTreeMap, BTreeSet};

use creditd::ledger::{Account, Balance, Book, Forfeit, Lot, Purchase, Standing, UsageRecord};

/// A book as text, an account or a purchase a line, so that a difference can be read.
pub(crate) fn essence(book: &Book) -> BTreeMap<String, String> {
    let accounts = book
        .accounts
        .values()
        .filter(|account| account.balances.values().any(|balance| balance.entry_seq > 0))
        .map(|account| (format!("account {}", account.name), of_account(account)));
    let purchases =
        book.purchases.values().map(|purchase| (of_references(purchase), of_purchase(purchase)));
    // What waits is only loaded with what it waits for.
    let usages = book
        .usages
        .iter()
        .filter(|(_, usage)| usage.standing != Standing::Awaited && !usage.reversals.is_empty())
        .map(|(key, usage)| (format!("usage {key}"), of_usage(usage)));
    accounts.chain(purchases).chain(usages).collect()
}

fn of_account(account: &Account) -> String {
    let balances: Vec<String> =
        account.balances.values().map(|balance| of_balance(balance)).collect();
    format!(
        "{:?} {:?} {:?} notices {} {}",
        account.kind,
        account.display_name,
        account.settings,
        account.notice_sequence,
        balances.join("; ")
    )
}

fn of_balance(balance: &Balance) -> String {
    let lots: Vec<String> = balance.lots.iter().filter(holds).map(of_lot).collect();
    format!(
        "{} {:?} held {} pending {:?} overdraft {:?} entries {} lots {:?} repayments {} latched {:?} depleted {} \
         resets {:?} forfeits {:?} [{}]",
        balance.unit,
        balance.balance,
        balance.is_held,
        balance.pending,
        balance.overdraft,
        balance.entry_seq,
        balance.last_lot,
        balance.last_repayment,
        balance.latched,
        balance.depleted,
        balance.resets,
        of_forfeits(balance),
        lots.join(", ")
    )
}

fn holds(lot: &&Lot) -> bool {
    lot.is_open() || lot.is_pending
}

fn of_forfeits(balance: &Balance) -> BTreeSet<String> {
    let of = |one: &Forfeit| {
        let Forfeit { by, lot, credits, restored, again, .. } = one;
        format!("{by:?} {lot:?} {credits:?} {restored:?} {again:?}")
    };
    balance.forfeits.iter().map(of).collect()
}

fn of_lot(lot: &Lot) -> String {
    let Lot { no, package, family, granted, remaining, forfeited, promotional, priority, .. } = lot;
    let Lot { counted, applies_to, expires_at, opened_at, paid, cost, purchase, .. } = lot;
    let Lot { is_pending, expired, usable_since, .. } = lot;
    let is_bought = purchase.is_some();
    format!(
        "{no:?} {package} {family} {granted:?} {remaining:?} {forfeited:?} {counted:?} {promotional} \
         {priority} {applies_to:?} {expires_at:?} {opened_at} {paid:?} {cost:?} {is_bought} \
         {is_pending} {expired:?} {usable_since}"
    )
}

fn of_usage(usage: &UsageRecord) -> String {
    unmarked(format!("{:?} {:?}", usage.standing, usage.reversals))
}

fn of_references(purchase: &Purchase) -> String {
    let references: BTreeSet<String> =
        purchase.references.iter().map(|reference| format!("{reference}")).collect();
    format!("purchase {references:?}")
}

fn of_purchase(purchase: &Purchase) -> String {
    unmarked(format!("{:?} {:?} {:?}", purchase.order_id, purchase.sale, purchase.refunds))
}

fn unmarked(text: String) -> String {
    ["New", "Changed"]
        .iter()
        .fold(text, |text, change| text.replace(&format!("change: {change}"), "change: None"))
}
