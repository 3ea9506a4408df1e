//! Two daemons at once.

use std::time::Duration;

use creditd::ledger::{AppliedReason, Asks, Reason, RefundClaim, RefundStatus, Verdict};
use creditd::store::StoreError;

use crate::world::{
    World, arrivals, invoice, pays, refund_of, refunds, request, reverses, uses, wires,
};

/// Waits until a statement waits for a lock that another transaction holds.
async fn until_someone_waits(world: &World) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while world.count(waiting).await == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn verdicts(records: &[creditd::ledger::Record]) -> Vec<Verdict> {
    records.iter().map(|record| record.verdict.clone()).collect()
}

#[tokio::test]
async fn one_invoice_under_two_ids_in_two_batches_at_once_grants_once() {
    let world = World::new().await;
    world.run(&[uses("u0", "ada", "0.01")]).await.unwrap();
    let (first, second) = ([pays("p1", "ada", "inv", "100")], [pays("p2", "ada", "inv", "100")]);

    let (one, two) = tokio::join!(world.run(&first), world.run(&second));

    let mut outcomes = [verdicts(&one.unwrap()), verdicts(&two.unwrap())].concat();
    outcomes.sort_by_key(Verdict::outcome);
    assert_eq!(outcomes, [Verdict::Applied(None), Verdict::Duplicate]);
    assert_eq!(world.count("SELECT balance FROM balance").await, 9_999);
}

#[tokio::test]
async fn one_invoice_that_opens_its_account_in_two_batches_at_once_grants_once() {
    let world = World::new().await;
    let (first, second) = ([pays("p1", "ada", "inv", "100")], [pays("p2", "ada", "inv", "100")]);

    let (one, two) = tokio::join!(world.run(&first), world.run(&second));

    let mut outcomes = [verdicts(&one.unwrap()), verdicts(&two.unwrap())].concat();
    outcomes.sort_by_key(Verdict::outcome);
    assert_eq!(outcomes, [Verdict::Applied(None), Verdict::Duplicate]);
    assert_eq!(world.count("SELECT count(*) FROM account").await, 1);
}

#[tokio::test]
async fn the_same_event_in_two_batches_at_once_applies_once() {
    let world = World::new().await;
    world.run(&[pays("p1", "ada", "inv", "100")]).await.unwrap();
    let requests = [uses("u1", "ada", "10")];
    let arrivals = arrivals(&requests);
    let mut first = world.store.open_batch(&arrivals).await.unwrap();
    let rest = async {
        until_someone_waits(&world).await;
        world.decide(&mut first, &requests);
        first.commit(&arrivals, &[]).await
    };

    let (second, first) = tokio::join!(world.run(&requests), rest);

    first.unwrap();
    let error = second.unwrap_err();
    assert!(error.is_transient() && error.is_overtaken(), "{error:?}");
    assert!(!error.is_about_an_event());
    assert_eq!(verdicts(&world.run(&requests).await.unwrap()), [Verdict::Duplicate]);
    assert_eq!(world.count("SELECT balance FROM balance").await, 9_000);
}

/// Its notice has a key of its own, whose race would pass for a refusal.
#[tokio::test]
async fn the_same_parked_event_in_two_batches_at_once_is_lost_at_the_inbox() {
    let world = World::new().await;
    let rejection = Asks::Rejected(Reason::UnknownType.because("x"));
    let requests = [request("x1", "x", rejection)];
    let arrivals = arrivals(&requests);
    let mut late = world.store.open_batch(&arrivals).await.unwrap();
    world.decide(&mut late, &requests);
    let wires = wires(&late.book);
    assert_eq!(wires.len(), 1);

    world.run(&requests).await.unwrap();
    let error = late.commit(&arrivals, &wires).await.unwrap_err();

    assert!(error.is_overtaken() && !error.is_about_an_event(), "{error:?}");
    assert_eq!(world.count("SELECT count(*) FROM parked").await, 1);
}

#[tokio::test]
async fn two_refunds_that_wait_for_one_invoice_meet_at_its_reference() {
    let world = World::new().await;
    let first = [refund_of("r1", "inv", "10.00")];
    let second = [refund_of("r2", "inv", "15.00")];
    let arrivals = arrivals(&first);
    let mut batch = world.store.open_batch(&arrivals).await.unwrap();
    world.decide(&mut batch, &first);

    world.run(&second).await.unwrap();
    let error = batch.commit(&arrivals, &[]).await.unwrap_err();

    assert!(error.is_transient() && error.is_overtaken(), "{error:?}");
    world.run(&first).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM purchase").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM refund").await, 2);
}

#[tokio::test]
async fn a_refund_that_meets_its_payment_starts_again_and_finds_the_account() {
    let world = World::new().await;
    world.run(&[refund_of("r1", "inv", "10.00")]).await.unwrap();
    let payment = [pays("p1", "ada", "inv", "100")];
    let arrivals = arrivals(&payment);
    let mut batch = world.store.open_batch(&arrivals).await.unwrap();
    let rest = async {
        until_someone_waits(&world).await;
        world.decide(&mut batch, &payment);
        let wires = wires(&batch.book);
        batch.commit(&arrivals, &wires).await
    };

    let refund =
        [refunds("r2", vec![invoice("inv")], "r2", RefundClaim::Full, RefundStatus::Succeeded)];
    let (refunded, paid) = tokio::join!(world.run(&refund), rest);

    paid.unwrap();
    assert_eq!(verdicts(&refunded.unwrap()), [Verdict::Applied(None)]);
    assert_eq!(world.count("SELECT balance FROM balance").await, 0);
}

