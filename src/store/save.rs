//! Saving a batch: one statement a table, the inbox first, a seal, the commit.

use std::collections::HashMap;

use super::Arrival;
use super::batch::{Batch, Loaded};
use super::error::StoreError;
use super::inbox::Ended;
use super::writer::{Kinds, Writer};
use super::{
    account, adjustment, balance, entry, forfeit, inbox, lot, moved, notice, parked, purchase,
    purchase_line,
};
use super::{redelivery, reference, refund, repayment, reset_mark, revocation, usage_reversal};
use crate::ledger::{
    Account, Asks, Balance, Book, Change, Command, EventKey, Fate, Purchase, PurchaseId, Record,
    Reference, RefundName, Rejection, Request, Timestamp, Verdict,
};
use crate::notice::Wire;

/// Up to so many events a batch is bound by round trips, beyond by its rows.
const TOGETHER_MAX: usize = 256;

impl Batch {
    /// Writes everything that was decided and commits. `arrivals` are those that the batch was
    /// opened with; `notices` are its journal's, rendered.
    ///
    /// # Errors
    /// [`StoreError`]. After a transient one nothing is known, not even whether it was committed:
    /// the same batch is opened again, and the inbox tells.
    pub async fn commit(
        mut self,
        arrivals: &[Arrival],
        notices: &[Wire],
    ) -> Result<(), StoreError> {
        self.find_merged(arrivals);
        let Self { book, now, mut session, loaded } = self;
        let together = (arrivals.len() <= TOGETHER_MAX).then(|| kinds(&book, notices));
        let saving = Saving { book: &book, now, loaded: &loaded };
        let writer = &mut Writer::new(&mut session, together);
        // The key that two daemons can race for comes first: nothing else was written in vain.
        let ended = ended(&book.journal.records, arrivals)?;
        if !ended.is_empty() {
            inbox::insert(writer, &ended, now).await?;
        }
        // One that was given up is in the book no more, and has rows to go.
        if !(book.purchases.is_empty() && book.journal.absorbed.is_empty()) {
            saving.purchases(writer).await?;
        }
        usage_reversal::save(writer, &book, &loaded.usage_reversals).await?;
        saving.accounts(writer).await?;
        saving.journal(writer, notices).await?;
        writer.send().await?;
        session.commit().await
    }

    /// A purchase that was merged into another within the batch never gets a row; its events
    /// belong to the other.
    fn find_merged(&mut self, arrivals: &[Arrival]) {
        if self.book.journal.absorbed.is_empty() {
            return;
        }
        let mut requests: HashMap<EventKey, &Request> = HashMap::new();
        for request in arrivals.iter().map(|arrival| arrival.request.event()) {
            requests.extend([(request.key, request), (request.conflict_key, request)]);
        }
        let Book { journal, purchases, references, .. } = &mut self.book;
        let released = journal.moved.iter_mut().filter_map(|moved| match &mut moved.fate {
            Fate::Released(record) => Some(&mut **record),
            Fate::StillParked(_)
            | Fate::Discarded
            | Fate::Superseded { .. }
            | Fate::Displaced(_) => None,
        });
        for record in journal.records.iter_mut().chain(released) {
            let is_gone = record.purchase.is_some_and(|id| !purchases.contains_key(&id));
            let named = requests.get(&record.key).map_or(&[][..], |request| names(request));
            if is_gone {
                record.purchase = named.iter().find_map(|name| references.get(name)).copied();
            }
        }
    }
}

/// What is saved, and what was there.
#[derive(Clone, Copy)]
struct Saving<'a> {
    book: &'a Book,
    now: Timestamp,
    loaded: &'a Loaded,
}

