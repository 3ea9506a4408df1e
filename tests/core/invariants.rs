//! What must hold of a whole book kept in memory, after every event (semantics 10.1, 10.2, 10.4).

use std::collections::BTreeMap;

use creditd::ledger::*;

/// 10.1 and 10.2 over a whole book kept in memory.
pub fn books_are_right(book: &Book) {
    for account in book.accounts.values() {
        for balance in account.balances.values() {
            lots_are_right(book, balance);
            entries_chain(book, balance);
        }
    }
    usages_are_right(book);
    for purchase in book.purchases.values() {
        let Some(sale) = &purchase.sale else { continue };
        let targets = purchase.targets().unwrap();
        for (line, target) in sale.lines.iter().zip(targets) {
            let reversed = line.reversed.plus(line.shortfall).unwrap();
            assert!(!line.reversed.is_negative() && reversed <= line.granted);
            assert_eq!(reversed, target.credits, "reversed as 4.8 says");
            assert_eq!(line.reversed_minor, target.minor);
            let outstanding = |from: fn(&SliceFrom) -> bool| -> i64 {
                let slices = line.slices.iter().filter(|slice| from(&slice.from));
                slices.map(|slice| slice.outstanding().unwrap().steps()).sum()
            };
            assert_eq!(outstanding(|from| *from == SliceFrom::Shortfall), line.shortfall.steps());
            assert_eq!(outstanding(|from| *from != SliceFrom::Shortfall), line.reversed.steps());
            let unit = line.terms.as_ref().map(|terms| terms.unit.clone());
            if let Some((lot, unit)) = line.lot.zip(unit) {
                let lot = book.balance(&sale.account, &unit).and_then(|one| one.lot(lot)).unwrap();
                assert_eq!(lot.counted.steps(), outstanding(|from| *from == SliceFrom::Lapsed));
                let lost = lot.forfeited.plus(lot.expired).unwrap();
                assert!(lot.counted <= lost, "what was restored was not counted as taken");
            }
        }
    }
}

/// 5.5: what is reversed of a usage is its reversals' share, and none of them waits for what came.
fn usages_are_right(book: &Book) {
    for (name, usage) in &book.usages {
        match &usage.standing {
            Standing::Awaited => {
                assert!(usage.reversals.values().all(|reversal| reversal.credits.is_none()));
            }
            Standing::NoUsage => assert!(usage.reversals.is_empty()),
            Standing::Idle => {
                assert!(!usage.is_waited_for() && usage.reversed().unwrap().is_zero())
            }
            Standing::Drawn(draw) => {
                assert!(!usage.is_waited_for());
                let quantities = usage.reversals.values().map(|reversal| reversal.quantity);
                let reversed = usage.reversed().unwrap();
                assert_eq!(reversed, draw.share(quantities).unwrap(), "reversed as 5.5 says");
                assert!(reversed <= draw.cost);
                let cost: i64 = draw.slices.iter().map(|slice| slice.credits.steps()).sum();
                assert_eq!(cost, draw.cost.steps(), "slices add up to the cost");
                let released = book.journal.moved.iter().filter_map(|moved| match &moved.fate {
                    Fate::Released(record) => Some(&**record),
                    _ => None,
                });
                let records = book.journal.records.iter().chain(released);
                let keys: Vec<EventKey> =
                    records.filter(|one| one.name == *name).map(|one| one.key).collect();
                let entries = book.journal.entries.iter();
                let entries = entries.filter(|entry| keys.contains(&entry.event));
                let drawn: i64 = entries
                    .filter(|one| matches!(one.kind, EntryKind::Used | EntryKind::Overdrawn))
                    .map(|entry| entry.credits.steps())
                    .sum();
                let uncovered = draw.slices.iter().filter(|one| one.from == DrawnFrom::Uncovered);
                let uncovered: i64 = uncovered.map(|slice| slice.credits.steps()).sum();
                assert_eq!(drawn, uncovered - cost);
            }
        }
    }
}

fn lots_are_right(book: &Book, balance: &Balance) {
    let (mut open, mut pending) = (0, 0);
    for lot in &balance.lots {
        assert!(!lot.remaining.is_negative() && lot.remaining <= lot.granted);
        let entries = own(book, balance).filter(|entry| entry.lot == Some(lot.no));
        let sum: i64 = entries.map(|entry| entry.credits.steps()).sum();
        assert_eq!(lot.remaining.steps(), sum, "a lot holds what its entries add up to");
        match lot.is_pending {
            true => pending += lot.remaining.steps(),
            false => open += lot.remaining.steps(),
        }
        let lost = |kind| -> i64 {
            let entries = own(book, balance).filter(|entry| entry.lot == Some(lot.no));
            entries.filter(|entry| entry.kind == kind).map(|entry| entry.credits.steps()).sum()
        };
        assert_eq!(lot.expired.steps(), -lost(EntryKind::Expired), "it expired by its entries");
        assert_eq!(lost(EntryKind::Opened), 0, "what leaves the pending total enters the balance");
    }
    assert_eq!(balance.balance.steps(), open - balance.overdraft.steps());
    assert_eq!(balance.pending.steps(), pending);
    let order: Vec<_> = balance.lots.iter().map(|lot| lot.no).collect();
    assert_eq!(order.len(), usize::try_from(balance.last_lot.0).unwrap());
}

