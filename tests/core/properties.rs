//! What holds whatever comes: sections 3.5 and 10.

use std::collections::BTreeMap;

use super::world::*;
use crate::streams::any_command;
use creditd::ledger::*;
use proptest::prelude::*;

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

/// Every order of a few events.
pub fn orders<T: Clone>(events: &[T]) -> Vec<Vec<T>> {
    if events.len() < 2 {
        return vec![events.to_vec()];
    }
    let mut all = Vec::new();
    for index in 0..events.len() {
        let mut rest = events.to_vec();
        let first = rest.remove(index);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

#[test]
fn every_order_of_one_purchase_ends_in_the_same_books_3_5() {
    let lines = vec![line("l1", 6_667, &package("a", 101)), line("l2", 3_333, &package("b", 53))];
    let events = [
        event("paid", Command::Pay(Box::new(payment("acme", &["in_1", "pay_1"], lines)))),
        event("partial", take_back("in_1", amount(1_111))),
        event("total", take_back("pay_1", total(4_444))),
        event("used", consume("acme", 77)),
        event("again", consume("acme", 60)),
    ];

    let mut ends = std::collections::BTreeSet::new();
    for order in orders(&events) {
        let mut world = World::default();
        for request in &order {
            world.decides(request);
        }
        for request in &order {
            assert_eq!(world.decides(request), "duplicate");
        }
        ends.insert(format!("{:?}", world.state()));
    }

    assert_eq!(ends.len(), 1, "{ends:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Invariants are checked after every event, inside `decides`.
    #[test]
    fn the_books_are_right_after_every_event_10(
        commands in prop::collection::vec(any_command(), 1..60)
    ) {
        let mut world = World::watching(&[100, 20], Some(120));
        world.rules.late_usage = jiff::SignedDuration::from_mins(5);
        world.rules.expiry_grace = jiff::SignedDuration::from_mins(10);
        for command in commands {
            world.does(command);
            world.reaches(world.minute + 2);
        }
        latches_alternate(&world);
        notices_match_entries(&world);
    }

    #[test]
    fn replaying_everything_changes_nothing_3_3(
        commands in prop::collection::vec(any_command(), 1..30)
    ) {
        let mut world = World::watching(&[100], None);
        let events: Vec<Request> = (0..)
            .zip(commands)
            .map(|(n, command)| event(&format!("e{n}"), command))
            .collect();
        for request in &events {
            world.decides(request);
        }
        let (state, entries) = (world.state(), world.entries().len());
        for request in events.iter().rev() {
            world.decides(request);
        }
        prop_assert_eq!(world.state(), state);
        prop_assert_eq!(world.entries().len(), entries);
    }

    /// Class 3.5: mode add, debt, unlimited overdraft. One purchase, any refunds, any order.
    #[test]
    fn any_order_and_repetition_of_refunds_ends_the_same_3_5(
        paid in 0..20_000_i64,
        granted in 0..5_000_i64,
        refunds in prop::collection::vec((0..15_000_i64, any::<bool>()), 0..6),
        used in 0..6_000_i64,
        shuffles in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let lines = vec![line("l1", paid, &package("a", granted)), line("l2", 777, &package("b", 31))];
        let mut events = vec![
            event("paid", Command::Pay(Box::new(payment("acme", &["in_1"], lines)))),
            event("used", consume("acme", used)),
        ];
        for (n, (minor, is_total)) in refunds.iter().enumerate() {
            let claim = if *is_total { total(*minor) } else { amount(*minor) };
            events.push(event(&format!("r{n}"), take_back("in_1", claim)));
        }
        let mut straight = World::default();
        for request in &events {
            straight.decides(request);
        }
        for shuffle in shuffles {
            let moved = events.remove(shuffle.index(events.len()));
            events.push(moved);
        }
        let mut shuffled = World::default();
        for request in events.iter().chain(&events) {
            shuffled.decides(request);
        }
        prop_assert_eq!(shuffled.state(), straight.state());
    }

    /// The same class with disputes, whose ends have times of their own.
    #[test]
    fn any_order_and_repetition_of_disputes_ends_the_same_3_5(
        granted in 0..5_000_i64,
        waits in any::<bool>(),
        refunds in prop::collection::vec(1..9_000_i64, 0..3),
        words in prop::collection::vec(
            (0..2_u8, 0..3_usize, prop::option::of(1..9_000_i64), 1..4_i64), 0..6),
        void in prop::bool::weighted(0.1),
        used in 0..6_000_i64,
        shuffles in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let mut first = package("a", granted);
        if waits {
            first = first.revoked_when_lost();
        }
        let lines = vec![line("l1", 7_000, &first), line("l2", 777, &package("b", 31))];
        let mut events = vec![
            event("paid", Command::Pay(Box::new(payment("acme", &["in_1"], lines)))),
            event("used", consume("acme", used)),
        ];
        for (n, minor) in refunds.iter().enumerate() {
            events.push(event(&format!("r{n}"), take_back("in_1", amount(*minor))));
        }
        for (n, (id, word, minor, minute)) in words.iter().enumerate() {
            use DisputeStatus::{Lost, Opened, Won};
            let word = dispute("in_1", &format!("d{id}"), [Opened, Won, Lost][*word], *minor);
            let mut request = event(&format!("d{n}"), word);
            request.occurred_at = Some(at(*minute));
            events.push(request);
        }
        if void {
            events.push(event("void", take_back("in_1", RefundClaim::Void)));
        }
        let mut straight = World::at_minute(100);
        for request in &events {
            straight.decides(request);
        }
        for shuffle in shuffles {
            let moved = events.remove(shuffle.index(events.len()));
            events.push(moved);
        }
        let mut shuffled = World::at_minute(100);
        for request in events.iter().chain(&events) {
            shuffled.decides(request);
        }
        prop_assert_eq!(shuffled.state(), straight.state());
    }

    #[test]
    fn partial_refunds_never_create_or_lose_a_step_4_8(
        granted in 1..1_000_000_i64,
        parts in prop::collection::vec(1..5_000_i64, 1..20),
    ) {
        let paid: i64 = parts.iter().sum();
        let mut world = World::default();
        world.does(pay("acme", "in_1", paid, &package("p", granted)));
        for part in &parts {
            world.does(take_back("in_1", amount(*part)));
        }
        prop_assert_eq!(world.balance("acme"), 0);
        prop_assert_eq!(world.overdraft("acme"), 0);
    }
}

/// 10.4: flips alternate, and agree with what is latched now.
fn latches_alternate(world: &World) {
    let mut latched: BTreeMap<_, bool> = BTreeMap::new();
    for flip in &world.book.journal.flips {
        let key = (flip.account, flip.unit.clone(), flip.threshold);
        let before = latched.insert(key, flip.latched).unwrap_or(false);
        assert_ne!(before, flip.latched, "a flip flips");
    }
    for account in world.book.accounts.values() {
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
fn notices_match_entries(world: &World) {
    let mut moved: BTreeMap<(EventKey, Name, &str), i64> = BTreeMap::new();
    let mut told = moved.clone();
    // Nothing is told of a lot that has not opened.
    for entry in world.book.journal.entries.iter().filter(|entry| !entry.is_pending) {
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
    for notice in &world.book.journal.notices {
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
