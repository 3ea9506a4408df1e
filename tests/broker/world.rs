//! One test's own exchanges and queues, and short words for what tests do with them.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use creditd::broker::{
    BrokerSettings, Delivery, Outgoing, Publication, Publisher, Subscription, TopologyMode,
    ensure_topology,
};
use creditd::settings::Secret;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) settings: BrokerSettings,
}

impl World {
    /// Names that are free, and nothing declared under them.
    pub(crate) fn empty() -> Self {
        let name = format!("test-{:016x}", RandomState::new().build_hasher().finish());
        let settings = BrokerSettings {
            url: Secret::new(broker_url()),
            connection_name: name.clone(),
            events_exchange: format!("{name}.events"),
            queue: format!("{name}.queue"),
            dead_queue: format!("{name}.dead"),
            dead_exchange: format!("{name}.dead-letters"),
            notices_exchange: format!("{name}.notices"),
            bindings: vec!["usage.recorded".to_owned(), "payment.#".to_owned()],
            topology: TopologyMode::Declare,
            prefetch: 1000,
            delivery_limit: 100,
            heartbeat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(10),
            confirm_timeout: Duration::from_secs(10),
            message_max_bytes: 1 << 20,
            ca_file: None,
        };
        Self { settings }
    }

    pub(crate) async fn declared() -> Self {
        let world = Self::empty();
        ensure_topology(&world.settings).await.unwrap();
        world
    }

    pub(crate) async fn with_delivery_limit(delivery_limit: u32) -> Self {
        let mut world = Self::empty();
        world.settings.delivery_limit = delivery_limit;
        ensure_topology(&world.settings).await.unwrap();
        world
    }

    pub(crate) async fn subscription(&self) -> Subscription {
        Subscription::open(&self.settings).await.unwrap()
    }

    pub(crate) async fn publisher(&self) -> Publisher {
        Publisher::open(&self.settings).await.unwrap()
    }

    /// Publishes usage events with these bodies, and sees them confirmed.
    pub(crate) async fn publish(&self, bodies: impl IntoIterator<Item = String>) {
        let window: Vec<_> = bodies.into_iter().map(|body| self.event(&body, &body)).collect();
        let mut publisher = self.publisher().await;

        let publications = publisher.publish(&window).await.unwrap();

        assert_eq!(publications, vec![Publication::Confirmed; window.len()]);
        publisher.close().await;
    }

    /// An event that the queue takes.
    pub(crate) fn event(&self, message_id: &str, body: &str) -> Outgoing {
        Outgoing {
            exchange: self.settings.events_exchange.clone(),
            routing_key: "usage.recorded".to_owned(),
            message_id: message_id.to_owned(),
            kind: None,
            content_type: None,
            app_id: None,
            timestamp_seconds: None,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            mandatory: true,
        }
    }

    /// An event that no queue takes.
    pub(crate) fn stray(&self, message_id: &str) -> Outgoing {
        Outgoing { routing_key: "nobody.listens".to_owned(), ..self.event(message_id, message_id) }
    }

    /// A subscription to the dead letters.
    pub(crate) async fn graveyard(&self) -> Subscription {
        let queue = self.settings.dead_queue.clone();
        Subscription::open(&BrokerSettings { queue, ..self.settings.clone() }).await.unwrap()
    }

    /// Waits until the queue holds exactly this many deliveries that are with no consumer.
    pub(crate) async fn wait_for_ready(&self, count: u32) {
        wait_for_messages(&self.settings.queue, count).await;
    }

    /// Waits until exactly this many dead letters are with no consumer.
    pub(crate) async fn wait_for_dead(&self, count: u32) {
        wait_for_messages(&self.settings.dead_queue, count).await;
    }

    pub(crate) async fn delete_queue(&self) {
        let (_connection, channel) = raw_channel().await;
        let queue = self.settings.queue.as_str().into();
        channel.queue_delete(queue, QueueDeleteOptions::default()).await.unwrap();
    }

    async fn delete_everything(&self) {
        let (_connection, channel) = raw_channel().await;
        for queue in [&self.settings.queue, &self.settings.dead_queue] {
            let options = QueueDeleteOptions::default();
            channel.queue_delete(queue.as_str().into(), options).await.unwrap();
        }
        let settings = &self.settings;
        for exchange in
            [&settings.events_exchange, &settings.dead_exchange, &settings.notices_exchange]
        {
            let options = ExchangeDeleteOptions::default();
            channel.exchange_delete(exchange.as_str().into(), options).await.unwrap();
        }
    }
}

impl Drop for World {
    /// On a thread and runtime of its own, so that a failed test leaves nothing behind either.
    fn drop(&mut self) {
        let deleted = std::thread::scope(|scope| {
            let deleting = scope.spawn(|| {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                let runtime = builder.enable_all().build().unwrap();
                runtime.block_on(within(self.delete_everything()));
            });
            deleting.join()
        });
        // A second panic would hide the first.
        assert!(deleted.is_ok() || std::thread::panicking(), "exchanges or queues are left over");
    }
}

async fn wait_for_messages(queue: &str, count: u32) {
    let (_connection, channel) = raw_channel().await;
    let mut last = None;
    let counting = async {
        while last != Some(count) {
            let options = QueueDeclareOptions { passive: true, ..Default::default() };
            let declared = channel.queue_declare(queue.into(), options, FieldTable::default());
            last = Some(declared.await.unwrap().message_count());
        }
    };
    let waited = tokio::time::timeout(PATIENCE, counting).await;
    assert!(waited.is_ok(), "{last:?} messages are in {queue}, not {count}");
}

pub(crate) fn broker_url() -> String {
    std::env::var("CREDITD_TEST_AMQP")
        .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672".to_owned())
}

/// The broker's `host:port`.
pub(crate) fn broker_address() -> String {
    let uri: lapin::uri::AMQPUri = broker_url().parse().unwrap();
    format!("{}:{}", uri.authority.host, uri.authority.port)
}

/// The broker without our code in between.
pub(crate) async fn raw_channel() -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker_url(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Waits for what must come, and fails when it does not.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it never ended")
}

/// Gathers until `count` deliveries are here.
pub(crate) async fn gather_all(subscription: &mut Subscription, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(within(subscription.gather(count.saturating_sub(all.len()))).await.unwrap());
    }
    all
}

pub(crate) fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| std::str::from_utf8(&delivery.message.body).unwrap()).collect()
}

pub(crate) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("event {number}")).collect()
}