impl Saving<'_> {
    async fn purchases(self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let Self { book, loaded, now } = self;
        let mut purchases: Vec<&Purchase> = book.purchases.values().collect();
        purchases.sort_unstable_by_key(|purchase| purchase.id);
        purchase::insert(writer, &purchases, &book.accounts, now).await?;
        purchase::update(writer, &purchases, &book.accounts).await?;
        let (new, moved) = changed_references(&purchases, loaded);
        reference::insert(writer, new).await?;
        reference::update(writer, &moved).await?;
        reference::delete(writer, &gone_references(book, loaded)).await?;
        refund::delete(writer, &gone_refunds(book, loaded)).await?;
        refund::insert(writer, &purchases).await?;
        refund::update(writer, &purchases).await?;
        let absorbed: Vec<PurchaseId> = book
            .journal
            .absorbed
            .iter()
            .copied()
            .filter(|id| loaded.refunds.contains_key(id))
            .collect();
        purchase::delete(writer, &absorbed).await?;
        let lines = lines(&purchases);
        purchase_line::insert(writer, &lines).await?;
        purchase_line::update(writer, &lines).await?;
        revocation::insert(writer, &lines).await?;
        revocation::update(writer, &lines).await?;
        revocation::insert_reversals(writer, &book.journal.reversals).await
    }

    async fn accounts(self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let Self { book, loaded, now } = self;
        let mut accounts: Vec<&Account> = book.accounts.values().collect();
        accounts.sort_unstable_by_key(|account| account.id);
        let records = book.journal.records.iter().chain(moved::released(&book.journal.moved));
        let used = records.filter_map(|record| record.account);
        account::close(writer, &account::unused(&loaded.opened, used)).await?;
        account::update(writer, &accounts).await?;
        let held = accounts.iter().flat_map(|account| account.balances.values());
        let balances: Vec<&Balance> = held.map(Box::as_ref).collect();
        balance::insert(writer, &balances, now).await?;
        balance::update(writer, &balances, &loaded.balances_at, now).await?;
        let lots: Vec<lot::Row<'_>> = balances
            .iter()
            .flat_map(|balance| {
                let (account, unit) = (balance.account, &balance.unit);
                balance.lots.iter().map(move |lot| lot::Row { account, unit, lot })
            })
            .collect();
        lot::insert(writer, &lots).await?;
        lot::update(writer, &lots, &loaded.lots_at).await?;
        repayment::insert(writer, &balances).await?;
        repayment::update(writer, &balances).await?;
        forfeit::insert(writer, &balances).await?;
        forfeit::update(writer, &balances).await?;
        reset_mark::save(writer, &balances, &loaded.marks).await
    }

    async fn journal(self, writer: &mut Writer<'_>, notices: &[Wire]) -> Result<(), StoreError> {
        let Self { book, now, .. } = self;
        let journal = &book.journal;
        entry::insert(writer, &journal.entries, now).await?;
        let records = journal.records.iter().chain(moved::released(&journal.moved));
        entry::insert_postings(writer, records).await?;
        adjustment::insert(writer, &journal.adjustments, now).await?;
        notice::insert_flips(writer, &journal.flips, now).await?;
        notice::insert(writer, notices, now).await?;
        let parked: Vec<(EventKey, &Rejection)> =
            journal.records.iter().filter_map(parked).collect();
        parked::insert(writer, &parked, now).await?;
        if !journal.moved.is_empty() {
            moved::save(writer, &journal.moved, now).await?;
        }
        // Last: two daemons may hold the same event again, and neither holds anything else then.
        redelivery::count(writer, &journal.redelivered, now).await
    }
}

/// What the batch writes besides what every one does.
fn kinds(book: &Book, notices: &[Wire]) -> Kinds {
    let changes: Vec<Change> = book.purchases.values().map(|purchase| purchase.change).collect();
    Kinds {
        purchase: changes.contains(&Change::New),
        refund: changes.contains(&Change::Changed) || !book.journal.reversals.is_empty(),
        notice: !(notices.is_empty() && book.journal.flips.is_empty()),
    }
}

