//! The floor under every latency: a consumer that takes what has arrived, writes the events' keys
//! in one transaction, commits, acknowledges, and passes on what has to be told. No outbox, no
//! confirms, no ledger.

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Consumer};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Fallible;
use crate::nodelay::send_at_once;
use crate::workload::PAYMENT;
use crate::world::{Database, World, connect};

/// Ended when it is dropped.
pub(crate) struct Floor {
    consumer: JoinSet<Fallible<()>>,
    stop: watch::Sender<bool>,
}

const PREFETCH: u16 = 2_000;

struct Link {
    books: PgConnection,
    channel: Channel,
    deliveries: Consumer,
    notices: String,
}

impl Floor {
    pub(crate) async fn start(world: &World, database: &Database) -> Fallible<Self> {
        let mut books = database.connect().await?;
        books.execute("CREATE TABLE floor (event_key UUID PRIMARY KEY)").await?;
        let connection = connect(&world.amqp).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (name, options) = (world.queue_name(), BasicConsumeOptions::default());
        let deliveries = channel
            .basic_consume(name.into(), "floor".into(), options, FieldTable::default())
            .await?;
        send_at_once();
        let link = Link { books, channel, deliveries, notices: world.own("notices") };
        let (stop, stopped) = watch::channel(false);
        let mut consumer = JoinSet::new();
        consumer.spawn(async move {
            link.consume(stopped).await?;
            Ok(connection.close(200, "done".into()).await?)
        });
        Ok(Self { consumer, stop })
    }

    pub(crate) async fn still_runs(&mut self) -> Fallible<()> {
        match self.consumer.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended??;
                Err("the floor's consumer ended by itself".into())
            }
        }
    }

    pub(crate) async fn stop(mut self) -> Fallible<()> {
        self.stop.send_replace(true);
        while let Some(ended) = self.consumer.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl Link {
    async fn consume(mut self, mut stopped: watch::Receiver<bool>) -> Fallible<()> {
        loop {
            let first = tokio::select! {
                first = self.deliveries.next() => first.ok_or("the consumer was cancelled")??,
                _ = stopped.changed() => return Ok(self.books.close().await?),
            };
            let mut arrived = vec![first];
            while let Some(next) = self.deliveries.next().now_or_never() {
                arrived.push(next.ok_or("the consumer was cancelled")??);
            }
            self.handle(arrived).await?;
        }
    }

    async fn handle(&mut self, arrived: Vec<Delivery>) -> Fallible<()> {
        let keys: Vec<Uuid> = arrived.iter().map(key).collect::<Fallible<_>>()?;
        let insert = sqlx::query("INSERT INTO floor SELECT unnest($1::UUID[])").bind(keys);
        insert.execute(&mut self.books).await?;
        for delivery in &arrived {
            if delivery.routing_key.as_str() == PAYMENT {
                self.tell(delivery).await?;
            }
        }
        let Some(last) = arrived.last() else { return Ok(()) };
        last.acker.ack(BasicAckOptions { multiple: true }).await?;
        Ok(())
    }

    async fn tell(&self, delivery: &Delivery) -> Fallible<()> {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_headers(delivery.properties.headers().clone().unwrap_or_default());
        let options = BasicPublishOptions::default();
        let (exchange, key) = (self.notices.as_str().into(), "balance.credited".into());
        self.channel.basic_publish(exchange, key, options, &delivery.data, properties).await?;
        Ok(())
    }
}

fn key(delivery: &Delivery) -> Fallible<Uuid> {
    let id = delivery.properties.message_id().as_ref().ok_or("a message without id")?;
    Ok(id.as_str().parse()?)
}
