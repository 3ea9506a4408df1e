//! What must be told, worked out from nothing but what the books show after each event: balances,
//! lots, settings and the clock (semantics 8.1 to 8.4, 10.4). Whoever tells more, less or otherwise
//! fails.
//!
//! Two things are followed for every balance: what is true (which thresholds it is below, whether it
//! is used up), and what a subscriber believes who hears every notice. They may differ only while a
//! repeat is held back, and then the balance is looked at again when that is over.
//!
//! Needs `asked` beside it; use it with `#[path = "../common/implied.rs"] mod implied;`.

use std::collections::{BTreeMap, BTreeSet};

use creditd::ledger::*;

use crate::asked::{Asked, Low};

/// One event that was decided, and the book after it.
pub struct Seen<'a> {
    pub book: &'a Book,
    pub rules: &'a Rules,
    pub request: &'a Request,
    pub record: &'a Record,
    /// What it told.
    pub notices: &'a [Notice],
    pub now: Timestamp,
}

#[derive(Default)]
pub struct Implied {
    ones: BTreeMap<(AccountId, Name), One>,
    /// The last number of each account.
    numbers: BTreeMap<AccountId, i64>,
    /// Lots whose coming expiry was told.
    warned: BTreeSet<(AccountId, Name, LotNo)>,
    pub told: BTreeMap<&'static str, usize>,
}

/// One balance, as far as it was seen.
#[derive(Default)]
struct One {
    balance: Credits,
    peak: Credits,
    /// `None`: it was not there yet.
    thresholds: Option<Vec<Credits>>,
    /// True: below them, and not recovered from.
    latched: BTreeSet<Credits>,
    depleted: bool,
    /// Believed.
    low: BTreeSet<Credits>,
    empty: bool,
    told_at: BTreeMap<(&'static str, Option<Credits>), Timestamp>,
    asked: Asked,
}

impl Implied {
    /// After every event.
    pub fn sees(&mut self, seen: &Seen<'_>) {
        self.numbers_follow(seen.notices);
        for account in seen.book.accounts.values() {
            for balance in account.balances.values() {
                let key = (account.id, balance.unit.clone());
                let its = |notice: &&Notice| (notice.account, &notice.unit) == (key.0, &key.1);
                let notices: Vec<&Notice> = seen.notices.iter().filter(its).collect();
                in_order(&notices);
                self.expiries_are_told_once(balance, &notices, seen);
                let one = self.ones.entry(key).or_default();
                one.follows(account, balance, &notices, seen);
            }
            // Settings may be there long before the first entry.
            for unit in account.settings.keys().filter(|unit| !account.balances.contains_key(*unit))
            {
                let one = self.ones.entry((account.id, unit.clone())).or_default();
                one.thresholds = Some(account.watch(unit, seen.rules.watch(unit)).thresholds);
            }
        }
    }

    /// When everything that was due is done.
    pub fn rests(&self, book: &Book, rules: &Rules, now: Timestamp) {
        for account in book.accounts.values() {
            for balance in account.balances.values() {
                let key = (account.id, balance.unit.clone());
                let notice = rules.watch(&balance.unit).expiring_notice.unwrap_or_default();
                for lot in balance.lots.iter().filter(|lot| lot.is_open()) {
                    let until = lot.expires_at.map(|at| at.duration_since(now));
                    let comes = until.is_some_and(|until| until <= notice && until.is_positive());
                    let is_told = self.warned.contains(&(account.id, key.1.clone(), lot.no));
                    assert!(!comes || is_told, "no expiring for {lot:?}");
                }
                let Some(one) = self.ones.get(&key) else { continue };
                let watch = account.watch(&balance.unit, rules.watch(&balance.unit));
                for (kind, free_at) in one.owed(&watch) {
                    assert!(free_at.is_some_and(|at| now < at), "no {kind} of {balance:?}");
                }
                if let Some(low) = low(account, balance, rules, now) {
                    assert!(!one.asked.permits(&low), "no top-up was asked for {balance:?}");
                }
            }
        }
    }

