//! `creditd verify`: whether the books are what must always be true of them (semantics 10).
//!
//! One read-only snapshot. Each check is a statement that says in words what is broken, a row a
//! finding, and passes over its tables once; rows are counted as they stream in and only the first
//! few are kept, so memory is bounded whatever the size of the books. What purchases take back is
//! recomputed by the ledger itself (`verify/recompute.rs`).
//!
//! What purchases hold is compared with the kept messages besides (`verify/messages.rs`).

mod given_up;
mod messages;
mod recompute;
mod references;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Postgres, Transaction};

use super::ReadError;

pub use messages::{Reads, messages};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    pub size: BookSize,
    pub checks: Vec<Checked>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BookSize {
    pub accounts: i64,
    pub events: i64,
    pub entries: i64,
    pub purchases: i64,
    pub notices: i64,
}

/// One check and what is broken by it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    pub check: &'static str,
    /// What must be true.
    pub rule: &'static str,
    pub broken: u64,
    /// The first of the broken rows, each in words.
    pub findings: Vec<String>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub check: &'static str,
    /// From 1.
    pub number: usize,
    pub of: usize,
    /// Rows done so far, where a check goes row by row.
    pub rows: u64,
}

struct Check {
    name: &'static str,
    rule: &'static str,
    sql: &'static str,
}

macro_rules! checks {
    ($($name:literal: $rule:literal,)*) => {
        [$(Check {
            name: $name,
            rule: $rule,
            sql: include_str!(concat!("verify/", $name, ".sql")),
        }),*]
    };
}

const CHECKS: [Check; 24] = checks! {
    "names": "every row names an account and a unit that exist",
    "lots": "a lot holds what its entries add up to, between nothing and what was granted",
    "balances": "balance and pending are the sums of their entries, and of the lots that hold them",
    "chain": "entries are numbered without a gap and each balance follows from the one before",
    "causes": "every entry has exactly one cause, and usage took what it cost",
    "inbox": "an applied event has entries or a reason for none, and its message is kept",
    "parked": "what the inbox calls parked is on the operator's desk and was told",
    "desk": "what left the desk was released, discarded or superseded by an event that says so",
    "purchases": "a purchase has references, and lines once it is paid",
    "line_lots": "a line and the lot that was granted for it name each other",
    "lines": "what is reversed of a line is what was taken from somewhere by some event",
    "reset_marks": "the resets that are remembered were granted, and the newest is remembered",
    "revocations": "what purchases, repayments and reversals took and returned, entries moved",
    "usage_reversals": "what is reversed of usage is what its reversals say together",
    "adjustments": "who adjusted a balance and why is kept, and its entries moved as much",
    "opening_balances": "what an account began with was granted once, and no other amount",
    "notice_numbers": "an account's notices are numbered without a gap",
    "notices": "a notice has its event and account, and was confirmed after it was written",
    "movements_told": "what moved is told, and what is told moved",
    "latch_flips": "thresholds latch and let go in turn, by the balances that the entries left",
    "latch_state": "what a balance has latched is what was flipped last",
    "latches_told": "every latch has its notice, and every such notice its latch",
    "expiries_told": "a coming expiry is told by its own command, and once a lot",
    "topups_told": "what was asked for was told, each request once",
};

const ACCOUNTS: Check = Check {
    name: "accounts",
    rule: "an account is, and sets for itself, what the newest message that tells of it says",
    sql: include_str!("verify/accounts.sql"),
};

const RECOMPUTED: &str = "refunds";
const RECOMPUTED_RULE: &str = "what is reversed of a line is what its refunds say together";

impl Verified {
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|checked| checked.broken == 0)
    }

    pub fn broken(&self) -> u64 {
        self.checks.iter().fold(0, |sum, checked| sum.saturating_add(checked.broken))
    }
}

impl Checked {
    fn new(check: &'static str, rule: &'static str) -> Self {
        Self { check, rule, broken: 0, findings: Vec::new() }
    }

    /// Keeps the first `findings_max`, counts the rest.
    fn found(&mut self, finding: String, findings_max: usize) {
        self.broken = self.broken.saturating_add(1);
        if self.findings.len() < findings_max {
            self.findings.push(finding);
        }
    }
}

