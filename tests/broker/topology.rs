use creditd::broker::{BrokerError, BrokerSettings, TopologyMode, ensure_topology};
use creditd::settings::Secret;
use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;

use crate::world::{World, broker_address, broker_url, raw_channel};

fn verify(world: &World) -> BrokerSettings {
    BrokerSettings { topology: TopologyMode::Verify, ..world.settings.clone() }
}

#[tokio::test]
async fn declaring_twice_is_fine() {
    let world = World::empty();

    ensure_topology(&world.settings).await.unwrap();
    ensure_topology(&world.settings).await.unwrap();

    ensure_topology(&verify(&world)).await.unwrap();
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_an_error_that_names_it_and_the_way_out() {
    let world = World::declared().await;
    let other = BrokerSettings { delivery_limit: 101, ..world.settings.clone() };

    let error = ensure_topology(&other).await.unwrap_err();

    let text = error.to_string();
    assert!(matches!(error, BrokerError::Differs { .. }), "{error:?}");
    assert!(text.contains(&format!("queue `{}`", world.settings.queue)), "{text}");
    assert!(text.contains("x-delivery-limit"), "{text}");
    assert!(text.contains("\"verify\"") && text.contains("delete it"), "{text}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn an_exchange_of_another_kind_is_an_error_that_names_it() {
    let world = World::empty();
    let (_connection, channel) = raw_channel().await;
    let name = &world.settings.notices_exchange;
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let arguments = FieldTable::default();
    channel
        .exchange_declare(name.as_str().into(), ExchangeKind::Direct, options, arguments)
        .await
        .unwrap();

    let error = ensure_topology(&world.settings).await.unwrap_err();

    let text = error.to_string();
    assert!(matches!(error, BrokerError::Differs { .. }), "{error:?}");
    assert!(text.contains(&format!("exchange `{name}`")), "{text}");
}

#[tokio::test]
async fn verifying_takes_the_queue_as_it_is() {
    let world = World::declared().await;

    ensure_topology(&BrokerSettings { delivery_limit: 101, ..verify(&world) }).await.unwrap();
}

#[tokio::test]
async fn verifying_names_all_that_is_missing_and_makes_none_of_it() {
    let world = World::empty();

    for _ in 0..2 {
        let error = ensure_topology(&verify(&world)).await.unwrap_err();

        let BrokerError::Missing { mut objects, .. } = error else { panic!("{error:?}") };
        objects.sort();
        let settings = &world.settings;
        let mut expected = [
            format!("exchange `{}`", settings.dead_exchange),
            format!("exchange `{}`", settings.events_exchange),
            format!("exchange `{}`", settings.notices_exchange),
            format!("queue `{}`", settings.dead_queue),
            format!("queue `{}`", settings.queue),
        ];
        expected.sort();
        assert_eq!(objects, expected);
    }
}

#[tokio::test]
async fn verifying_names_only_what_is_missing() {
    let world = World::declared().await;
    world.delete_queue().await;

    let error = ensure_topology(&verify(&world)).await.unwrap_err();

    let expected = format!(
        "could not find in the broker: queue `{}`; make what is missing, mend its name, or set \
         broker.topology to \"declare\"",
        world.settings.queue
    );
    assert_eq!(error.to_string(), expected);
    assert!(!error.is_transient());
}

/// lapin's own conversions panic beyond 255 bytes.
#[tokio::test]
async fn a_name_of_256_bytes_is_an_error() {
    let world = World::empty();
    let long = BrokerSettings { queue: "q".repeat(256), ..world.settings.clone() };

    let error = ensure_topology(&long).await.unwrap_err();

    assert!(matches!(error, BrokerError::TooLong { bytes: 256, max: 255, .. }), "{error:?}");
}

#[tokio::test]
async fn a_virtual_host_that_does_not_exist_is_not_worth_a_retry() {
    let world = World::empty();
    // The trailing slash names the virtual host "".
    let url = Secret::new(format!("amqp://guest:guest@{}/", broker_address()));

    let error = ensure_topology(&BrokerSettings { url, ..world.settings.clone() }).await;

    assert!(!error.unwrap_err().is_transient());
    assert!(broker_url().starts_with("amqp://"));
}
