//! Messages that can't be applied, in the middle of those that can: the queue moves on, and
//! nothing is dropped (semantics 9.2).

use lapin::options::{BasicGetOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};

use crate::events::usage;
use crate::world::{World, until};

/// 99 events with a poison in their middle, in as few batches as can be; gives the parked event's reason and
/// state.
async fn parked_among_99(world: &mut World, publish_poison: impl AsyncFnOnce(&World)) -> String {
    // So that no batch begins beside another.
    world.settings.intake.workers = 1;
    let daemon = world.daemon().await;
    world.publish(&[usage("gate-1", "gate", 100)]).await;
    world.until_known(1).await;

    // While this account is held, the daemon is busy with one event and gathers the next batch.
    let mut gate = world.tables.begin().await.unwrap();
    let hold = "SELECT account_id FROM account WHERE name = 'gate' FOR UPDATE";
    sqlx::query(hold).execute(&mut *gate).await.unwrap();
    world.publish(&[usage("gate-2", "gate", 100)]).await;
    until("the daemon to wait", async || daemon.said(&["round begins"]) == 2).await;
    let good: Vec<String> =
        (0..99).map(|n| usage(&format!("u-{n}"), &format!("a-{}", n % 10), 100)).collect();
    world.publish(&good[..50]).await;
    publish_poison(world).await;
    world.publish(&good[50..]).await;
    until("all to arrive", async || world.ready(&world.settings.broker.queue).await == 0).await;
    gate.commit().await.unwrap();
    world.until_known(102).await;

    // What has left the queue may still be on its way: a batch or two more than the two.
    assert!(daemon.said(&["round begins"]) < 6, "it was not among many");
    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE outcome = 'applied'").await, 101);
    assert_eq!(world.count("SELECT sum(balance) FROM balance").await, -101 * 100);
    world.all_told().await;
    let told = world.subscriber.heard.iter().filter(|heard| heard.kind == "event.parked").count();
    assert_eq!(told, 1);
    daemon.stop().await;
    world.proves().await;
    let parked = world
        .texts(
            "SELECT concat_ws(' ', reason, state) FROM parked JOIN inbox USING (event_key, reason)",
        )
        .await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    parked[0].clone()
}

async fn dead_letters(world: &World) -> Vec<Vec<u8>> {
    let url = world.settings.broker.url.expose();
    let broker = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = broker.create_channel().await.unwrap();
    let mut bodies = Vec::new();
    let queue = world.settings.broker.dead_queue.as_str();
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = channel.basic_get(queue.into(), options).await.unwrap() {
        bodies.push(message.delivery.data.clone());
    }
    broker.close(200, "counted".into()).await.unwrap();
    bodies
}

#[tokio::test]
async fn a_malformed_message_among_a_hundred_is_parked_alone() {
    let mut world = World::new().await;
    let body = r#"{"specversion":"1.0","type":"payment.succeeded","source":"shop","#;

    let parked = parked_among_99(&mut world, async |world| world.publish(&[body]).await).await;

    assert_eq!(parked, "malformed open");
    let kept = world.texts("SELECT convert_from(body, 'UTF8') FROM inbox WHERE outcome = 'parked'");
    assert_eq!(kept.await, [body]);
    assert_eq!(dead_letters(&world).await, Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn a_body_that_is_no_text_among_a_hundred_is_parked_alone() {
    let mut world = World::new().await;
    let body = b"{\"specversion\":\"1.0\",\"id\":\"\xff\xfe\"}".to_vec();

    let poison = body.clone();
    let parked = parked_among_99(&mut world, async |world| world.publish(&[poison]).await).await;

    assert_eq!(parked, "malformed open");
    let kept = world.texts("SELECT encode(body, 'hex') FROM inbox WHERE outcome = 'parked'").await;
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(kept, [hex]);
}

/// What RabbitMQ 3.10 makes of a message of an AMQP 1.0 client: application properties that no
/// AMQP 0-9-1 client can read, and so no event id.
#[tokio::test]
async fn a_message_with_an_opaque_header_among_a_hundred_is_parked_alone() {
    let mut world = World::new().await;

    let parked = parked_among_99(&mut world, async |world| {
        let url = world.settings.broker.url.expose();
        let broker = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = broker.create_channel().await.unwrap();
        let mut headers = FieldTable::default();
        let opaque = AMQPValue::LongString(b"\x00\x53\x74\xc1\x0b\x02\xa1\x08\xff".to_vec().into());
        headers.insert("x-amqp-1.0-app-properties".into(), opaque);
        let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
        let queue = world.settings.broker.queue.as_str().into();
        let body = br#"{"account":"ada","meter":"api","quantity":1}"#;
        let options = BasicPublishOptions::default();
        channel.basic_publish("".into(), queue, options, body, properties).await.unwrap();
        broker.close(200, "published".into()).await.unwrap();
    })
    .await;

    assert_eq!(parked, "malformed open");
    let kept = world.texts("SELECT properties::TEXT FROM inbox WHERE outcome = 'parked'").await;
    assert!(kept[0].contains("x-amqp-1.0-app-properties"), "{kept:?}");
}

#[tokio::test]
async fn a_message_that_is_too_large_among_a_hundred_is_parked_and_dead_lettered_whole() {
    let mut world = World::new().await;
    world.set("INTAKE__PAYLOAD_MAX_BYTES", "2000");
    let body = usage("too-large", &"x".repeat(100_000), 1);

    let poison = body.clone();
    let parked = parked_among_99(&mut world, async |world| world.publish(&[poison]).await).await;

    assert_eq!(parked, "too_large open");
    let kept = "SELECT count(*) FROM inbox WHERE outcome = 'parked' AND body IS NOT NULL";
    assert_eq!(world.count(kept).await, 0);
    assert_eq!(dead_letters(&world).await, [body.into_bytes()]);
}

#[tokio::test]
async fn a_batch_that_is_too_much_for_the_database_is_cut_until_it_is_not() {
    let world = World::new().await;
    // As if three events at once took longer than that.
    let slow = "
        CREATE FUNCTION creditd.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT count(*) > 2 FROM came) THEN PERFORM pg_sleep(60); END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER dawdle AFTER INSERT ON creditd.inbox
        REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION creditd.dawdle();";
    sqlx::raw_sql(slow).execute(&world.tables).await.unwrap();
    let events: Vec<String> = (0..8).map(|n| usage(&format!("u-{n}"), "acme", 100)).collect();
    world.publish(&events).await;

    let daemon = world.daemon_with(&[("DATABASE__STATEMENT_TIMEOUT", "500ms")]).await;
    world.until_known(8).await;

    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE outcome = 'applied'").await, 8);
    daemon.stop().await;
    world.proves().await;
}
