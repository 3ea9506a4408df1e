//! A link that breaks, in every way that it can: what waits on it ends in an `Err`, soon.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use creditd::broker::{
    BrokerError, BrokerSettings, Outgoing, Publication, Publisher, Subscription, ensure_topology,
};
use creditd::settings::Secret;

use crate::proxy::{Direction, Proxy};
use crate::world::{World, bodies, broker_address, broker_url, gather_all, numbered, within};

/// A world that is reached through a proxy, and deadlines short enough to wait for.
pub(crate) struct Distant {
    pub(crate) world: World,
    pub(crate) proxy: Proxy,
    pub(crate) settings: BrokerSettings,
}

impl Distant {
    pub(crate) async fn new() -> Self {
        Self::of(World::declared().await).await
    }

    async fn of(world: World) -> Self {
        let proxy = Proxy::to(&broker_address()).await;
        let settings = BrokerSettings {
            url: Secret::new(proxy.url(&broker_url())),
            heartbeat: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(2),
            operation_timeout: Duration::from_secs(1),
            confirm_timeout: Duration::from_secs(1),
            ..world.settings.clone()
        };
        Self { world, proxy, settings }
    }

    async fn subscription(&self) -> Subscription {
        Subscription::open(&self.settings).await.unwrap()
    }

    pub(crate) async fn publisher(&self) -> Publisher {
        Publisher::open(&self.settings).await.unwrap()
    }

    fn black_hole(&self) {
        self.proxy.stall(Direction::ToServer);
        self.proxy.stall(Direction::ToClient);
    }
}

#[tokio::test]
async fn a_cut_link_ends_the_wait_for_deliveries() {
    let distant = Distant::new().await;
    let mut subscription = distant.subscription().await;

    let (gathered, ()) =
        within(async { tokio::join!(subscription.gather(10), async { distant.proxy.cut() }) })
            .await;

    let error = gathered.err().unwrap();
    assert!(error.is_transient(), "{error:?}");
    let again = within(subscription.gather(10)).await.err().unwrap();
    assert!(matches!(again, BrokerError::Unusable), "{again:?}");
}

