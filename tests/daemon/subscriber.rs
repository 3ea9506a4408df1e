//! An independent subscriber to the notices: it believes what the contract says (semantics 8.1),
//! and remembers everything that it was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;
use tokio::time::timeout;

use creditd::broker::BrokerSettings;

/// A queue that gives nothing for this long has nothing to give.
const SILENCE: Duration = Duration::from_millis(100);

pub(crate) struct Subscriber {
    url: String,
    queue: String,
    /// In the order in which they came.
    pub(crate) heard: Vec<Heard>,
}

#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) id: String,
    /// `None` for `event.parked`.
    pub(crate) account: Option<String>,
    pub(crate) sequence: u64,
    pub(crate) kind: String,
}

impl Subscriber {
    pub(crate) async fn new(settings: &BrokerSettings, queue: String) -> Self {
        let subscriber = Self { url: settings.url.expose().to_owned(), queue, heard: Vec::new() };
        let connection = subscriber.connect().await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let queue = subscriber.queue.as_str();
        channel.queue_declare(queue.into(), options, arguments).await.unwrap();
        channel
            .queue_bind(
                queue.into(),
                settings.notices_exchange.as_str().into(),
                "#".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        connection.close(200, "bound".into()).await.unwrap();
        subscriber
    }

    /// Hears one type of notice from now on, and no other.
    pub(crate) async fn only(&self, exchange: &str, kind: &str) {
        let connection = self.connect().await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let (queue, exchange) = (self.queue.as_str(), exchange);
        let none = FieldTable::default;
        channel.queue_unbind(queue.into(), exchange.into(), "#".into(), none()).await.unwrap();
        let options = QueueBindOptions::default();
        channel
            .queue_bind(queue.into(), exchange.into(), kind.into(), options, none())
            .await
            .unwrap();
        connection.close(200, "bound".into()).await.unwrap();
    }

    /// Takes the exchange away from under whoever publishes to it.
    pub(crate) async fn delete(&self, exchange: &str) {
        let connection = self.connect().await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = ExchangeDeleteOptions::default();
        channel.exchange_delete(exchange.into(), options).await.unwrap();
        connection.close(200, "deleted".into()).await.unwrap();
    }

    async fn connect(&self) -> lapin::Result<Connection> {
        Connection::connect(&self.url, ConnectionProperties::default()).await
    }

    /// Takes what has come since the last time. A broker that is away has nothing to say.
    pub(crate) async fn listen(&mut self) {
        let _away = self.take().await;
    }

    async fn take(&mut self) -> lapin::Result<()> {
        let connection = self.connect().await?;
        let channel = connection.create_channel().await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let queue = self.queue.as_str();
        let mut consumer =
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
        while let Ok(Some(message)) = timeout(SILENCE, consumer.next()).await {
            self.heard.push(Heard::of(&message?.data));
        }
        // What is on its way already is still delivered, and then the end.
        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
        while let Some(message) = consumer.next().await {
            self.heard.push(Heard::of(&message?.data));
        }
        connection.close(200, "heard".into()).await
    }

    pub(crate) fn distinct(&self) -> usize {
        self.heard.iter().map(|heard| &heard.id).collect::<BTreeSet<_>>().len()
    }

    /// How many came more than once.
    pub(crate) fn repeats(&self) -> usize {
        self.heard.len() - self.distinct()
    }

    /// Per account: nothing is left out, and what comes again is what came before.
    pub(crate) fn believes(&self) {
        let mut known: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for heard in &self.heard {
            let Some(account) = &heard.account else { continue };
            let ids = known.entry(account).or_default();
            let place = usize::try_from(heard.sequence).unwrap() - 1;
            assert!(place <= ids.len(), "{heard:?} came after only {} of {account}", ids.len());
            match ids.get(place) {
                Some(id) => assert_eq!(*id, heard.id, "{heard:?} is another than before"),
                None => ids.push(&heard.id),
            }
        }
    }
}

impl Heard {
    fn of(body: &[u8]) -> Self {
        let notice: Value = serde_json::from_slice(body).unwrap();
        let text = |member: &str| notice[member].as_str().map(str::to_owned);
        Self {
            id: text("id").unwrap(),
            account: text("subject"),
            sequence: text("sequence").map_or(0, |sequence| sequence.parse().unwrap()),
            kind: text("type").unwrap(),
        }
    }
}
