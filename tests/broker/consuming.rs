use creditd::broker::{BrokerError, BrokerSettings, Outgoing, Subscription, ensure_topology};
use creditd::event::Header;
use futures_util::FutureExt as _;
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};

use crate::world::{World, bodies, gather_all, numbered, raw_channel, within};

#[tokio::test]
async fn a_batch_is_what_is_there_at_once() {
    let world = World::declared().await;
    world.publish(numbered(50)).await;

    // What has crossed the network by the first look is not ours to decide, so look again until
    // all of it has. A batch of one at a time would never be all of it.
    let together = async {
        loop {
            let mut subscription = world.subscription().await;
            world.wait_for_ready(0).await;
            let batch = subscription.gather(100).await.unwrap();
            subscription.close().await;
            if batch.len() == 50 {
                return batch;
            }
        }
    };

    assert_eq!(bodies(&within(together).await), numbered(50));
}

#[tokio::test]
async fn a_batch_is_never_more_than_its_maximum() {
    let world = World::declared().await;
    world.publish(numbered(10)).await;
    let mut subscription = world.subscription().await;
    world.wait_for_ready(0).await;

    let mut all = Vec::new();
    while all.len() < 10 {
        let batch = within(subscription.gather(4)).await.unwrap();
        assert!((1..=4).contains(&batch.len()), "{}", batch.len());
        all.extend(batch);
    }

    assert_eq!(bodies(&all), numbered(10));
    assert_eq!(all.last().unwrap().tag, 10);
}

#[tokio::test]
async fn a_batch_does_not_wait_to_fill_up() {
    let world = World::declared().await;
    let mut subscription = world.subscription().await;
    world.publish(["alone".to_owned()]).await;

    let batch = within(subscription.gather(500)).await.unwrap();

    assert_eq!(bodies(&batch), ["alone"]);
}

#[tokio::test]
async fn giving_up_on_a_wait_loses_nothing() {
    let world = World::declared().await;
    let mut subscription = world.subscription().await;
    assert!(subscription.gather(10).now_or_never().is_none());
    world.publish(numbered(3)).await;

    let all = gather_all(&mut subscription, 3).await;

    assert_eq!(bodies(&all), numbered(3));
}

/// Only the prefetch bounds lapin's buffer.
#[tokio::test]
async fn no_more_than_the_prefetch_is_out_at_a_time() {
    let world = World::declared().await;
    let settings = BrokerSettings { prefetch: 5, ..world.settings.clone() };
    world.publish(numbered(20)).await;

    let mut subscription = Subscription::open(&settings).await.unwrap();
    let first = gather_all(&mut subscription, 5).await;

    world.wait_for_ready(15).await;
    assert!(subscription.gather(10).now_or_never().is_none());
    subscription.settler().ack_through(first[4].tag).await.unwrap();
    assert_eq!(bodies(&gather_all(&mut subscription, 5).await), &numbered(10)[5..]);
    world.wait_for_ready(10).await;
}

#[tokio::test]
async fn acknowledging_a_covered_tag_again_does_not_kill_the_channel() {
    let world = World::declared().await;
    world.publish(numbered(4)).await;
    let mut subscription = world.subscription().await;
    let batch = gather_all(&mut subscription, 4).await;
    let settler = subscription.settler();

    settler.ack_through(batch[2].tag).await.unwrap();
    settler.ack_through(batch[2].tag).await.unwrap();
    settler.ack_through(batch[0].tag).await.unwrap();
    settler.ack_through(0).await.unwrap();

    // The channel is alive: it takes the next acknowledgement, and brings what comes later.
    settler.ack_through(batch[3].tag).await.unwrap();
    world.publish(["later".to_owned()]).await;
    assert_eq!(bodies(&within(subscription.gather(10)).await.unwrap()), ["later"]);
}

/// The broker closes the channel when the tag that it is to acknowledge through is not open, even
/// if others before it are.
#[tokio::test]
async fn a_batch_that_ends_in_a_dead_letter_can_be_acknowledged() {
    let world = World::declared().await;
    world.publish(numbered(3)).await;
    let mut subscription = world.subscription().await;
    let batch = gather_all(&mut subscription, 3).await;
    let settler = subscription.settler();

    settler.dead_letter(batch[2].tag).await.unwrap();
    settler.ack_through(batch[2].tag).await.unwrap();

    world.publish(["later".to_owned()]).await;
    assert_eq!(bodies(&within(subscription.gather(10)).await.unwrap()), ["later"]);
    assert_eq!(bodies(&gather_all(&mut world.graveyard().await, 1).await), ["event 2"]);
}

#[tokio::test]
async fn a_dead_letter_arrives_in_the_dead_queue_as_it_was() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;
    let sent = Outgoing {
        routing_key: "payment.succeeded".to_owned(),
        kind: Some("payment.succeeded".to_owned()),
        content_type: Some("application/json".to_owned()),
        app_id: Some("shop".to_owned()),
        headers: vec![("event-id".to_owned(), "evt-7".to_owned())],
        body: b"{\"not\": json, \xff".to_vec(),
        ..world.event("m-1", "")
    };
    publisher.publish(std::slice::from_ref(&sent)).await.unwrap();
    let mut subscription = world.subscription().await;
    let batch = gather_all(&mut subscription, 1).await;

    subscription.settler().dead_letter(batch[0].tag).await.unwrap();
    subscription.settler().dead_letter(batch[0].tag).await.unwrap();

    let dead = gather_all(&mut world.graveyard().await, 1).await.remove(0).message;
    assert_eq!(dead.body, sent.body);
    assert_eq!(dead.routing_key, sent.routing_key);
    assert_eq!(dead.kind, sent.kind);
    assert_eq!(dead.content_type, sent.content_type);
    assert_eq!(dead.app_id, sent.app_id);
    assert_eq!(dead.header_text("event-id"), Some("evt-7"));
    // Saying it twice did not kill the channel.
    world.publish(["later".to_owned()]).await;
    assert_eq!(bodies(&within(subscription.gather(10)).await.unwrap()), ["later"]);
}

