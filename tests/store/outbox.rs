//! The outbox and leases, as the relay uses them.

use std::time::Duration;

use creditd::store::{OutboxCursor, PendingNotice};
use uuid::Uuid;

use crate::world::{World, pays, refund_of, request, uses};

fn told(notices: &[PendingNotice]) -> Vec<String> {
    notices
        .iter()
        .map(|notice| {
            let account = notice.account.as_ref().map_or("-", |(_, name)| &**name);
            format!("{account} {} {}", notice.sequence, notice.kind)
        })
        .collect()
}

/// All that waits, in pages of `limit`.
async fn pages(world: &World, limit: u32) -> Vec<PendingNotice> {
    let mut all: Vec<PendingNotice> = Vec::new();
    loop {
        let after: Option<OutboxCursor> = all.last().map(PendingNotice::cursor);
        let page = world.store.waiting_notices(after, limit).await.unwrap();
        let is_last = page.len() < limit as usize;
        all.extend(page);
        if is_last {
            return all;
        }
    }
}

#[tokio::test]
async fn notices_wait_account_by_account_in_sequence_until_they_are_published() {
    let world = World::new().await;
    let malformed = || {
        let reason = creditd::ledger::Reason::Malformed.because("nothing");
        creditd::ledger::Asks::Rejected(reason)
    };
    world
        .run(&[pays("p1", "ada", "inv-1", "100"), pays("p2", "bob", "inv-2", "60")])
        .await
        .unwrap();
    world
        .run(&[
            uses("u1", "bob", "20"),
            refund_of("r1", "inv-1", "5.00"),
            request("x", "?", malformed()),
            request("y", "?", malformed()),
            request("z", "?", malformed()),
        ])
        .await
        .unwrap();

    let waiting = pages(&world, 100).await;
    let mut sorted = told(&waiting);
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "- 0 event.parked",
            "- 0 event.parked",
            "- 0 event.parked",
            "ada 1 balance.credited",
            "ada 2 balance.revoked",
            "bob 1 balance.credited",
            "bob 2 balance.low",
        ]
    );
    for limit in 1..=8 {
        assert_eq!(pages(&world, limit).await, waiting, "in pages of {limit}");
    }
    assert_eq!(world.store.outbox_depth().await.unwrap().count, 7);

    let published: Vec<Uuid> = waiting.iter().take(6).map(|notice| notice.id).collect();
    world.store.mark_published(&published).await.unwrap();

    assert_eq!(pages(&world, 2).await, waiting[6..]);
    let depth = world.store.outbox_depth().await.unwrap();
    assert_eq!(depth.count, 1);
    assert!(depth.oldest.is_some_and(|age| age < Duration::from_secs(60)));
    world.store.mark_published(&[waiting[6].id]).await.unwrap();
    assert_eq!(world.store.outbox_depth().await.unwrap().oldest, None);
}

#[tokio::test]
async fn a_lease_has_one_holder_at_a_time() {
    let world = World::new().await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let long = Duration::from_secs(60);
    let lease = async |holder, ttl| world.store.lease("relay", holder, ttl).await.unwrap();

    assert!(lease(one, long).await);
    assert!(!lease(two, long).await);
    assert!(lease(one, Duration::ZERO).await, "the holder renews");
    assert!(lease(two, long).await, "an ended lease can be taken");
    assert!(!lease(one, long).await);
    world.store.release("relay", one).await.unwrap();
    assert!(!lease(one, long).await, "only the holder lets go");
    world.store.release("relay", two).await.unwrap();
    assert!(lease(one, long).await);
}
