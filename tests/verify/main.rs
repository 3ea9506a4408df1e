//! `creditd verify` (semantics 10): sound books pass, and each way of breaking them is named.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod accounts;
mod books;
mod messages;
mod purchases;
#[path = "../common/reading_database.rs"]
mod reading_database;
mod telling;
mod usages;

use creditd::cli;
use creditd::store::verify::{Progress, Verified, verify};
use reading_database::{corrupt, with_books};
use sqlx::PgPool;

async fn verified(pool: &PgPool) -> Verified {
    verify(pool, 20, &mut |_: Progress| {}).await.unwrap()
}

/// The books with `corruption` in them: `check` finds exactly `findings`.
pub(crate) async fn check(corruption: &str, check: &str, findings: &[&str]) {
    with_books(async |pool| {
        corrupt(&pool, corruption).await;

        let verified = verified(&pool).await;

        assert!(!verified.is_sound());
        let found = verified.checks.iter().find(|checked| checked.check == check).unwrap();
        let rest = || verified.checks.iter().flat_map(|checked| &checked.findings);
        // A check has no order of its own: sorting millions of sound rows would buy nothing.
        let sorted = |mut rows: Vec<String>| {
            rows.sort();
            rows
        };
        let expected = sorted(findings.iter().map(|finding| (*finding).to_owned()).collect());
        assert_eq!(
            sorted(found.findings.clone()),
            expected,
            "all findings: {:#?}",
            rest().collect::<Vec<_>>()
        );
        assert_eq!(found.broken, u64::try_from(findings.len()).unwrap());
    })
    .await;
}

/// The books after a change that breaks nothing.
pub(crate) async fn sound(change: &str) {
    with_books(async |pool| {
        corrupt(&pool, change).await;

        let verified = verified(&pool).await;

        let findings: Vec<_> = verified.checks.iter().flat_map(|c| &c.findings).collect();
        assert!(verified.is_sound(), "{findings:#?}");
    })
    .await;
}

#[tokio::test]
async fn sound_books_pass_every_check() {
    with_books(async |pool| {
        let mut seen = Vec::new();

        let verified =
            verify(&pool, 20, &mut |progress: Progress| seen.push(progress)).await.unwrap();

        assert_eq!(verified.checks.iter().flat_map(|c| &c.findings).next(), None);
        assert!(verified.is_sound());
        assert_eq!(seen.first().map(|progress| progress.check), Some("names"));
        let last = seen.last().unwrap();
        assert_eq!((last.check, last.rows, last.number), ("refunds", 4, last.of));
        let text = cli::verify::render(&verified);
        let over = "checks over 2 accounts, 12 events, 13 entries, 5 purchases, 11 notices\n";
        assert_eq!(text, format!("the books are sound: {} {over}", verified.checks.len()));
    })
    .await;
}

#[tokio::test]
async fn verify_writes_nothing_and_leaves_the_connection_as_it_was() {
    with_books(async |pool| {
        verified(&pool).await;

        let mut connection = pool.acquire().await.unwrap();
        let path: String =
            sqlx::query_scalar("SHOW search_path").fetch_one(&mut *connection).await.unwrap();
        assert_eq!(path, "\"$user\", public");
    })
    .await;
}

#[tokio::test]
async fn only_the_first_findings_are_named_and_the_rest_counted() {
    with_books(async |pool| {
        corrupt(&pool, "UPDATE notice SET published_at = recorded_at - INTERVAL '1 day'").await;

        let verified = verify(&pool, 2, &mut |_: Progress| {}).await.unwrap();

        let notices = verified.checks.iter().find(|checked| checked.check == "notices").unwrap();
        assert_eq!((notices.broken, notices.findings.len()), (11, 2));
        let text = cli::verify::render(&verified);
        assert!(text.contains("\n  and 9 more\n"), "{text}");
        assert!(text.contains("the books are broken: 11 findings in "), "{text}");
    })
    .await;
}

#[tokio::test]
async fn the_json_of_verify_is_stable() {
    with_books(async |pool| {
        corrupt(&pool, "UPDATE lot SET forfeited = 1 WHERE lot_no = 2 AND unit = 'WRD'").await;

        let json = serde_json::to_value(verified(&pool).await).unwrap();

        assert_eq!(
            json["size"],
            serde_json::json!({
                "accounts": 2, "events": 12, "entries": 13, "purchases": 5, "notices": 11
            })
        );
        assert_eq!(
            json["checks"][1],
            serde_json::json!({
                "check": "lots",
                "rule": "a lot holds what its entries add up to, between nothing and what was \
                         granted",
                "broken": 1,
                "findings": ["lot globex/WRD/2: forfeited 1 but its entries forfeited 0"]
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_notice_that_is_no_json_does_not_hide_the_other_checks() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "UPDATE notice SET data = 'oh' WHERE account = 'acme' AND sequence = 1;
             UPDATE balance SET depleted = false WHERE unit = 'CRD'",
        )
        .await;

        let verified = verified(&pool).await;

        let broken: Vec<&String> =
            verified.checks.iter().flat_map(|checked| &checked.findings).collect();
        assert_eq!(
            broken,
            [
                "a row can't be read, so the check stopped: invalid input syntax for type json",
                "balance acme/CRD: depletion was latched last, but the balance does not say so",
            ]
        );
    })
    .await;
}