fn entries_chain(book: &Book, balance: &Balance) {
    let (mut sum, mut pending, mut seq) = (0, 0, 0);
    for entry in own(book, balance) {
        match entry.is_pending {
            true => pending += entry.credits.steps(),
            false => sum += entry.credits.steps(),
        }
        seq += 1;
        assert_eq!((entry.seq, entry.balance_after.steps()), (seq, sum));
        assert!(!entry.credits.is_zero());
    }
    assert_eq!((balance.entry_seq, balance.balance.steps()), (seq, sum));
    assert_eq!(balance.pending.steps(), pending);
}

fn own<'a>(book: &'a Book, balance: &'a Balance) -> impl Iterator<Item = &'a Entry> {
    let entries = book.journal.entries.iter();
    entries.filter(|entry| entry.account == balance.account && entry.unit == balance.unit)
}

/// 10.4: flips alternate, and agree with what is latched now.
pub fn latches_alternate(book: &Book) {
    let mut latched: BTreeMap<_, bool> = BTreeMap::new();
    for flip in &book.journal.flips {
        let key = (flip.account, flip.unit.clone(), flip.threshold);
        let before = latched.insert(key, flip.latched).unwrap_or(false);
        assert_ne!(before, flip.latched, "a flip flips");
    }
    for account in book.accounts.values() {
        for balance in account.balances.values() {
            let key = |threshold| (account.id, balance.unit.clone(), threshold);
            let is_latched = |threshold| latched.get(&key(threshold)).copied().unwrap_or(false);
            assert_eq!(balance.depleted, is_latched(None));
            let flipped = latched.keys().filter(|(id, unit, threshold)| {
                *id == account.id && *unit == balance.unit && threshold.is_some()
            });
            for threshold in flipped.filter_map(|(_, _, threshold)| *threshold) {
                assert_eq!(balance.latched.contains(&threshold), is_latched(Some(threshold)));
            }
            assert!(balance.latched.iter().all(|threshold| is_latched(Some(*threshold))));
        }
    }
}

/// 10.4: each moving notice tells what entries of its event and unit moved, and no entry is untold.
pub fn notices_match_entries(book: &Book) {
    let mut moved: BTreeMap<(EventKey, Name, &str), i64> = BTreeMap::new();
    let mut told = moved.clone();
    // Nothing is told of a lot that has not opened.
    for entry in book.journal.entries.iter().filter(|entry| !entry.is_pending) {
        let what = match entry.kind {
            EntryKind::Granted | EntryKind::Opened => "credited",
            EntryKind::Expired => "expired",
            EntryKind::Revoked => "revoked",
            EntryKind::Restored => "restored",
            EntryKind::Forfeited => "forfeited",
            EntryKind::Forgiven => "forgiven",
            EntryKind::Adjusted => "adjusted",
            EntryKind::Carried if entry.credits.is_positive() => "carried",
            EntryKind::Carried | EntryKind::Used | EntryKind::Overdrawn | EntryKind::Repaid => {
                continue;
            }
        };
        let key = (entry.event, entry.unit.clone(), what);
        *moved.entry(key).or_default() += entry.credits.steps().abs();
    }
    for notice in &book.journal.notices {
        let figures = match &notice.tells {
            Tells::Credited { credits, .. } => vec![("credited", *credits)],
            Tells::Revoked { credits, .. } => vec![("revoked", *credits)],
            Tells::Restored { credits } => vec![("restored", *credits)],
            Tells::Expired { credits, .. } => vec![("expired", *credits)],
            Tells::Reset { forfeited, carried, forgiven } => {
                vec![("forfeited", *forfeited), ("carried", *carried), ("forgiven", *forgiven)]
            }
            Tells::Adjusted { credits, .. } => vec![("adjusted", *credits)],
            Tells::Low { .. }
            | Tells::Recovered { .. }
            | Tells::Depleted { .. }
            | Tells::Declined { .. }
            | Tells::Expiring { .. }
            | Tells::TopUp(_) => vec![],
        };
        for (what, credits) in figures.into_iter().filter(|(_, credits)| !credits.is_zero()) {
            *told.entry((notice.event, notice.unit.clone(), what)).or_default() +=
                credits.steps().abs();
        }
    }
    assert_eq!(told, moved);
}