/// Checks the whole books in one snapshot. Of each check at most `findings_max` findings are kept
/// in words; all are counted. Safe to cancel: nothing is written.
///
/// # Errors
/// [`ReadError`] when the database does not answer. What is broken is no error.
pub async fn verify(
    pool: &PgPool,
    findings_max: usize,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Verified, ReadError> {
    run(pool, findings_max, on_progress)
        .await
        .map_err(ReadError::while_trying_to("verify the books"))
}

async fn run(
    pool: &PgPool,
    findings_max: usize,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> sqlx::Result<Verified> {
    let mut tx = snapshot(pool).await?;
    let size = size(&mut tx).await?;
    let of = CHECKS.len().saturating_add(1);
    let mut checks = Vec::with_capacity(of);
    for (check, number) in CHECKS.iter().zip(1..) {
        on_progress(Progress { check: check.name, number, of, rows: 0 });
        checks.push(check.run(&mut tx, findings_max).await?);
    }
    let mut checked = Checked::new(RECOMPUTED, RECOMPUTED_RULE);
    let mut on_rows = |rows| on_progress(Progress { check: RECOMPUTED, number: of, of, rows });
    on_rows(0);
    let keep = &mut |finding| checked.found(finding, findings_max);
    recompute::purchases(&mut tx, keep, &mut on_rows).await?;
    checks.push(checked);
    tx.rollback().await?;
    Ok(Verified { size, checks })
}

/// Compares what accounts are and set for themselves with the messages that said so. Writes nothing.
///
/// # Errors
/// [`ReadError`] when the database does not answer. What is broken is no error.
pub async fn accounts(pool: &PgPool, findings_max: usize) -> Result<Checked, ReadError> {
    let run = async {
        let mut tx = snapshot(pool).await?;
        let checked = ACCOUNTS.run(&mut tx, findings_max).await?;
        tx.rollback().await?;
        Ok(checked)
    };
    run.await.map_err(ReadError::while_trying_to("compare the accounts with their messages"))
}

/// Nothing that is written from here on is seen.
async fn snapshot(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    // Checks run as long as they run; a connection made for batches may say otherwise.
    for setting in [
        "SET LOCAL search_path = creditd, creditd_read",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
    ] {
        sqlx::query(setting).execute(&mut *tx).await?;
    }
    Ok(tx)
}

async fn size(connection: &mut PgConnection) -> sqlx::Result<BookSize> {
    let (accounts, events, entries, purchases, notices) = sqlx::query_as(
        "SELECT
             (SELECT count(*) FROM account),
             (SELECT count(*) FROM inbox),
             (SELECT count(*) FROM entry),
             (SELECT count(*) FROM purchase),
             (SELECT count(*) FROM notice)",
    )
    .fetch_one(connection)
    .await?;
    Ok(BookSize { accounts, events, entries, purchases, notices })
}

impl Check {
    async fn run(
        &self,
        connection: &mut PgConnection,
        findings_max: usize,
    ) -> sqlx::Result<Checked> {
        let mut checked = Checked::new(self.name, self.rule);
        // A value too broken to compare (a notice that is no JSON) must not hide the other checks.
        let mut savepoint = connection.begin().await?;
        let streamed = {
            let mut findings = sqlx::query_scalar::<_, String>(self.sql).fetch(&mut *savepoint);
            loop {
                match findings.try_next().await {
                    Ok(Some(finding)) => checked.found(finding, findings_max),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
        };
        if let Err(error) = streamed {
            match unreadable(&error) {
                Some(says) => {
                    checked.found(says, findings_max.max(checked.findings.len().saturating_add(1)))
                }
                None => return Err(error),
            }
        }
        savepoint.rollback().await?;
        Ok(checked)
    }
}

/// SQLSTATE class 22: the data are at fault, not the server.
fn unreadable(error: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Database(error) = error else { return None };
    error
        .code()
        .is_some_and(|code| code.starts_with("22"))
        .then(|| format!("a row can't be read, so the check stopped: {}", error.message()))
}
