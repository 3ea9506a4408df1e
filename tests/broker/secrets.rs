use std::error::Error;

use creditd::broker::{BrokerSettings, Publisher, ensure_topology};
use creditd::settings::Secret;

use crate::world::{World, broker_address};

/// All that could be printed of an error.
fn everything(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}

#[test]
fn settings_print_no_password() {
    let world = World::empty();
    let url = Secret::new("amqp://creditd:hunter2@broker".to_owned());
    let settings = BrokerSettings { url, ..world.settings.clone() };

    let text = format!("{settings:?}");

    assert!(text.contains("[secret]") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_refused_login_is_not_worth_a_retry_and_tells_no_password() {
    let world = World::empty();
    let url = Secret::new(format!("amqp://guest:hunter2@{}", broker_address()));

    let error = ensure_topology(&BrokerSettings { url, ..world.settings.clone() }).await;

    let error = error.unwrap_err();
    let text = everything(&error);
    assert!(text.contains(&broker_address()), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!error.is_transient(), "{text}");
}

#[tokio::test]
async fn a_url_that_makes_no_sense_tells_no_password() {
    let world = World::empty();
    for url in ["guest:hunter2@broker", "amqp://guest:hunter2@broker:port", "hunter2", ""] {
        let url = Secret::new(url.to_owned());

        let opened = Publisher::open(&BrokerSettings { url, ..world.settings.clone() }).await;

        let error = opened.err().unwrap();
        assert!(!everything(&error).contains("hunter2"), "{error:?}");
        assert!(!error.is_transient(), "{error:?}");
    }
}