#[tokio::test]
async fn a_reversal_that_meets_its_usage_waits_until_that_is_written() {
    let world = World::new().await;
    let usage = [uses("u1", "ada", "10")];
    let arrivals = arrivals(&usage);
    let mut batch = world.store.open_batch(&arrivals).await.unwrap();
    let rest = async {
        until_someone_waits(&world).await;
        world.decide(&mut batch, &usage);
        let wires = wires(&batch.book);
        batch.commit(&arrivals, &wires).await
    };

    let reversal = [reverses("v1", "u1", None)];
    let (reversed, used) = tokio::join!(world.run(&reversal), rest);

    used.unwrap();
    assert_eq!(verdicts(&reversed.unwrap()), [Verdict::Applied(None)]);
    assert_eq!(world.count("SELECT balance FROM balance").await, 0);
}

#[tokio::test]
async fn usage_that_meets_its_reversal_waits_until_that_is_remembered() {
    let world = World::new().await;
    let reversal = [reverses("v1", "u1", None)];
    let arrivals = arrivals(&reversal);
    let mut batch = world.store.open_batch(&arrivals).await.unwrap();
    let rest = async {
        until_someone_waits(&world).await;
        world.decide(&mut batch, &reversal);
        batch.commit(&arrivals, &[]).await
    };

    let usage = [uses("u1", "ada", "10")];
    let (used, reversed) = tokio::join!(world.run(&usage), rest);

    reversed.unwrap();
    assert_eq!(verdicts(&used.unwrap()), [Verdict::Applied(None)]);
    assert_eq!(world.count("SELECT balance FROM balance").await, 0);
}

#[tokio::test]
async fn two_reversals_of_one_usage_at_once_give_back_no_more_than_all() {
    let world = World::new().await;
    world.run(&[uses("u1", "ada", "10")]).await.unwrap();
    let (first, second) = ([reverses("v1", "u1", Some("2"))], [reverses("v2", "u1", Some("2"))]);

    let (one, two) = tokio::join!(world.run(&first), world.run(&second));

    one.unwrap();
    two.unwrap();
    assert_eq!(world.count("SELECT balance FROM balance").await, 0);
    assert_eq!(world.count("SELECT sum(credits) FROM usage_reversal").await, 1_000);
}

#[tokio::test]
async fn two_reversals_at_once_before_their_usage_both_wait() {
    let world = World::new().await;
    let (first, second) = ([reverses("v1", "u1", Some("1"))], [reverses("v2", "u1", Some("1"))]);

    let (one, two) = tokio::join!(world.run(&first), world.run(&second));

    one.unwrap();
    two.unwrap();
    world.run(&[uses("u1", "ada", "10")]).await.unwrap();
    assert_eq!(world.count("SELECT balance FROM balance").await, -200);
}

#[tokio::test]
async fn a_batch_that_is_dropped_leaves_nothing_and_keeps_no_lock() {
    let world = World::new().await;
    let requests = [pays("p1", "ada", "inv", "100"), refund_of("r1", "other", "1.00")];
    let mut batch = world.store.open_batch(&arrivals(&requests)).await.unwrap();
    world.decide(&mut batch, &requests);

    drop(batch);

    let records = world.run(&requests).await.unwrap();
    let waiting = Verdict::Applied(Some(AppliedReason::Waiting));
    assert_eq!(verdicts(&records), [Verdict::Applied(None), waiting]);
    assert_eq!(world.count("SELECT count(*) FROM inbox").await, 2);
}

#[tokio::test]
async fn a_batch_decided_in_another_order_is_refused() {
    let world = World::new().await;
    let requests = [uses("u1", "ada", "1"), uses("u2", "ada", "2")];
    let arrivals = arrivals(&requests);
    let mut batch = world.store.open_batch(&arrivals).await.unwrap();
    let turned = [requests[1].clone(), requests[0].clone()];
    world.decide(&mut batch, &turned);

    let error = batch.commit(&arrivals, &[]).await.unwrap_err();

    assert!(matches!(error, StoreError::Internal { .. }), "{error:?}");
}

/// Rows are written where they were read, which only a hand beside the daemon can make wrong.
#[tokio::test]
async fn a_row_that_somebody_moved_by_hand_is_not_written_until_it_is_read_again() {
    for by_hand in ["UPDATE lot SET warned = true", "UPDATE balance SET peak = peak + 1"] {
        let world = World::new().await;
        world.run(&[pays("p1", "ada", "inv", "100")]).await.unwrap();
        let requests = [uses("u1", "ada", "10")];
        let arrivals = arrivals(&requests);
        let mut batch = world.store.open_batch(&arrivals).await.unwrap();
        world.alter(by_hand).await;
        world.decide(&mut batch, &requests);

        let error = batch.commit(&arrivals, &[]).await.unwrap_err();

        assert!(error.is_transient() && error.is_overtaken(), "{error:?}");
        assert_eq!(world.count("SELECT balance FROM balance").await, 10_000);
        assert_eq!(verdicts(&world.run(&requests).await.unwrap()), [Verdict::Applied(None)]);
        assert_eq!(world.count("SELECT remaining FROM lot").await, 9_000);
    }
}
