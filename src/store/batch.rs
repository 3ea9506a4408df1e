//! Opening a batch: which of its events are new, and everything in the books that they touch,
//! locked in one order and read after the lock.

use std::collections::{HashMap, HashSet};

use super::columns::{Columns, Names};
use super::drawn::{self, Came};
use super::error::StoreError;
use super::lot::LotName;
use super::repayment::Needed;
use super::reset_mark::Marks;
use super::session::Session;
use super::wanted::Wanted;
use super::{Arrival, Store};
use super::{
    account, balance, forfeit, holding, inbox, lot, parked, purchase, purchase_line, reference,
    refund,
};
use super::{repayment, reset_mark, revocation};
use crate::ledger::{
    Account, AccountId, Asks, Balance, Book, Command, Credits, EventKey, EventName, Ids, Met, Name,
    Purchase, PurchaseId, Reference, RefundName, Request, SliceFrom, Timestamp,
    UsageReversalRecord,
};

/// How often locks are let go and taken again because rows changed hands in between.
const ATTEMPTS_MAX: u32 = 3;

/// A batch being decided: its locks are held until it is committed or dropped.
pub struct Batch {
    /// For [`crate::ledger::decide`], arrival by arrival.
    pub book: Book,
    /// The database's clock, read after the locks were taken.
    pub now: Timestamp,
    pub(super) session: Session,
    pub(super) loaded: Loaded,
}

/// What was in the tables, as far as saving has to compare with it.
#[derive(Default)]
pub(super) struct Loaded {
    /// Accounts that this transaction opened.
    pub(super) opened: Vec<AccountId>,
    pub(super) references: HashMap<Reference, PurchaseId>,
    /// Where the rows of balances and lots lie.
    pub(super) balances_at: balance::RowsAt,
    pub(super) lots_at: lot::RowsAt,
    /// The refunds of every purchase that was loaded.
    pub(super) refunds: HashMap<PurchaseId, Vec<RefundName>>,
    pub(super) marks: Marks,
    /// Every reversal of usage that was loaded, by its event.
    pub(super) usage_reversals: Vec<(EventKey, UsageReversalRecord)>,
}

impl Store {
    /// Claims and loads what `arrivals` touch. The caller decides every request on the batch's
    /// book, in the order of the arrivals, and commits; a batch that is dropped leaves nothing
    /// behind. Safe to cancel.
    ///
    /// # Errors
    /// [`StoreError`]; a transient one asks for the same batch again.
    pub async fn open_batch(&self, arrivals: &[Arrival]) -> Result<Batch, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut session = self.begin().await?;
            let mut loading = Loading::default();
            match loading.load(&mut session, arrivals).await? {
                Held::All => {
                    let now = loading.load_owned(&mut session).await?;
                    let Loading { book, loaded, .. } = loading;
                    return Ok(Batch { book, now, session, loaded });
                }
                Held::Moved => session.rollback().await?,
            }
        }
        Err(StoreError::Overtaken { what: "account or purchase" })
    }
}

/// Whether everything that was looked up is also locked.
#[derive(PartialEq, Eq)]
enum Held {
    All,
    /// Another daemon opened an account or moved a purchase meanwhile. Locks taken now would be
    /// out of order, so they are all let go first.
    Moved,
}

#[derive(Default)]
pub(super) struct Loading {
    pub(super) names: Names,
    pub(super) book: Book,
    pub(super) loaded: Loaded,
    pub(super) wanted: Wanted,
    pub(super) accounts: HashMap<AccountId, Account>,
    /// The events that are to be reversed, or that reversals wait for.
    pub(super) reversed: HashMap<EventKey, EventName>,
    /// Those of them that have come.
    pub(super) came: Vec<Came>,
}