    fn numbers_follow(&mut self, notices: &[Notice]) {
        for notice in notices {
            let last = self.numbers.entry(notice.account).or_default();
            assert_eq!(notice.sequence, *last + 1, "{notice:?}");
            *last = notice.sequence;
            *self.told.entry(notice.tells.kind()).or_default() += 1;
        }
    }

    fn expiries_are_told_once(&mut self, balance: &Balance, told: &[&Notice], seen: &Seen<'_>) {
        let expiring = told.iter().filter_map(|notice| match &notice.tells {
            Tells::Expiring { credits, expires_at } => Some((*credits, expires_at.unwrap())),
            _ => None,
        });
        for (credits, expires_at) in expiring {
            let Asks::Command(Command::Time(due)) = &seen.request.asks else { unreachable!() };
            let lot = balance.lot(due.lot.unwrap()).unwrap();
            assert!(lot.is_open() && lot.remaining == credits, "{lot:?} is told as {credits:?}");
            assert_eq!(lot.expires_at, Some(expires_at));
            assert!(seen.now < expires_at, "it is over already");
            let notice = seen.rules.watch(&balance.unit).expiring_notice.unwrap();
            assert!(expires_at.duration_since(seen.now) <= notice, "it is too early");
            let is_first = self.warned.insert((balance.account, balance.unit.clone(), lot.no));
            assert!(is_first, "{lot:?} was told before");
        }
    }
}

/// What moved, then low, then recovered or depleted, then a request for more (semantics 8.4).
fn in_order(told: &[&Notice]) {
    let place = |notice: &&Notice| match notice.tells {
        Tells::Low { .. } => 1,
        Tells::Recovered { .. } | Tells::Depleted { .. } => 2,
        Tells::TopUp(_) => 3,
        _ => 0,
    };
    assert!(told.iter().map(place).is_sorted(), "{told:?}");
}

/// A balance for which more should be asked, if nothing keeps from it.
fn low<'a>(
    account: &'a Account,
    balance: &Balance,
    rules: &Rules,
    now: Timestamp,
) -> Option<Low<'a>> {
    let topup = account.topup(&balance.unit)?;
    let has_held = balance.lots.iter().any(|lot| !lot.is_pending);
    let total = balance.balance.plus(balance.pending).unwrap();
    let price = *rules.offers.get(&topup.package)?;
    (has_held && total < topup.below).then_some(Low { topup, price, now })
}

impl One {
    fn follows(
        &mut self,
        account: &Account,
        balance: &Balance,
        notices: &[&Notice],
        seen: &Seen<'_>,
    ) {
        let catalog = seen.rules.watch(&balance.unit);
        let watch = account.watch(&balance.unit, catalog.clone());
        let known = self.thresholds.replace(watch.thresholds.clone());
        let known = known.unwrap_or(catalog.thresholds);
        let has_held = balance.lots.iter().any(|lot| !lot.is_pending);
        let set: Vec<Credits> =
            watch.thresholds.iter().copied().filter(|line| !known.contains(line)).collect();
        self.moves(balance.balance, &watch, if has_held { &set } else { &[] });
        assert_eq!(balance.latched.iter().copied().collect::<BTreeSet<_>>(), self.latched);
        assert_eq!(balance.depleted, self.depleted);

        self.forgets(&watch);
        for notice in notices {
            self.hears(notice, &watch, seen.now);
        }
        self.is_owed_nothing(balance, &watch);
        self.asks(account, balance, notices, seen);
    }

    /// What is true, by rule 8.4 alone.
    fn moves(&mut self, after: Credits, watch: &Watch, set: &[Credits]) {
        let before = std::mem::replace(&mut self.balance, after);
        self.latched.retain(|line| watch.thresholds.contains(line));
        let crossed =
            |line: &&Credits| after < **line && (**line <= self.peak || set.contains(line));
        self.latched.extend(watch.thresholds.iter().filter(crossed));
        let enough = |line: &Credits| watch.recovered_at.unwrap_or(*line).max(*line);
        self.latched.retain(|line| after < enough(line));
        self.depleted = !after.is_positive() && (self.depleted || before.is_positive());
        self.peak = self.peak.max(after);
    }

