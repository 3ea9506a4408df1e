//! The same thing told again, at once, in any order: once in effect.

use crate::events::{payment, refund, refund_total, usage};
use crate::world::{World, until};

#[tokio::test]
async fn the_same_message_five_times_on_two_daemons_at_once_applies_once() {
    let mut world = World::new().await;
    // One message at a time each, so that both have copies in hand at the same moment.
    let alone = [("BROKER__PREFETCH", "1"), ("INTAKE__BATCH_MAX", "1")];
    let (first, second) = (world.daemon_with(&alone).await, world.daemon_with(&alone).await);
    let payments: Vec<String> =
        (0..40).map(|n| payment(&format!("p-{n}"), "ada", &format!("in-{n}"))).collect();
    let five_times: Vec<String> =
        payments.iter().flat_map(|payment| vec![payment.clone(); 5]).collect();

    world.publish(&five_times).await;
    until("all copies to be settled", async || first.settled() + second.settled() == 200).await;

    assert_eq!(first.said(&["applied"]) + second.said(&["applied"]), 40);
    assert_eq!(first.said(&["duplicate"]) + second.said(&["duplicate"]), 160);
    assert!(first.settled() > 0 && second.settled() > 0, "only one of the daemons had work");
    assert_eq!(world.balance("ada").await, (40 * 15_000, 0));
    assert_eq!(world.count("SELECT count(*) FROM entry").await, 40);
    world.all_told().await;
    assert_eq!(world.subscriber.distinct(), 40);
    first.stop().await;
    second.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn two_event_ids_for_one_invoice_grant_once_on_two_daemons_at_once() {
    let world = World::new().await;
    let alone = [("BROKER__PREFETCH", "1"), ("INTAKE__BATCH_MAX", "1")];
    let (first, second) = (world.daemon_with(&alone).await, world.daemon_with(&alone).await);
    let mut events = Vec::new();
    for n in 0..50 {
        let (account, invoice) = (format!("a-{n}"), format!("in-{n}"));
        events.push(payment(&format!("{n}-one"), &account, &invoice));
        events.push(payment(&format!("{n}-two"), &account, &invoice));
    }

    world.publish(&events).await;
    world.until_known(100).await;

    assert!(first.settled() > 0 && second.settled() > 0, "only one of the daemons had work");
    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE outcome = 'applied'").await, 50);
    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE outcome = 'duplicate'").await, 50);
    assert_eq!(world.count("SELECT count(*) FROM balance WHERE balance = 15000").await, 50);
    assert_eq!(world.count("SELECT count(*) FROM lot").await, 50);
    first.stop().await;
    second.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn every_order_of_payment_refunds_and_usage_ends_in_the_same_balance() {
    let world = World::new().await;
    let mut events = Vec::new();
    let orders = orders(&[0, 1, 2, 3]);
    for (n, order) in orders.iter().enumerate() {
        let (account, invoice) = (format!("a-{n}"), format!("in-{n}"));
        let of_one = [
            payment(&format!("{n}-paid"), &account, &invoice),
            refund(&format!("{n}-part"), &invoice, "11.11"),
            refund_total(&format!("{n}-total"), &invoice, "44.44"),
            usage(&format!("{n}-used"), &account, 10_000),
        ];
        events.extend(order.iter().map(|index| of_one[*index].clone()));
    }
    assert_eq!(orders.len(), 24);

    world.publish(&events).await;
    let daemon = world.daemon().await;
    world.until_known(96).await;

    // $44.44 of $100 take 66.66 of 150 credits back, and 100 are used.
    let ends = world.texts("SELECT DISTINCT concat_ws(' ', balance, overdraft) FROM balance").await;
    assert_eq!(ends, ["-1666 1666"]);
    let lines =
        "SELECT DISTINCT concat_ws(' ', granted, reversed, reversed_minor) FROM purchase_line";
    assert_eq!(world.texts(lines).await, ["15000 6666 4444"]);
    assert_eq!(world.count("SELECT count(*) FROM balance").await, 24);
    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE outcome <> 'applied'").await, 0);
    daemon.stop().await;
    world.proves().await;
}

/// Every order of a few things.
fn orders(things: &[usize]) -> Vec<Vec<usize>> {
    if things.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in things.iter().enumerate() {
        let rest = [&things[..index], &things[index + 1..]].concat();
        for order in orders(&rest) {
            all.push([&[*first], &order[..]].concat());
        }
    }
    all
}
