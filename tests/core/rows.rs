//! The rows of a book kept in memory, and whether each says of itself that it changed, as a store
//! needs it to.

use std::collections::BTreeMap;

use creditd::ledger::*;

/// Every row of a book, as text without its mark; and the mark.
pub type Rows = BTreeMap<String, (String, Change)>;

/// What a store would write: rows that differ from `before` must say so, new ones that they are.
pub fn changed_rows_say_so(before: &Rows, after: &Rows) {
    for (name, (row, change)) in after {
        match before.get(name) {
            None => assert_eq!(*change, Change::New, "{name} is new"),
            Some((old, _)) if old != row => {
                assert_ne!(*change, Change::None, "{name} changed from {old} to {row}");
            }
            Some(_) => {}
        }
    }
}

/// All rows, marked as saved for the next time.
pub fn saved_rows(book: &mut Book) -> Rows {
    let rows = rows(book);
    for account in book.accounts.values_mut() {
        account.change = Change::None;
        for balance in account.balances.values_mut() {
            balance.change = Change::None;
            balance.lots.iter_mut().for_each(|lot| lot.change = Change::None);
            balance.repayments.iter_mut().for_each(|one| one.change = Change::None);
            balance.forfeits.iter_mut().for_each(|one| one.change = Change::None);
        }
    }
    for purchase in book.purchases.values_mut() {
        purchase.change = Change::None;
        purchase.refunds.values_mut().for_each(|refund| refund.change = Change::None);
        for line in purchase.sale.iter_mut().flat_map(|sale| &mut sale.lines) {
            line.change = Change::None;
            line.slices.iter_mut().for_each(|slice| slice.change = Change::None);
        }
    }
    for usage in book.usages.values_mut() {
        usage.reversals.values_mut().for_each(|reversal| reversal.change = Change::None);
    }
    rows
}

pub fn rows(book: &Book) -> Rows {
    let mut rows = Rows::new();
    for account in book.accounts.values() {
        let id = account.id;
        let own =
            (&account.kind, &account.display_name, account.notice_sequence, &account.declines);
        let own = (own, &account.settings);
        // The row of a new account is opened before the batch is decided.
        let change = if account.change == Change::None { Change::None } else { Change::New };
        rows.insert(format!("{id:?}"), (format!("{own:?}"), change));
        for balance in account.balances.values() {
            let id = format!("{id:?} {}", balance.unit);
            let own = (balance.balance, balance.overdraft, balance.entry_seq, balance.last_lot);
            let own =
                (own, balance.last_repayment, &balance.latched, balance.depleted, balance.pending);
            let watch = (balance.peak, &balance.told, &balance.asking, balance.look_at);
            let own = (own, watch);
            rows.insert(id.clone(), (format!("{own:?}"), balance.change));
            for lot in &balance.lots {
                let own = Lot { change: Change::None, ..lot.clone() };
                rows.insert(format!("{id} {:?}", lot.no), (format!("{own:?}"), lot.change));
            }
            for one in &balance.repayments {
                let own = Repayment { change: Change::None, ..one.clone() };
                rows.insert(format!("{id} repaid {}", one.no), (format!("{own:?}"), one.change));
            }
            for one in &balance.forfeits {
                let own = Forfeit { change: Change::None, ..one.clone() };
                let name = format!("{id} {:?} forfeited {:?}", one.by, one.lot);
                rows.insert(name, (format!("{own:?}"), one.change));
            }
        }
    }
    for purchase in book.purchases.values() {
        let id = format!("{:?}", purchase.id);
        let sale = purchase.sale.as_ref();
        let paid = sale.map(|sale| (&sale.account, sale.paid_at, &sale.payments));
        let own = format!("{:?} {paid:?}", purchase.order_id);
        rows.insert(id.clone(), (own, purchase.change));
        for (name, refund) in &purchase.refunds {
            let row = (format!("{:?} {:?}", refund.claim, refund.status), refund.change);
            rows.insert(format!("{id} {name:?}"), row);
        }
        for (no, line) in sale.into_iter().flat_map(|sale| &sale.lines).enumerate() {
            let own = (line.granted, line.reversed, line.shortfall, line.reversed_minor, line.lot);
            rows.insert(format!("{id} line {no}"), (format!("{own:?}"), line.change));
            for slice in &line.slices {
                let own = Slice { change: Change::None, ..slice.clone() };
                let name = format!("{id} line {no} slice {}", slice.no);
                rows.insert(name, (format!("{own:?}"), slice.change));
            }
        }
    }
    for (usage, record) in &book.usages {
        for (event, reversal) in &record.reversals {
            let row = format!("{:?} {:?}", reversal.quantity, reversal.credits);
            rows.insert(format!("{usage:?} {event:?}"), (row, reversal.change));
        }
    }
    rows
}