/// Nobody closes a black hole; only the missing heartbeats tell.
#[tokio::test]
async fn a_black_hole_ends_the_wait_for_deliveries_after_two_heartbeats() {
    let distant = Distant::new().await;
    let mut subscription = distant.subscription().await;
    let started = Instant::now();

    distant.black_hole();
    let error = within(subscription.gather(10)).await.err().unwrap();

    assert!(error.is_transient(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_cut_link_fails_the_window_that_is_under_way() {
    let distant = Distant::new().await;
    let mut publisher = distant.publisher().await;
    let window = [distant.world.event("m-1", "m-1")];
    distant.proxy.stall(Direction::ToClient);

    let (published, ()) = within(async {
        tokio::join!(publisher.publish(&window), async {
            distant.world.wait_for_ready(1).await;
            distant.proxy.cut();
        })
    })
    .await;

    let error = published.unwrap_err();
    assert!(matches!(error, BrokerError::Failed { .. }), "{error:?}");
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_link_that_was_cut_before_fails_the_next_window() {
    let distant = Distant::new().await;
    let mut publisher = distant.publisher().await;
    distant.proxy.cut();
    distant.proxy.wait_for_links(0).await;

    let error = within(publisher.publish(&[distant.world.event("m-1", "m-1")])).await.unwrap_err();

    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn confirms_that_never_come_fail_the_window_in_time() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let distant = Distant::new().await;
        let mut publisher = distant.publisher().await;
        let window = [distant.world.event("m-1", "m-1")];
        distant.proxy.stall(direction);
        let started = Instant::now();

        let error = within(publisher.publish(&window)).await.unwrap_err();
        let again = within(publisher.publish(&window)).await.unwrap_err();

        assert!(matches!(error, BrokerError::TimedOut { .. }), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        assert!(matches!(again, BrokerError::Unusable), "{again:?}");
    }
}

/// More than the buffers between us and the black hole take: writing itself stops.
#[tokio::test]
async fn a_window_that_cannot_be_written_fails_in_time() {
    let distant = Distant::new().await;
    let settings =
        BrokerSettings { heartbeat: Duration::from_secs(60), ..distant.settings.clone() };
    let mut publisher = Publisher::open(&settings).await.unwrap();
    let body = "x".repeat(500_000);
    let window: Vec<_> = numbered(80).iter().map(|id| distant.world.event(id, &body)).collect();
    distant.black_hole();
    let started = Instant::now();

    let error = within(publisher.publish(&window)).await.unwrap_err();

    assert!(matches!(error, BrokerError::TimedOut { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_publication_given_up_on_makes_the_publisher_unusable() {
    let distant = Distant::new().await;
    let mut publisher = distant.publisher().await;
    let window = [distant.world.event("m-1", "m-1")];
    distant.proxy.stall(Direction::ToClient);
    {
        let publishing = publisher.publish(&window);
        tokio::pin!(publishing);
        tokio::select! {
            published = &mut publishing => panic!("{published:?}"),
            () = distant.world.wait_for_ready(1) => {}
        }
    }
    distant.proxy.resume();

    let error = publisher.publish(&window).await.unwrap_err();

    assert!(matches!(error, BrokerError::Unusable), "{error:?}");
}

#[tokio::test]
async fn an_acknowledgement_lost_with_its_link_brings_the_deliveries_again() {
    let distant = Distant::new().await;
    distant.world.publish(numbered(3)).await;
    let mut subscription = distant.subscription().await;
    let batch = gather_all(&mut subscription, 3).await;

    distant.proxy.stall(Direction::ToServer);
    subscription.settler().ack_through(batch[2].tag).await.unwrap();
    distant.proxy.cut();
    distant.proxy.resume();

    let again = gather_all(&mut distant.subscription().await, 3).await;
    assert_eq!(bodies(&again), numbered(3));
    assert!(again.iter().all(|delivery| delivery.redelivered));
    // What the old subscription had is no longer its own to settle.
    assert!(within(subscription.gather(1)).await.is_err());
    subscription.settler().ack_through(batch[2].tag).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_never_answers_fails_the_connection_in_time() {
    let distant = Distant::new().await;
    distant.black_hole();
    let started = Instant::now();

    let error = within(Subscription::open(&distant.settings)).await.err().unwrap();

    assert!(matches!(error, BrokerError::TimedOut { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// lapin's thread used to wait for the rest of the handshake for ever, with its socket and
/// buffers; one more with each attempt.
#[tokio::test]
async fn a_connection_given_up_on_leaves_nothing_behind() {
    let distant = Distant::new().await;
    distant.black_hole();
    let started = Instant::now();

    let opened = within(Publisher::open(&distant.settings)).await;

    assert!(matches!(opened.err().unwrap(), BrokerError::TimedOut { .. }));
    distant.proxy.wait_for_links(0).await;
    // The broker itself would close after ten seconds; not every peer does.
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[tokio::test]
async fn dropping_a_subscription_ends_its_connection_even_through_a_black_hole() {
    let distant = Distant::new().await;
    let settings =
        BrokerSettings { heartbeat: Duration::from_secs(60), ..distant.settings.clone() };
    let subscription = Subscription::open(&settings).await.unwrap();
    let _settler = subscription.settler();
    distant.black_hole();

    drop(subscription);

    distant.proxy.wait_for_links(0).await;
}

#[tokio::test]
async fn taking_leave_through_a_black_hole_ends_in_time() {
    let distant = Distant::new().await;
    let settings =
        BrokerSettings { heartbeat: Duration::from_secs(60), ..distant.settings.clone() };
    let subscription = Subscription::open(&settings).await.unwrap();
    let publisher = Publisher::open(&settings).await.unwrap();
    distant.black_hole();
    let started = Instant::now();

    within(async { tokio::join!(subscription.close(), publisher.close()) }).await;

    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    distant.proxy.wait_for_links(0).await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_worth_a_retry_and_named() {
    let distant = Distant::new().await;
    distant.proxy.refuse();

    let error = within(ensure_topology(&distant.settings)).await.unwrap_err();
    distant.proxy.admit();

    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains(&distant.proxy.address().to_string()), "{error}");
    within(ensure_topology(&distant.settings)).await.unwrap();
}

#[tokio::test]
async fn a_ca_file_that_holds_no_certificate_is_an_error() {
    let world = World::empty();
    for path in ["/nowhere/ca.pem", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let ca_file = Some(PathBuf::from(path));

        let error = ensure_topology(&BrokerSettings { ca_file, ..world.settings.clone() }).await;

        let error = error.unwrap_err();
        assert!(matches!(error, BrokerError::CaFile { .. }), "{error:?}");
        assert!(error.to_string().contains(path), "{error}");
        assert!(!error.is_transient());
    }
}

/// lapin closes the connection on it, each time it comes; with a wide prefetch it used to take all
/// its neighbours to the dead queue.
#[tokio::test]
async fn a_delivery_that_cannot_be_read_goes_to_the_dead_queue_alone() {
    let distant = Distant::of(World::with_delivery_limit(3).await).await;
    distant.proxy.replace(b"payment.xx", b"payment.\xff\xfe");
    let unreadable =
        Outgoing { routing_key: "payment.xx".to_owned(), ..distant.world.event("m-2", "bad") };
    let window =
        [distant.world.event("m-1", "before"), unreadable, distant.world.event("m-3", "after")];
    let publications = distant.publisher().await.publish(&window).await.unwrap();
    assert_eq!(publications, vec![Publication::Confirmed; 3]);

    let narrow = BrokerSettings { prefetch: 1, ..distant.world.settings.clone() };
    let mut read = Vec::new();
    let mut failures = 0;
    while read.len() < 2 {
        let mut subscription = Subscription::open(&narrow).await.unwrap();
        match within(subscription.gather(10)).await {
            Ok(batch) => {
                subscription.settler().ack_through(batch[0].tag).await.unwrap();
                read.push(String::from_utf8(batch[0].message.body.clone()).unwrap());
                subscription.close().await;
            }
            Err(error) => {
                assert!(matches!(error, BrokerError::Unreadable { .. }), "{error:?}");
                assert!(error.is_transient());
                failures += 1;
            }
        }
    }

    assert_eq!(read, ["before", "after"]);
    // Brokers differ in whether the limit counts the first delivery.
    assert!((3..=4).contains(&failures), "{failures}");
    distant.world.wait_for_dead(1).await;
}