impl Loading {
    /// Takes all locks: the waiting reversals, accounts by id, then purchases by id.
    async fn load(&mut self, tx: &mut Session, arrivals: &[Arrival]) -> Result<Held, StoreError> {
        self.find_reversed(tx, arrivals).await?;
        self.look_up(tx, arrivals).await?;
        if self.lock_accounts(tx).await? == Held::Moved {
            return Ok(Held::Moved);
        }
        if !self.wanted.names_purchases() {
            return Ok(Held::All);
        }
        if self.wanted.purchases > 0 {
            let purchases = purchase::number(tx, self.wanted.purchases).await?;
            self.book.ids = Ids::Reserved { purchases };
        }
        self.lock_purchases(tx).await
    }

    /// Which events are known already; what the others name.
    async fn look_up(&mut self, tx: &mut Session, arrivals: &[Arrival]) -> Result<(), StoreError> {
        let keys: Vec<EventKey> = arrivals.iter().map(|arrival| arrival.request.key).collect();
        self.book.ids = Ids::Reserved { purchases: Vec::new() };
        let awaited = drawn::awaited(arrivals);
        let (known, is_awaited) = inbox::known_and_awaited(tx, &keys, &awaited).await?;
        self.book.seen = known.into_iter().collect();
        if is_awaited {
            self.find_waiting(tx, &awaited).await?;
        }
        self.look_at_desk(tx, arrivals).await?;
        let new = arrivals
            .iter()
            .map(|arrival| &arrival.request)
            // One that differs may turn out to be a correction while the batch is decided.
            .filter(|request| !matches!(self.book.met(request), Met::Before(_)));
        self.wanted = Wanted::of(new);
        Ok(())
    }

