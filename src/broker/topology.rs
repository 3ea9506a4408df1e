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
        TopologyMode::Verify => verify(&link, &names).await,
    };
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
}

/// The dead letters' way first: a queue must not point to an exchange that is not there.
async fn declare(maker: &Maker<'_>, names: &Names, delivery_limit: u32) -> Result<(), BrokerError> {
    maker.exchange(&names.dead_exchange, ExchangeKind::Fanout).await?;
    maker.queue(&names.dead_queue, arguments(DEAD_DELIVERY_LIMIT)).await?;
    maker.bind(&names.dead_queue, &names.dead_exchange, &ShortString::default()).await?;

    let mut main = arguments(delivery_limit);
    main.insert("x-dead-letter-exchange".into(), text(names.dead_exchange.as_str()));
    main.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    main.insert("x-overflow".into(), text("reject-publish"));
    maker.exchange(&names.events_exchange, ExchangeKind::Topic).await?;
    maker.queue(&names.queue, main).await?;
    for key in &names.bindings {
        maker.bind(&names.queue, &names.events_exchange, key).await?;
    }

    maker.exchange(&names.notices_exchange, ExchangeKind::Topic).await
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

/// Asks for each object by itself, so that all that is missing can be named. The broker closes the
/// channel on each that it does not find.
async fn verify(link: &Link, names: &Names) -> Result<(), BrokerError> {
    let exchanges = [&names.dead_exchange, &names.events_exchange, &names.notices_exchange];
    let queues = [&names.dead_queue, &names.queue];
    let mut missing = Vec::new();

    for name in exchanges {
        let channel = link.channel().await?;
        let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let kind = ExchangeKind::Topic;
        let found = channel.exchange_declare(name.clone(), kind, options, FieldTable::default());
        let object = format!("exchange `{name}`");
        missing.extend(absent(link.operate(looking(&object), found).await, object)?);
        link.end(channel).await;
    }
    for name in queues {
        let channel = link.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let found = channel.queue_declare(name.clone(), options, FieldTable::default());
        let object = format!("queue `{name}`");
        missing.extend(absent(link.operate(looking(&object), found).await, object)?);
        link.end(channel).await;
    }

    if missing.is_empty() { Ok(()) } else { Err(BrokerError::Missing { objects: missing }) }
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
