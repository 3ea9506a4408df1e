//! Rebuilds what purchases hold from the messages that the inbox keeps (semantics 10.5), in one pass
//! over the inbox: every applied payment has its lines, every refund, void and dispute is remembered as it
//! was stated, all references of one event lead to one purchase, what was charged beyond the lines
//! is known, and no reference is there that no event names.
//!
//! Balances and lots are rebuilt from entries by other checks; applied plain usage keeps no
//! message, its row tells (see `causes.sql`). Reading a message needs no price, so no catalog.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgPool, PgRow};

use super::given_up::GivenUp;
use super::recompute::{column, read_line, read_refund};
use super::references::unnamed;
use super::{Checked, Progress, snapshot};
use crate::ledger::{
    Asks, Command, Line, Payment, PaymentRecord, Reference, ReferenceKind, Refund, RefundClaim,
    RefundName, RefundRecord, Request,
};
use crate::store::ReadError;

/// Reads a kept message, its body and properties, as the daemon would; `None`: it can't be.
pub type Reads<'a> = dyn Fn(Vec<u8>, Option<&str>) -> Option<Request> + Send + Sync + 'a;

pub(super) const CHECK: &str = "messages";
const RULE: &str = "purchases hold what the kept messages of applied events say";

/// Compares all purchases with the messages that made them, in one snapshot. Writes nothing.
///
/// # Errors
/// [`ReadError`] when the database does not answer. What is broken is no error.
pub async fn messages(
    pool: &PgPool,
    findings_max: usize,
    reads: &Reads<'_>,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Checked, ReadError> {
    let mut checked = Checked::new(CHECK, RULE);
    let mut found = |finding| checked.found(finding, findings_max);
    run(pool, reads, &mut found, on_progress)
        .await
        .map_err(ReadError::while_trying_to("compare the purchases with their messages"))?;
    Ok(checked)
}

