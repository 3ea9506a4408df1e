//! The exchanges and queues, made or looked for.
//!
//! ```text
//! events exchange (topic) --bindings--> queue (quorum) --dead letters--> dead exchange (fanout)
//!                                                                             |
//! notices exchange (topic) --> whoever subscribes               dead queue (quorum)
//! ```
//!
//! One shape for RabbitMQ 3.10 and 4.x. A dead letter is moved at least once: it leaves the queue
//! only when the dead queue has confirmed it, hence `reject-publish`, without which the broker
//! falls back to "at most once" silently. Delivery limits are explicit and positive: 4.x would
//! assume 20 where 3.10 assumes none, and -1 drops messages on 3.10.

use std::borrow::Cow;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ErrorKind, ExchangeKind};

use super::link::{Frames, Link};
use super::wire::short;
use super::{BrokerError, BrokerSettings, TopologyMode};

/// A dead letter has no further place to go, so looking at it must not use it up.
const DEAD_DELIVERY_LIMIT: u32 = 1_000_000;

/// What to do where settings say that the operator makes them.
const MAKE_IT: &str = "make what is missing, mend its name, or set broker.topology to \"declare\"";
/// Whoever publishes declares nothing: a slip in a name would make a queue that nobody reads.
const START_FIRST: &str = "start `creditd run` once, which declares them, or mend broker.queue \
                           and broker.events_exchange";

/// Makes the exchanges, queues and bindings, or looks for the exchanges and queues, as the
/// settings' mode says, on a connection of its own.
///
/// Declaring again what is there changes nothing. Looking can see that an object exists, not what
/// arguments or bindings it has: AMQP does not tell.
pub async fn ensure_topology(settings: &BrokerSettings) -> Result<(), BrokerError> {
    let names = Names::read(settings)?;
    let link = Link::open(settings, Frames::Small).await?;
    let outcome = match settings.topology {
        TopologyMode::Declare => {
            let maker = Maker { link: &link, channel: link.channel().await? };
            let outcome = declare(&maker, &names, settings.delivery_limit).await;
            link.end(maker.channel).await;
            outcome
        }
        TopologyMode::Verify => {
            let exchanges = names.exchanges().map(|(name, _)| name);
            verify(&link, &exchanges, &[&names.dead_queue, &names.queue], MAKE_IT).await
        }
    };
    link.close().await;
    outcome
}

/// What of the exchanges and queues is not there yet; an error where one is there and differs from
/// the settings, or may not be declared. Nothing is made.
///
/// Bindings are not looked at: AMQP can't ask for one without making it.
pub async fn compare_topology(settings: &BrokerSettings) -> Result<Vec<String>, BrokerError> {
    let names = Names::read(settings)?;
    let link = Link::open(settings, Frames::Small).await?;
    let outcome = compare(&link, &names, settings.delivery_limit).await;
    link.close().await;
    outcome
}

/// Whether the exchange and the queue are there by which events come in. Nothing is made, and no
/// right is needed for it.
pub async fn find_intake(settings: &BrokerSettings) -> Result<(), BrokerError> {
    let names = Names::read(settings)?;
    let link = Link::open(settings, Frames::Small).await?;
    let outcome = verify(&link, &[&names.events_exchange], &[&names.queue], START_FIRST).await;
    link.close().await;
    outcome
}

struct Names {
    events_exchange: ShortString,
    dead_exchange: ShortString,
    notices_exchange: ShortString,
    queue: ShortString,
    dead_queue: ShortString,
    bindings: Vec<ShortString>,
}

impl Names {
    fn read(settings: &BrokerSettings) -> Result<Self, BrokerError> {
        let bindings = settings.bindings.iter().map(|key| short("a binding", key));
        Ok(Self {
            events_exchange: short("the name of the events exchange", &settings.events_exchange)?,
            dead_exchange: short("the name of the dead exchange", &settings.dead_exchange)?,
            notices_exchange: short(
                "the name of the notices exchange",
                &settings.notices_exchange,
            )?,
            queue: short("the name of the queue", &settings.queue)?,
            dead_queue: short("the name of the dead queue", &settings.dead_queue)?,
            bindings: bindings.collect::<Result<_, _>>()?,
        })
    }

    fn exchanges(&self) -> [(&ShortString, ExchangeKind); 3] {
        [
            (&self.dead_exchange, ExchangeKind::Fanout),
            (&self.events_exchange, ExchangeKind::Topic),
            (&self.notices_exchange, ExchangeKind::Topic),
        ]
    }

    fn queues(&self, delivery_limit: u32) -> [(&ShortString, FieldTable); 2] {
        let mut main = arguments(delivery_limit);
        main.insert("x-dead-letter-exchange".into(), text(self.dead_exchange.as_str()));
        main.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        main.insert("x-overflow".into(), text("reject-publish"));
        [(&self.dead_queue, arguments(DEAD_DELIVERY_LIMIT)), (&self.queue, main)]
    }
}