    /// What stops being believed without a word.
    fn forgets(&mut self, watch: &Watch) {
        self.low.retain(|line| watch.thresholds.contains(line));
        if !self.latched.is_empty() {
            self.low.retain(|line| self.latched.contains(line));
        }
        self.empty &= self.depleted;
    }

    fn is_free(
        &self,
        kind: &'static str,
        line: Option<Credits>,
        watch: &Watch,
        now: Timestamp,
    ) -> bool {
        let told_at = self.told_at.get(&(kind, line));
        told_at.is_none_or(|at| watch.notify_interval <= now.duration_since(*at))
    }

    fn unsaid(&self) -> Vec<Credits> {
        self.latched.difference(&self.low).copied().collect()
    }

    fn hears(&mut self, notice: &Notice, watch: &Watch, now: Timestamp) {
        let kind = notice.tells.kind();
        match notice.tells {
            Tells::Low { threshold, .. } => {
                let free = |line: &Credits| self.is_free(kind, Some(*line), watch, now);
                let lowest = self.unsaid().into_iter().filter(free).min();
                assert_eq!(Some(threshold), lowest, "{notice:?}");
                for line in self.unsaid().into_iter().filter(|line| threshold <= *line) {
                    self.low.insert(line);
                    self.told_at.insert((kind, Some(line)), now);
                }
            }
            Tells::Recovered { threshold, .. } => {
                assert!(self.latched.is_empty(), "{notice:?}");
                assert_eq!(self.low.last(), Some(&threshold), "{notice:?}");
                assert!(self.is_free(kind, None, watch, now), "too soon: {notice:?}");
                self.low.clear();
                self.told_at.insert((kind, None), now);
            }
            Tells::Depleted { .. } => {
                assert!(self.depleted && !self.empty, "{notice:?}");
                assert!(self.is_free(kind, None, watch, now), "too soon: {notice:?}");
                self.empty = true;
                self.told_at.insert((kind, None), now);
            }
            _ => {}
        }
    }

    /// What is true and not believed: as what it would be told, and from when on it may be.
    fn owed(&self, watch: &Watch) -> Vec<(&'static str, Option<Timestamp>)> {
        let lows = self.unsaid().into_iter().map(|line| ("balance.low", Some(line)));
        let recovered = self.latched.is_empty() && !self.low.is_empty();
        let recovered = recovered.then_some(("balance.recovered", None));
        let depleted = (self.depleted && !self.empty).then_some(("balance.depleted", None));
        let owed = lows.chain(recovered).chain(depleted);
        let told_at = owed.map(|owed| (owed.0, self.told_at.get(&owed)));
        told_at.map(|(kind, at)| (kind, at.map(|at| *at + watch.notify_interval))).collect()
    }

    /// It is only held back, and will be looked at when it may be said.
    fn is_owed_nothing(&self, balance: &Balance, watch: &Watch) {
        for (kind, free_at) in self.owed(watch) {
            let is_looked_at = balance.look_at.is_some_and(|at| Some(at) <= free_at);
            assert!(is_looked_at, "no {kind}, and nobody will look at {balance:?}");
        }
    }

    /// Top-ups are asked for when they may be (semantics 8.5).
    fn asks(&mut self, account: &Account, balance: &Balance, told: &[&Notice], seen: &Seen<'_>) {
        let topup = account.topup(&balance.unit);
        self.asked.hears(account, topup, seen);
        for notice in told {
            let Tells::TopUp(request) = &notice.tells else { continue };
            let low = low(account, balance, seen.rules, seen.now);
            let low = low.unwrap_or_else(|| panic!("not low: {notice:?}"));
            assert!(self.asked.permits(&low), "not allowed: {notice:?} after {:?}", self.asked);
            self.asked.add(request, &low);
        }
    }
}
