//! The limit of the broker: a consumer that takes every message of the queue, acknowledges it and
//! does nothing else. No consumer can be faster.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::time::timeout;

use crate::Fallible;
use crate::world::{World, connect};

/// What has turned out fastest: a deep prefetch, one acknowledgement for many.
const PREFETCH: u16 = 2_000;
const ACKNOWLEDGED_TOGETHER: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it takes to consume `count` messages, which wait in the queue.
pub(crate) async fn run(world: &World, count: usize) -> Fallible<Duration> {
    let began = Instant::now();
    let connection = connect(&world.amqp).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let (name, options) = (world.queue_name(), BasicConsumeOptions::default());
    let mut deliveries =
        channel.basic_consume(name.into(), "limit".into(), options, FieldTable::default()).await?;
    for taken in 1..=count {
        let delivery = timeout(PATIENCE, deliveries.next()).await?.ok_or("cancelled")??;
        if taken % ACKNOWLEDGED_TOGETHER == 0 || taken == count {
            delivery.acker.ack(BasicAckOptions { multiple: true }).await?;
        }
    }
    // Answered after all that was sent before it.
    channel.close(200, "done".into()).await?;
    let took = began.elapsed();
    connection.close(200, "done".into()).await?;
    Ok(took)
}