/// The dead letters' way first: a queue must not point to an exchange that is not there.
async fn declare(maker: &Maker<'_>, names: &Names, delivery_limit: u32) -> Result<(), BrokerError> {
    let [dead, events, notices] = names.exchanges();
    let [dead_queue, queue] = names.queues(delivery_limit);
    maker.exchange(dead.0, dead.1).await?;
    maker.queue(dead_queue.0, dead_queue.1).await?;
    maker.bind(dead_queue.0, dead.0, &ShortString::default()).await?;

    maker.exchange(events.0, events.1).await?;
    maker.queue(queue.0, queue.1).await?;
    for key in &names.bindings {
        maker.bind(queue.0, events.0, key).await?;
    }

    maker.exchange(notices.0, notices.1).await
}

/// What is there is declared again, as the daemon would at its start: that changes nothing, and is
/// refused where arguments differ or rights lack. What is not there is left alone.
async fn compare(
    link: &Link,
    names: &Names,
    delivery_limit: u32,
) -> Result<Vec<String>, BrokerError> {
    let mut missing = Vec::new();
    for (name, kind) in names.exchanges() {
        match no_exchange(link, name).await? {
            Some(object) => missing.push(object),
            None => {
                let maker = Maker { link, channel: link.channel().await? };
                maker.exchange(name, kind).await?;
                link.end(maker.channel).await;
            }
        }
    }
    for (name, arguments) in names.queues(delivery_limit) {
        match no_queue(link, name).await? {
            Some(object) => missing.push(object),
            None => {
                let maker = Maker { link, channel: link.channel().await? };
                maker.queue(name, arguments).await?;
                link.end(maker.channel).await;
            }
        }
    }
    Ok(missing)
}

fn arguments(delivery_limit: u32) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(delivery_limit.into()));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

struct Maker<'a> {
    link: &'a Link,
    channel: Channel,
}

impl Maker<'_> {
    async fn exchange(&self, name: &ShortString, kind: ExchangeKind) -> Result<(), BrokerError> {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let made =
            self.channel.exchange_declare(name.clone(), kind, options, FieldTable::default());
        let object = format!("exchange `{name}`");
        self.link.operate(declaring(&object), made).await.map_err(|error| differs(error, object))
    }

    async fn queue(&self, name: &ShortString, arguments: FieldTable) -> Result<(), BrokerError> {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let made = self.channel.queue_declare(name.clone(), options, arguments);
        let object = format!("queue `{name}`");
        match self.link.operate(declaring(&object), made).await {
            Ok(_) => Ok(()),
            Err(error) => Err(differs(error, object)),
        }
    }

    async fn bind(
        &self,
        queue: &ShortString,
        exchange: &ShortString,
        key: &ShortString,
    ) -> Result<(), BrokerError> {
        let bound = self.channel.queue_bind(
            queue.clone(),
            exchange.clone(),
            key.clone(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        let doing = format!("bind queue `{queue}` to exchange `{exchange}` by `{key}`");
        self.link.operate(doing, bound).await
    }
}

fn declaring(object: &str) -> Cow<'static, str> {
    format!("declare {object}").into()
}

/// The refusal to redeclare with other arguments, as an error of its own that says what to do.
fn differs(error: BrokerError, object: String) -> BrokerError {
    match soft_error(&error) {
        Some((AMQPSoftError::PRECONDITIONFAILED, difference)) => {
            BrokerError::Differs { object, difference }
        }
        Some(_) | None => error,
    }
}

/// Asks for each object by itself, so that all that is missing can be named.
async fn verify(
    link: &Link,
    exchanges: &[&ShortString],
    queues: &[&ShortString],
    remedy: &'static str,
) -> Result<(), BrokerError> {
    let mut missing = Vec::new();
    for name in exchanges {
        missing.extend(no_exchange(link, name).await?);
    }
    for name in queues {
        missing.extend(no_queue(link, name).await?);
    }
    if missing.is_empty() { Ok(()) } else { Err(BrokerError::Missing { objects: missing, remedy }) }
}

/// What is missing, if it is. The broker closes the channel on whoever asks for what is not there.
async fn no_exchange(link: &Link, name: &ShortString) -> Result<Option<String>, BrokerError> {
    let channel = link.channel().await?;
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let kind = ExchangeKind::Topic;
    let found = channel.exchange_declare(name.clone(), kind, options, FieldTable::default());
    let object = format!("exchange `{name}`");
    let missing = absent(link.operate(looking(&object), found).await, object)?;
    link.end(channel).await;
    Ok(missing)
}

/// Like [`no_exchange`].
async fn no_queue(link: &Link, name: &ShortString) -> Result<Option<String>, BrokerError> {
    let channel = link.channel().await?;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let found = channel.queue_declare(name.clone(), options, FieldTable::default());
    let object = format!("queue `{name}`");
    let missing = absent(link.operate(looking(&object), found).await, object)?;
    link.end(channel).await;
    Ok(missing)
}

fn looking(object: &str) -> Cow<'static, str> {
    format!("look for {object}").into()
}

fn absent<T>(found: Result<T, BrokerError>, object: String) -> Result<Option<String>, BrokerError> {
    match found {
        Ok(_) => Ok(None),
        Err(error) => match soft_error(&error) {
            Some((AMQPSoftError::NOTFOUND, _)) => Ok(Some(object)),
            Some(_) | None => Err(error),
        },
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "lapin's error kinds are non-exhaustive")]
fn soft_error(error: &BrokerError) -> Option<(AMQPSoftError, String)> {
    let BrokerError::Failed { source, .. } = error else {
        return None;
    };
    match source.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(kind) => Some((kind.clone(), error.get_message().to_string())),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}