    /// What is on the desk of events that an operator names, or whose name came with another
    /// meaning. Locked, so that nobody else moves it meanwhile.
    async fn look_at_desk(
        &mut self,
        tx: &mut Session,
        arrivals: &[Arrival],
    ) -> Result<(), StoreError> {
        let mut named = Vec::new();
        let mut unlike = Vec::new();
        for Request { key, fingerprint, conflict_key, asks, .. } in
            arrivals.iter().map(|arrival| &arrival.request)
        {
            match (self.book.seen.get(key), asks) {
                (Some(known), _) if known == fingerprint => {}
                (Some(_), _) => {
                    named.push(*key);
                    unlike.push(*conflict_key);
                }
                (None, Asks::Command(Command::Release(release))) => named.push(release.event.key),
                (None, Asks::Command(Command::Discard(discard))) => named.push(discard.event),
                (None, Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_)) => {}
            }
        }
        if named.is_empty() {
            return Ok(());
        }
        self.book.desk = parked::on_desk(tx, &named).await?;
        // After the locks: whoever held them may have written these.
        self.book.seen.extend(inbox::known(tx, &unlike).await?);
        Ok(())
    }

    async fn lock_accounts(&mut self, tx: &mut Session) -> Result<Held, StoreError> {
        let Wanted { accounts, known_accounts, references, .. } = &self.wanted;
        let named: Vec<Name> = accounts.iter().chain(known_accounts).cloned().collect();
        let came: Vec<AccountId> = self.came.iter().filter_map(|came| came.account).collect();
        if named.is_empty() && references.is_empty() && came.is_empty() {
            return Ok(Held::All);
        }
        let locked = account::lock(tx, &named, &came, references, &mut self.names).await?;
        let found: HashSet<&Name> = locked.iter().map(|account| &account.name).collect();
        let is_missing = |name: &&Name| !found.contains(*name);
        let mut missing: Vec<Name> =
            self.wanted.accounts.iter().filter(is_missing).cloned().collect();
        self.accounts = locked.into_iter().map(|account| (account.id, account)).collect();
        if missing.is_empty() {
            return Ok(Held::All);
        }
        let opened = account::open(tx, &mut missing, &mut self.names).await?;
        let held = match opened.len() == missing.len() {
            true => Held::All,
            false => Held::Moved,
        };
        self.loaded.opened = opened.iter().map(|account| account.id).collect();
        self.accounts.extend(opened.into_iter().map(|account| (account.id, account)));
        Ok(held)
    }

    /// Locks and loads the purchases that are named, whole. Their accounts are locked already,
    /// unless one was paid or merged since it was looked up.
    async fn lock_purchases(&mut self, tx: &mut Session) -> Result<Held, StoreError> {
        let rows =
            purchase::lock(tx, &self.wanted.references, &self.wanted.of_lots, &mut self.names)
                .await?;
        if rows.is_empty() && !self.wanted.forgets {
            // A purchase that was merged away while this waited for it has left its references to
            // another: whoever makes a purchase of them now loses the race for their key.
            return Ok(Held::All);
        }
        let ids: Vec<PurchaseId> = rows.iter().map(|row| row.id).collect();
        let references =
            reference::load(tx, &ids, &self.wanted.references, &mut self.names).await?;
        let is_locked = |id: &AccountId| self.accounts.contains_key(id);
        if !rows.iter().filter_map(|row| row.account).all(|id| is_locked(&id))
            || !references.iter().all(|(_, id)| ids.contains(id))
        {
            return Ok(Held::Moved);
        }
        let names: HashMap<AccountId, Name> =
            self.accounts.values().map(|account| (account.id, account.name.clone())).collect();
        let mut purchases: HashMap<PurchaseId, Purchase> =
            rows.into_iter().map(|row| (row.id, row.purchase(&names))).collect();
        for (reference, id) in references {
            if let Some(purchase) = purchases.get_mut(&id) {
                purchase.references.push(reference.clone());
            }
            self.book.references.insert(reference.clone(), id);
            self.loaded.references.insert(reference, id);
        }
        for purchase in purchases.values_mut() {
            purchase.references.sort_unstable();
        }
        if !ids.is_empty() {
            self.load_parts(tx, &ids, &mut purchases).await?;
        }
        self.book.purchases = purchases;
        Ok(Held::All)
    }

    /// Lines with their slices, and refunds.
    async fn load_parts(
        &mut self,
        tx: &mut Session,
        ids: &[PurchaseId],
        purchases: &mut HashMap<PurchaseId, Purchase>,
    ) -> Result<(), StoreError> {
        for (id, line) in purchase_line::load(tx, ids, &mut self.names).await? {
            if let Some(sale) = purchases.get_mut(&id).and_then(|one| one.sale.as_mut()) {
                sale.lines.push(line);
            }
        }
        for (id, line, slice) in revocation::load(tx, ids).await? {
            let sale = purchases.get_mut(&id).and_then(|one| one.sale.as_mut());
            let line = usize::try_from(line).ok().zip(sale);
            if let Some(line) = line.and_then(|(line, sale)| sale.lines.get_mut(line)) {
                line.slices.push(slice);
            }
        }
        self.loaded.refunds = ids.iter().map(|id| (*id, Vec::new())).collect();
        for (id, name, record) in refund::load(tx, ids, &mut self.names).await? {
            if let Some(purchase) = purchases.get_mut(&id) {
                purchase.refunds.insert(name.clone(), record);
            }
            self.loaded.refunds.entry(id).or_default().push(name);
        }
        Ok(())
    }

    /// What the locked accounts own: balances, lots that hold something, and for purchases what a
    /// reset or a refund has to see besides. Gives the time.
    async fn load_owned(&mut self, tx: &mut Session) -> Result<Timestamp, StoreError> {
        let ids: Vec<AccountId> = self.accounts.keys().copied().collect();
        self.load_usages(tx).await?;
        if ids.is_empty() {
            return clock(tx).await;
        }
        let gives_back = self.wanted.names_purchases() || !self.reversed.is_empty();
        let holding = holding::load(tx, &ids, gives_back, &mut self.names).await?;
        for (row_at, loaded) in holding.balances {
            let name = (loaded.account, loaded.unit.clone());
            self.loaded.balances_at.insert(name, row_at);
            if let Some(account) = self.accounts.get_mut(&loaded.account) {
                account.balances.insert(loaded.unit.clone(), Box::new(loaded));
            }
        }
        for place in holding.lots {
            self.put_lot(place);
        }
        if gives_back {
            self.load_for_giving_back(tx, &holding.reset).await?;
        }
        let accounts = std::mem::take(&mut self.accounts).into_values();
        self.book.accounts = accounts.map(|account| (account.name.clone(), account)).collect();
        Ok(holding.now)
    }

    /// `reset` are the accounts that resets have left their marks on.
    async fn load_for_giving_back(
        &mut self,
        tx: &mut Session,
        reset: &[AccountId],
    ) -> Result<(), StoreError> {
        self.loaded.marks = reset_mark::load(tx, reset, &mut self.names).await?;
        for ((id, unit, family), pasts) in self.loaded.marks.clone() {
            if let Some(balance) = self.balance(id, &unit) {
                balance.resets.insert(family, pasts);
            }
        }
        let (needed, mut named, resets) = self.needed();
        for place in forfeit::load(tx, &resets.iter().collect::<Vec<_>>(), &mut self.names).await? {
            named.insert(LotName {
                account: place.account,
                unit: place.unit.clone(),
                no: place.forfeit.lot,
            });
            if let Some(balance) = self.balance(place.account, &place.unit) {
                balance.forfeits.push(place.forfeit);
            }
        }
        for place in repayment::load(tx, &needed, &mut self.names).await? {
            named.extend(place.repayment.lot.map(|no| LotName {
                account: place.account,
                unit: place.unit.clone(),
                no,
            }));
            if let Some(balance) = self.balance(place.account, &place.unit) {
                balance.repayments.push(place.repayment);
            }
        }
        let named: Vec<LotName> = named.into_iter().collect();
        for place in lot::load_closed(tx, &named, &mut self.names).await? {
            self.put_lot(place);
        }
        Ok(())
    }

    /// How much overdraft the loaded purchases and usage may give back, the lots that they name,
    /// and those that a reset granted which may give back what it forfeited.
    fn needed(&self) -> (Vec<Needed>, HashSet<LotName>, Vec<LotName>) {
        let mut resets = Vec::new();
        let mut overdrafts: HashMap<(AccountId, Name), i64> = HashMap::new();
        let mut named = HashSet::new();
        let account_of: HashMap<&Name, AccountId> =
            self.accounts.values().map(|account| (&account.name, account.id)).collect();
        for sale in self.book.purchases.values().filter_map(|purchase| purchase.sale.as_ref()) {
            let Some(account) = account_of.get(&sale.account).copied() else { continue };
            for line in &sale.lines {
                let Some(terms) = &line.terms else { continue };
                let unit = &terms.unit;
                let own = line.lot.map(|no| LotName { account, unit: unit.clone(), no });
                if terms.restores_forfeited() {
                    resets.extend(own.clone());
                }
                named.extend(own);
                for slice in &line.slices {
                    match slice.from {
                        SliceFrom::Lot(no) => {
                            named.insert(LotName { account, unit: unit.clone(), no });
                        }
                        SliceFrom::Overdraft => {
                            let outstanding = slice.outstanding().unwrap_or_default().steps();
                            let sum = overdrafts.entry((account, unit.clone())).or_default();
                            *sum = sum.saturating_add(outstanding);
                        }
                        SliceFrom::Lapsed | SliceFrom::Shortfall => {}
                    }
                }
            }
        }
        self.need_usages(&account_of, &mut overdrafts, &mut named);
        let needed = overdrafts
            .into_iter()
            .filter(|(_, steps)| *steps > 0)
            .map(|((account, unit), steps)| Needed {
                account,
                unit,
                credits: Credits::from_steps(steps),
            })
            .collect();
        (needed, named, resets)
    }

    fn put_lot(&mut self, place: lot::Place) {
        let name = LotName::of(place.account, &place.unit, &place.lot);
        self.loaded.lots_at.insert(name, place.row_at);
        if let Some(balance) = self.balance(place.account, &place.unit) {
            balance.put_lot(place.lot);
        }
    }

    fn balance(&mut self, account: AccountId, unit: &Name) -> Option<&mut Balance> {
        self.accounts.get_mut(&account).map(|account| account.balance_mut(unit))
    }
}

/// The clock of the books (semantics 7.3).
pub(super) async fn clock(tx: &mut Session) -> Result<Timestamp, StoreError> {
    let row = tx.row("read the database's clock", sqlx::query("SELECT clock_timestamp()")).await?;
    Columns::of(&row).at()
}