async fn run(
    pool: &PgPool,
    reads: &Reads<'_>,
    found: &mut (dyn FnMut(String) + Send),
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> sqlx::Result<()> {
    let mut tx = snapshot(pool).await?;
    let mut rows = 0_u64;
    let mut given_up = GivenUp::default();
    sqlx::query(KEPT).execute(&mut *tx).await?;
    loop {
        on_progress(Progress { check: CHECK, number: 1, of: 1, rows });
        let kept = page(&mut tx).await?;
        if kept.is_empty() {
            break;
        }
        let mut told = Vec::new();
        for row in &kept {
            match read(row, reads) {
                Ok(event) => told.push(event),
                Err(says) => found(says),
            }
        }
        for (owner, missing, event) in compare(&mut tx, &told, found).await? {
            if !given_up.has(&mut tx, reads, owner, &missing).await? {
                found(format!("{event} takes back of its purchase, which does not remember it"));
            }
        }
        rows = rows.saturating_add(u64::try_from(kept.len()).unwrap_or(u64::MAX));
    }
    unnamed(&mut tx, reads, found).await?;
    tx.rollback().await
}

/// Pages by key would each be looked for anew, and the planner may read the whole inbox for one.
const KEPT: &str = "
    DECLARE kept NO SCROLL CURSOR FOR
    SELECT source, id, reason, body, properties::TEXT AS properties
    FROM inbox
    WHERE outcome = 'applied' AND body IS NOT NULL
        AND type IN ('payment.succeeded', 'invoice.refunded', 'invoice.voided',
            'payment.disputed')";

/// As many messages as are held in memory at a time.
async fn page(tx: &mut PgConnection) -> sqlx::Result<Vec<PgRow>> {
    sqlx::query("FETCH 1000 FROM kept").fetch_all(tx).await
}

/// An event of a purchase.
pub(super) struct Told {
    name: String,
    pub(super) command: Command,
    /// It moved nothing itself: it waited, or only told a status.
    is_idle: bool,
}

pub(super) fn read(row: &PgRow, reads: &Reads<'_>) -> Result<Told, String> {
    let name = format!("{}/{}", column::<String>(row, "source")?, column::<String>(row, "id")?);
    let properties: Option<String> = column(row, "properties")?;
    let reason: Option<String> = column(row, "reason")?;
    let is_idle = matches!(reason.as_deref(), Some("waiting" | "unsettled"));
    let request = reads(column(row, "body")?, properties.as_deref());
    match request.map(|request| request.asks) {
        Some(Asks::Command(command)) => Ok(Told { name, command, is_idle }),
        Some(Asks::Rejected(rejection)) => {
            Err(format!("the kept message of {name} would be refused: {rejection}"))
        }
        Some(Asks::Nothing | Asks::Noted) | None => {
            Err(format!("the kept message of {name} can't be read"))
        }
    }
}

impl Told {
    pub(super) fn references(&self) -> &[Reference] {
        if let Command::Pay(payment) = &self.command {
            &payment.references
        } else if let Command::Refund(refund) = &self.command {
            &refund.references
        } else {
            &[] // another type under that name: nothing to compare
        }
    }
}

/// What a purchase holds by now.
#[derive(Default)]
struct Holds {
    account: Option<String>,
    /// In the order of their numbers.
    lines: Vec<Line>,
    payments: Vec<PaymentRecord>,
    refunds: BTreeMap<RefundName, RefundRecord>,
}

/// A purchase, a refund that it may have been right to forget, and the event that told of it.
type Missing = (i64, RefundName, String);

async fn compare(
    tx: &mut PgConnection,
    told: &[Told],
    found: &mut (dyn FnMut(String) + Send),
) -> sqlx::Result<Vec<Missing>> {
    let mut missing = Vec::new();
    let known = known(tx, told).await?;
    let ids: Vec<i64> = known.values().copied().collect::<BTreeSet<i64>>().into_iter().collect();
    let holds = holds(tx, &ids, found).await?;
    for event in told {
        let name = &event.name;
        let mut owners = BTreeSet::new();
        for reference in event.references() {
            match known.get(reference) {
                Some(id) => drop(owners.insert(*id)),
                None => found(format!("{name} names {reference}, which no purchase has")),
            }
        }
        let mut owners = owners.into_iter();
        let (Some(owner), None) = (owners.next(), owners.next()) else {
            if !event.references().is_empty() {
                found(format!("the references of {name} lead to no purchase, or to several"));
            }
            continue;
        };
        let Some(purchase) = holds.get(&owner) else { continue };
        if let Command::Pay(payment) = &event.command {
            purchase.must_hold_payment(payment, name, found);
        } else if let Command::Refund(refund) = &event.command {
            if event.is_idle && purchase.has_forgotten(&refund.name) {
                missing.push((owner, refund.name.clone(), name.clone()));
            } else {
                purchase.must_hold_refund(refund, name, found);
            }
        }
    }
    Ok(missing)
}

pub(super) async fn known(
    tx: &mut PgConnection,
    told: &[Told],
) -> sqlx::Result<HashMap<Reference, i64>> {
    let wanted: BTreeSet<&Reference> = told.iter().flat_map(Told::references).collect();
    let texts = |part: fn(&Reference) -> &str| -> Vec<&str> {
        wanted.iter().map(|reference| part(reference)).collect()
    };
    let rows = sqlx::query(
        "SELECT namespace, kind, value, purchase_id
         FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS wanted (namespace, kind, value)
         JOIN purchase_reference USING (namespace, kind, value)",
    )
    .bind(texts(|reference| &reference.namespace))
    .bind(texts(|reference| reference.kind.code()))
    .bind(texts(|reference| &reference.value))
    .fetch_all(tx)
    .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in &rows {
        let kind: &str = row.try_get("kind")?;
        let Some(kind) = ReferenceKind::from_code(kind) else { continue };
        let namespace = row.try_get::<&str, _>("namespace")?.into();
        let value = row.try_get::<&str, _>("value")?.into();
        known.insert(Reference { namespace, kind, value }, row.try_get("purchase_id")?);
    }
    Ok(known)
}

async fn holds(
    tx: &mut PgConnection,
    ids: &[i64],
    found: &mut (dyn FnMut(String) + Send),
) -> sqlx::Result<HashMap<i64, Holds>> {
    let mut holds: HashMap<i64, Holds> = HashMap::with_capacity(ids.len());
    let owners = sqlx::query(
        "SELECT purchase_id, account.name, payments::TEXT AS payments
         FROM purchase
         LEFT JOIN account USING (account_id)
         WHERE purchase_id = ANY ($1)",
    );
    for row in owners.bind(ids).fetch_all(&mut *tx).await? {
        let payments = serde_json::from_str(row.try_get("payments")?).unwrap_or_default();
        let purchase = Holds { account: row.try_get("name")?, payments, ..Holds::default() };
        holds.insert(row.try_get("purchase_id")?, purchase);
    }
    let lines = sqlx::query(
        "SELECT *, terms::TEXT AS terms_text FROM purchase_line WHERE purchase_id = ANY ($1)
         ORDER BY purchase_id, line_no",
    );
    for row in lines.bind(ids).fetch_all(&mut *tx).await? {
        match (holds.get_mut(&row.try_get("purchase_id")?), read_line(&row)) {
            (Some(purchase), Ok(line)) => purchase.lines.push(line),
            (None, _) => {}
            (Some(_), Err(says)) => found(format!("a line can't be read: {says}")),
        }
    }
    let refunds =
        sqlx::query("SELECT *, claim::TEXT AS claim_text FROM refund WHERE purchase_id = ANY ($1)");
    for row in refunds.bind(ids).fetch_all(&mut *tx).await? {
        match (holds.get_mut(&row.try_get("purchase_id")?), read_refund(&row)) {
            (Some(purchase), Ok((name, refund))) => {
                purchase.refunds.insert(name, refund);
            }
            (None, _) => {}
            (Some(_), Err(says)) => found(format!("a refund can't be read: {says}")),
        }
    }
    Ok(holds)
}

impl Holds {
    fn must_hold_payment(
        &self,
        payment: &Payment,
        name: &str,
        found: &mut (dyn FnMut(String) + Send),
    ) {
        if self.account.as_deref() != Some(&*payment.account) {
            found(format!("{name} paid for {}, its purchase is another's", payment.account));
        }
        let mut named = BTreeSet::new();
        for (line, number) in payment.lines.iter().zip(0_usize..) {
            // Lines that are equal are told apart by their order.
            let is_next =
                |(at, kept): &(usize, &Line)| kept.facts == line.facts && !named.contains(at);
            match self.lines.iter().enumerate().find(is_next) {
                Some((at, _)) => drop(named.insert(at)),
                None => found(format!("line {number} of {name} is none of its purchase's lines")),
            }
        }
        if named.len() == payment.lines.len() && !self.remembers(payment, &named) {
            found(format!("{name} charged another total than its purchase remembers"));
        }
    }

    /// Whether a payment of these lines is known with what it charged beyond them. One whose lines
    /// another has named together with more of them adds nothing.
    fn remembers(&self, payment: &Payment, named: &BTreeSet<usize>) -> bool {
        let lines: i64 = payment.lines.iter().map(|line| line.facts.paid_minor).sum();
        let surplus = payment.paid_minor.unwrap_or(lines).saturating_sub(lines);
        self.payments.iter().any(|kept| {
            named.iter().all(|line| kept.lines.contains(line))
                && (kept.lines.len() > named.len() || kept.surplus_minor == surplus)
        })
    }

    /// Of a refund that several events can tell of, a later one may have been parked or given up,
    /// and the refund with it.
    fn has_forgotten(&self, refund: &RefundName) -> bool {
        matches!(refund, RefundName::Id(_)) && !self.refunds.contains_key(refund)
    }

    fn must_hold_refund(
        &self,
        refund: &Refund,
        name: &str,
        found: &mut (dyn FnMut(String) + Send),
    ) {
        let Some(kept) = self.refunds.get(&refund.name) else {
            found(format!("{name} takes back of its purchase, which does not remember it"));
            return;
        };
        let claim = with_time_of(refund.claim.clone(), &kept.claim);
        if !kept.claims_the_same(&claim, refund.currency, None) || kept.status < refund.status {
            found(format!("{name} is remembered by its purchase with another amount or status"));
        }
    }
}

/// A dispute's report takes the time of its event over only when it is decided.
fn with_time_of(claim: RefundClaim, kept: &RefundClaim) -> RefundClaim {
    match (claim, kept) {
        (RefundClaim::Dispute(mut report), RefundClaim::Dispute(kept)) => {
            report.said_at = kept.said_at;
            RefundClaim::Dispute(report)
        }
        (claim, _) => claim,
    }
}