/// Records and arrivals side by side. Both are in the order of deciding, and an arrival has at
/// most one record: none if it was known.
fn ended<'a>(records: &'a [Record], arrivals: &'a [Arrival]) -> Result<Vec<Ended<'a>>, StoreError> {
    let mut ended = Vec::with_capacity(records.len());
    let mut waiting = records.iter().peekable();
    for arrival in arrivals {
        let request = &arrival.request;
        let is_its =
            |record: &&Record| record.key == request.key || record.key == request.conflict_key;
        ended.extend(waiting.next_if(is_its).map(|record| Ended { record, arrival }));
    }
    match waiting.next() {
        None => Ok(ended),
        Some(_) => Err(StoreError::Internal {
            what: "a batch was decided in another order than that of its arrivals",
        }),
    }
}

/// The references by which an event names its purchase.
fn names(request: &Request) -> &[Reference] {
    match &request.asks {
        Asks::Command(Command::Pay(payment)) => &payment.references,
        Asks::Command(Command::Refund(refund)) => &refund.references,
        Asks::Command(
            Command::Use(_)
            | Command::Fail(_)
            | Command::Unread(_)
            | Command::Adjust(_)
            | Command::Update(_)
            | Command::ReverseUsage(_)
            | Command::Release(_)
            | Command::Discard(_)
            | Command::Forget(_)
            | Command::Time(_),
        )
        | Asks::Nothing
        | Asks::Noted
        | Asks::Rejected(_) => &[],
    }
}

type Owned<'a> = Vec<(&'a Reference, PurchaseId)>;

/// References that had no row, and those whose row names another purchase.
fn changed_references<'a>(purchases: &[&'a Purchase], loaded: &Loaded) -> (Owned<'a>, Owned<'a>) {
    let (mut new, mut moved) = (Vec::new(), Vec::new());
    for purchase in purchases {
        for reference in &purchase.references {
            match loaded.references.get(reference) {
                None => new.push((reference, purchase.id)),
                Some(owner) if *owner != purchase.id => moved.push((reference, purchase.id)),
                Some(_) => {}
            }
        }
    }
    (new, moved)
}

/// References of purchases that were forgotten.
fn gone_references<'a>(book: &Book, loaded: &'a Loaded) -> Vec<&'a Reference> {
    if book.journal.absorbed.is_empty() {
        return Vec::new();
    }
    loaded.references.keys().filter(|reference| !book.references.contains_key(*reference)).collect()
}

/// Refunds whose row has to go: their purchase was merged into another, or their event was parked
/// after all; also where another event of the batch then brought a refund of the same name, which
/// gets a row of its own.
fn gone_refunds<'a>(book: &Book, loaded: &'a Loaded) -> Vec<(PurchaseId, &'a RefundName)> {
    let mut gone = Vec::new();
    for (id, names) in &loaded.refunds {
        let kept = book.purchases.get(id);
        let is_kept = |name: &RefundName| {
            let refund = kept.and_then(|purchase| purchase.refunds.get(name));
            refund.is_some_and(|refund| refund.change != Change::New)
        };
        gone.extend(names.iter().filter(|name| !is_kept(name)).map(|name| (*id, name)));
    }
    gone
}

fn lines<'a>(purchases: &[&'a Purchase]) -> Vec<purchase_line::Row<'a>> {
    let mut lines = Vec::new();
    for purchase in purchases {
        let Some(sale) = &purchase.sale else { continue };
        let row = |(no, line)| purchase_line::Row { purchase: purchase.id, no, line };
        lines.extend((0_i32..).zip(&sale.lines).map(row));
    }
    lines
}

fn parked(record: &Record) -> Option<(EventKey, &Rejection)> {
    match &record.verdict {
        Verdict::Parked(rejection) => Some((record.key, rejection)),
        Verdict::Applied(_) | Verdict::Duplicate | Verdict::Ignored | Verdict::Declined => None,
    }
}
