use creditd::broker::{BrokerError, BrokerSettings, Outgoing, Publication, Publisher};
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

use crate::world::{World, bodies, gather_all, numbered, raw_channel, within};

fn is_returned(publication: &Publication) -> bool {
    matches!(publication, Publication::Returned { .. })
}

#[tokio::test]
async fn a_window_of_500_is_confirmed_and_arrives_in_order() {
    let world = World::declared().await;

    world.publish(numbered(500)).await;

    assert_eq!(bodies(&gather_all(&mut world.subscription().await, 500).await), numbered(500));
}

#[tokio::test]
async fn an_empty_window_is_nothing_to_do() {
    let world = World::declared().await;

    assert_eq!(world.publisher().await.publish(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn one_stray_among_100_is_the_only_one_returned() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;
    let mut window: Vec<_> = numbered(100).iter().map(|id| world.event(id, id)).collect();
    window[41] = world.stray("event 41");

    let publications = within(publisher.publish(&window)).await.unwrap();

    let reason = "312 NO_ROUTE".to_owned();
    assert_eq!(publications[41], Publication::Returned { reason });
    assert_eq!(publications.iter().filter(|one| **one == Publication::Confirmed).count(), 99);
}

/// lapin gives a return to whichever confirm comes next; this used to blame two in a hundred
/// neighbours.
#[tokio::test]
async fn a_returned_message_never_marks_its_neighbour() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;

    for round in 0..40 {
        let window: Vec<_> = numbered(50)
            .iter()
            .enumerate()
            .map(|(place, id)| match place % 7 == round % 7 {
                true => world.stray(id),
                false => world.event(id, id),
            })
            .collect();

        let publications = within(publisher.publish(&window)).await.unwrap();

        for (place, publication) in publications.iter().enumerate() {
            assert_eq!(is_returned(publication), place % 7 == round % 7, "{round} {place}");
        }
    }
}

#[tokio::test]
async fn of_two_with_one_message_id_the_stray_one_is_returned() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;
    let window = [world.event("twin", "a"), world.stray("twin"), world.event("twin", "b")];

    let publications = within(publisher.publish(&window)).await.unwrap();

    let returned: Vec<_> = publications.iter().map(is_returned).collect();
    assert_eq!(returned, [false, true, false]);
}

#[tokio::test]
async fn a_stray_that_is_not_mandatory_is_confirmed() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;
    let stray = Outgoing { mandatory: false, ..world.stray("m-1") };

    let publications = within(publisher.publish(&[stray])).await.unwrap();

    assert_eq!(publications, [Publication::Confirmed]);
}

#[tokio::test]
async fn what_a_full_queue_does_not_take_is_refused() {
    let world = World::empty();
    let (_connection, channel) = raw_channel().await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let queue = world.settings.queue.as_str();
    let options = QueueDeclareOptions::default();
    channel.queue_declare(queue.into(), options, arguments).await.unwrap();
    let mut publisher = world.publisher().await;
    let straight = |id: &str| Outgoing {
        exchange: String::new(),
        routing_key: queue.to_owned(),
        ..world.event(id, id)
    };

    let window = ["m-1", "m-2", "m-3"].map(straight);
    let publications = within(publisher.publish(&window)).await.unwrap();

    assert_eq!(publications, [Publication::Confirmed, Publication::Refused, Publication::Refused]);
}

/// lapin panics beyond 255 bytes.
#[tokio::test]
async fn a_routing_key_of_300_bytes_is_an_error_and_nothing_of_its_window_is_sent() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;
    let long = Outgoing { routing_key: "k".repeat(300), ..world.event("m-2", "m-2") };

    let error = publisher.publish(&[world.event("m-1", "m-1"), long]).await.unwrap_err();

    assert!(matches!(error, BrokerError::TooLong { bytes: 300, max: 255, .. }), "{error:?}");
    assert!(error.to_string().contains("routing key"), "{error}");
    assert!(!error.is_transient());
    publisher.publish(&[world.event("m-3", "m-3")]).await.unwrap();
    let mut subscription = world.subscription().await;
    assert_eq!(bodies(&gather_all(&mut subscription, 1).await), ["m-3"]);
    world.wait_for_ready(0).await;
}

#[tokio::test]
async fn every_text_that_amqp_limits_is_checked() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;
    let long = || "x".repeat(256);
    let event = || world.event("m-1", "m-1");
    let too_long = [
        Outgoing { exchange: long(), ..event() },
        Outgoing { message_id: long(), ..event() },
        Outgoing { kind: Some(long()), ..event() },
        Outgoing { content_type: Some(long()), ..event() },
        Outgoing { app_id: Some(long()), ..event() },
        Outgoing { headers: vec![(long(), String::new())], ..event() },
    ];

    for outgoing in too_long {
        let error = publisher.publish(&[outgoing]).await.unwrap_err();
        assert!(matches!(error, BrokerError::TooLong { bytes: 256, .. }), "{error:?}");
    }

    let long_value = vec![("name".to_owned(), "x".repeat(1000))];
    let fine = Outgoing { headers: long_value, ..event() };
    assert_eq!(publisher.publish(&[fine]).await.unwrap(), [Publication::Confirmed]);
}

#[tokio::test]
async fn a_message_over_the_limit_of_the_settings_is_an_error_and_one_at_it_is_not() {
    let world = World::declared().await;
    let settings = BrokerSettings { message_max_bytes: 100, ..world.settings.clone() };
    let mut publisher = Publisher::open(&settings).await.unwrap();

    let over = publisher.publish(&[world.event("m-1", &"x".repeat(101))]).await.unwrap_err();
    let at = publisher.publish(&[world.event("m-2", &"x".repeat(100))]).await.unwrap();

    assert!(matches!(over, BrokerError::TooLong { bytes: 101, max: 100, .. }), "{over:?}");
    assert_eq!(at, [Publication::Confirmed]);
}

#[tokio::test]
async fn an_exchange_that_is_not_there_fails_the_window_and_the_publisher() {
    let world = World::declared().await;
    let mut publisher = world.publisher().await;
    let nowhere = Outgoing { exchange: "no such exchange".to_owned(), ..world.event("m", "m") };

    // The broker says why once, and the library of what follows only that the channel is closed.
    let window = vec![nowhere; 2_000];
    let error = within(publisher.publish(&window)).await.unwrap_err();
    let again = within(publisher.publish(&[world.event("m", "m")])).await.unwrap_err();

    assert!(error.is_transient() && error.is_not_found(), "{error:?}");
    assert!(matches!(again, BrokerError::Unusable), "{again:?}");
}

#[tokio::test]
async fn all_that_goes_out_is_persistent_and_says_what_it_is() {
    let world = World::declared().await;
    let sent = Outgoing {
        kind: Some("balance.low".to_owned()),
        content_type: Some("application/cloudevents+json".to_owned()),
        app_id: Some("creditd".to_owned()),
        timestamp_seconds: Some(1_700_000_000),
        headers: vec![("cloudEvents_id".to_owned(), "n-1".to_owned())],
        ..world.event("n-1", "{}")
    };
    world.publisher().await.publish(&[sent]).await.unwrap();

    let (_connection, channel) = raw_channel().await;
    let queue = world.settings.queue.as_str().into();
    let got = channel.basic_get(queue, Default::default()).await.unwrap().unwrap();

    let properties = &got.delivery.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), "n-1");
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "balance.low");
    assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "creditd");
    assert_eq!(*properties.timestamp(), Some(1_700_000_000));
    assert!(properties.headers().as_ref().unwrap().contains_key("cloudEvents_id"));
}