#[tokio::test]
async fn dead_lettering_what_an_acknowledgement_covered_is_an_error_and_the_channel_lives() {
    let world = World::declared().await;
    world.publish(numbered(2)).await;
    let mut subscription = world.subscription().await;
    let batch = gather_all(&mut subscription, 2).await;
    let settler = subscription.settler();
    settler.ack_through(batch[1].tag).await.unwrap();

    let error = settler.dead_letter(batch[0].tag).await.unwrap_err();

    assert!(matches!(error, BrokerError::AlreadySettled { .. }), "{error:?}");
    world.publish(["later".to_owned()]).await;
    assert_eq!(bodies(&within(subscription.gather(10)).await.unwrap()), ["later"]);
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_and_says_so() {
    let world = World::declared().await;
    world.publish(numbered(3)).await;
    let mut first = world.subscription().await;
    let batch = gather_all(&mut first, 3).await;
    assert!(batch.iter().all(|delivery| !delivery.redelivered));
    let settler = first.settler();
    settler.ack_through(batch[0].tag).await.unwrap();
    first.close().await;

    let again = gather_all(&mut world.subscription().await, 2).await;

    assert_eq!(bodies(&again), &numbered(3)[1..]);
    assert!(again.iter().all(|delivery| delivery.redelivered));
    // The first subscription's settler has nothing left to say, which is no error.
    settler.ack_through(batch[2].tag).await.unwrap();
}

#[tokio::test]
async fn header_values_keep_their_kind() {
    let world = World::declared().await;
    let mut table = FieldTable::default();
    table.insert("a-text".into(), AMQPValue::LongString("é".into()));
    table.insert("bytes".into(), AMQPValue::LongString(b"\xff\xfe".to_vec().into()));
    table.insert("count".into(), AMQPValue::LongInt(-7));
    table.insert("fraction".into(), AMQPValue::Double(1.5));
    table.insert("big".into(), AMQPValue::LongLongInt(i64::MAX));
    table.insert("flag".into(), AMQPValue::Boolean(true));
    table.insert("nested".into(), AMQPValue::FieldTable(FieldTable::default()));
    table.insert("time".into(), AMQPValue::Timestamp(1_700_000_000_123));
    let (_connection, channel) = raw_channel().await;
    let queue = world.settings.queue.as_str().into();
    let properties = BasicProperties::default().with_headers(table);
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), queue, options, b"x", properties).await.unwrap();

    let message = gather_all(&mut world.subscription().await, 1).await.remove(0).message;

    let expected = [
        ("a-text", Header::Text("é".to_owned())),
        ("big", Header::Int(i64::MAX)),
        ("bytes", Header::Other),
        ("count", Header::Int(-7)),
        ("flag", Header::Bool(true)),
        ("fraction", Header::Other),
        ("nested", Header::Other),
        ("time", Header::Timestamp(1_700_000_000_123)),
    ];
    assert_eq!(message.headers, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(message.content_type, None);
}

/// lapin says nothing but "no more" when the broker cancels a consumer; a consumer that stopped
/// for it would stop for good.
#[tokio::test]
async fn a_queue_deleted_under_us_cancels_the_subscription() {
    let world = World::declared().await;
    let mut subscription = world.subscription().await;

    world.delete_queue().await;

    let error = within(subscription.gather(10)).await.err().unwrap();
    assert!(matches!(error, BrokerError::Cancelled { .. }), "{error:?}");
    assert!(error.is_transient());
    let again = within(subscription.gather(10)).await.err().unwrap();
    assert!(matches!(again, BrokerError::Unusable), "{again:?}");
    // All is well once the topology is made again and a subscription opened.
    ensure_topology(&world.settings).await.unwrap();
    let mut subscription = world.subscription().await;
    world.publish(["after".to_owned()]).await;
    assert_eq!(bodies(&within(subscription.gather(10)).await.unwrap()), ["after"]);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_an_error_that_names_it() {
    let world = World::empty();

    let error = Subscription::open(&world.settings).await.err().unwrap();

    assert!(error.to_string().contains(&world.settings.queue), "{error}");
}

/// Headers can't be divided: a consumer that asked for smaller frames than the broker's would lose
/// its connection over such a message, again and again.
#[tokio::test]
async fn a_message_with_headers_of_100_kb_and_a_body_of_a_megabyte_is_read_whole() {
    let world = World::declared().await;
    let (_connection, channel) = raw_channel().await;
    let mut headers = FieldTable::default();
    headers.insert("note".into(), AMQPValue::LongString("x".repeat(100_000).into()));
    let properties = BasicProperties::default().with_headers(headers);
    let queue = world.settings.queue.as_str().into();
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), queue, options, b"large", properties).await.unwrap();
    world.wait_for_ready(1).await;
    let large = world.event("m-1", &"y".repeat(1_000_000));
    world.publisher().await.publish(&[large]).await.unwrap();

    let mut subscription = world.subscription().await;
    let delivered = gather_all(&mut subscription, 2).await;

    assert_eq!(delivered[0].message.header_text("note").map(str::len), Some(100_000));
    assert_eq!(delivered[1].message.body, "y".repeat(1_000_000).into_bytes());
}
