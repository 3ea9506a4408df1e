//! The broker's memory and disk alarms, as a publisher meets them. The proxy speaks in the broker's
//! place, since an alarm of the real one would stop every other test.

use std::time::Duration;

use creditd::broker::{BrokerError, BrokerSettings, Publication, Publisher};

use crate::faults::Distant;
use crate::proxy::Direction;
use crate::world::within;

fn connection_blocked() -> Vec<u8> {
    connection_method(60, b"\x03low")
}

fn connection_unblocked() -> Vec<u8> {
    connection_method(61, b"")
}

/// A method frame of class 10 on channel 0.
fn connection_method(method: u8, arguments: &[u8]) -> Vec<u8> {
    let size = u8::try_from(arguments.len()).unwrap().saturating_add(4);
    let head = [1, 0, 0, 0, 0, 0, size, 0, 10, 0, method];
    [&head[..], arguments, &[0xce]].concat()
}

async fn wait_until(what: impl Fn() -> bool) {
    within(async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_blocked_publisher_says_so_and_goes_on_when_the_alarm_ends() {
    let distant = Distant::new().await;
    let mut publisher = distant.publisher().await;
    assert!(!publisher.is_blocked());

    distant.proxy.inject(&connection_blocked());
    wait_until(|| publisher.is_blocked()).await;
    let error = publisher.publish(&[distant.world.event("m-1", "m-1")]).await.unwrap_err();
    distant.proxy.inject(&connection_unblocked());
    wait_until(|| !publisher.is_blocked()).await;

    assert!(matches!(error, BrokerError::Blocked), "{error:?}");
    assert!(error.is_transient());
    let publications = publisher.publish(&[distant.world.event("m-2", "m-2")]).await.unwrap();
    assert_eq!(publications, [Publication::Confirmed]);
    distant.world.wait_for_ready(1).await;
}

/// The broker reads after the alarm what was written during it. A publisher that gave up used to
/// leave one copy of its window there with each attempt.
#[tokio::test]
async fn a_window_that_meets_an_alarm_is_waited_for_and_not_written_again() {
    let distant = Distant::new().await;
    let settings =
        BrokerSettings { heartbeat: Duration::from_secs(60), ..distant.settings.clone() };
    let mut publisher = Publisher::open(&settings).await.unwrap();
    let alarm = publisher.alarm();
    let window = [distant.world.event("m-1", "m-1")];
    distant.proxy.stall(Direction::ToClient);

    let mut publishing = std::pin::pin!(publisher.publish(&window));
    tokio::select! {
        published = &mut publishing => panic!("{published:?}"),
        () = distant.world.wait_for_ready(1) => {}
    }
    distant.proxy.inject(&connection_blocked());
    tokio::select! {
        published = &mut publishing => panic!("{published:?}"),
        () = wait_until(|| alarm.is_raised()) => {}
    }
    let longer = settings.confirm_timeout.saturating_mul(2);
    let outlasted = tokio::time::timeout(longer, &mut publishing).await;
    assert!(outlasted.is_err(), "{outlasted:?}");
    distant.proxy.inject(&connection_unblocked());
    distant.proxy.resume();

    assert_eq!(within(publishing).await.unwrap(), [Publication::Confirmed]);
    assert!(!alarm.is_raised());
}

/// The alarm stops the clock, not the heartbeats.
#[tokio::test]
async fn a_link_that_dies_during_an_alarm_fails_the_window() {
    let distant = Distant::new().await;
    let mut publisher = distant.publisher().await;
    let alarm = publisher.alarm();
    let window = [distant.world.event("m-1", "m-1")];
    distant.proxy.stall(Direction::ToClient);

    let (published, ()) = within(async {
        tokio::join!(publisher.publish(&window), async {
            distant.world.wait_for_ready(1).await;
            distant.proxy.inject(&connection_blocked());
            wait_until(|| alarm.is_raised()).await;
        })
    })
    .await;

    let error = published.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

/// lapin remembers a connection that died blocked as blocked; waiting for the end of that alarm
/// would be waiting for ever.
#[tokio::test]
async fn an_alarm_ends_with_its_link() {
    let distant = Distant::new().await;
    let mut publisher = distant.publisher().await;
    distant.proxy.inject(&connection_blocked());
    wait_until(|| publisher.is_blocked()).await;

    distant.proxy.cut();
    wait_until(|| !publisher.is_blocked()).await;

    let error = publisher.publish(&[distant.world.event("m-1", "m-1")]).await.unwrap_err();
    assert!(!matches!(error, BrokerError::Blocked), "{error:?}");
    assert!(error.is_transient(), "{error:?}");
}
