//! Deliveries in, acknowledgements out.
//!
//! A batch is what has arrived, never what might: [`Subscription::gather`] waits for the first
//! delivery and takes the rest without waiting. Memory is bounded by the prefetch alone, because
//! lapin's own buffer has no bound; so the prefetch is set before consuming begins.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ChannelState, Consumer, ErrorKind};
use tokio::time::timeout;

use super::link::{Frames, Link};
use super::wire::{self, short};
use super::{BrokerError, BrokerSettings};
use crate::event::Message;

/// One consumer of the queue, on a connection of its own. It never repairs itself: after an `Err`
/// it is thrown away, and all that was not acknowledged is delivered again to the next one.
pub struct Subscription {
    link: Link,
    consumer: Consumer,
    settler: Settler,
    queue: String,
    has_ended: bool,
}

pub struct Delivery {
    pub tag: u64,
    pub redelivered: bool,
    pub message: Message,
}

/// Room made for a gathering before anything is known of its size.
const GATHERED_AT_FIRST: usize = 64;

impl Subscription {
    pub async fn open(settings: &BrokerSettings) -> Result<Self, BrokerError> {
        let queue = short("the name of the queue", &settings.queue)?;
        let link = Link::open(settings, Frames::AsTheBrokerHas).await?;
        let channel = link.channel().await?;
        // Zero would mean no bound. Never global: quorum queues kill the connection for it.
        let prefetch = settings.prefetch.max(1);
        let qos = channel.basic_qos(prefetch, BasicQosOptions { global: false });
        link.operate("set the prefetch", qos).await?;
        let consume = channel.basic_consume(
            queue,
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let doing = format!("subscribe to queue `{}`", settings.queue);
        let consumer = link.operate(doing, consume).await?;
        let settler = Settler {
            channel,
            operation_timeout: settings.operation_timeout,
            settled: Arc::default(),
        };
        Ok(Self { link, consumer, settler, queue: settings.queue.clone(), has_ended: false })
    }

    /// Waits until something has arrived, then takes what is there at once, at most `max` (zero
    /// counts as one). Never empty, and never lingers for a batch to fill.
    ///
    /// Cancel safe: nothing is taken before the one wait is over. There is no deadline, since an
    /// empty queue is no fault; a dead peer ends the wait after two heartbeats.
    pub async fn gather(&mut self, max: usize) -> Result<Vec<Delivery>, BrokerError> {
        if self.has_ended {
            return Err(BrokerError::Unusable);
        }
        let first = self.consumer.next().await;
        let mut gathered = Vec::with_capacity(max.clamp(1, GATHERED_AT_FIRST));
        gathered.push(self.taken(first)?);
        while gathered.len() < max
            && let Some(next) = self.consumer.next().now_or_never()
        {
            // What was taken before a fault goes back to the queue with the rest: its channel is
            // gone, so it could no longer be acknowledged.
            gathered.push(self.taken(next)?);
        }
        if let Some(last) = gathered.last() {
            self.settler.lock().delivered = last.tag;
        }
        Ok(gathered)
    }

    pub fn settler(&self) -> Settler {
        self.settler.clone()
    }

    /// Takes leave of the broker, bounded by the time for one request; what is not acknowledged
    /// goes back to the queue.
    pub async fn close(self) {
        self.link.close().await;
    }

    fn taken(
        &mut self,
        next: Option<lapin::Result<lapin::message::Delivery>>,
    ) -> Result<Delivery, BrokerError> {
        match next {
            Some(Ok(delivery)) => Ok(wire::delivery(delivery)),
            Some(Err(source)) => {
                self.has_ended = true;
                if matches!(source.kind(), ErrorKind::ParsingError(_)) {
                    return Err(BrokerError::Unreadable { source });
                }
                Err(BrokerError::while_trying_to("go on consuming")(source))
            }
            None => {
                self.has_ended = true;
                Err(BrokerError::Cancelled { queue: self.queue.clone() })
            }
        }
    }
}

/// Settles deliveries of the subscription it came from, in the order in which its calls are made:
/// one caller at a time. Once that subscription is gone, settling does nothing and is no error,
/// because the broker delivers again what was open.
///
/// An `Ok` means that the broker was told; that it listened, only the absence of a redelivery says.
#[derive(Clone)]
pub struct Settler {
    channel: Channel,
    operation_timeout: Duration,
    settled: Arc<Mutex<Settled>>,
}

/// What the broker was told, so that it is told once: settling a delivery twice makes it close
/// the channel, and all that is open comes back.
#[derive(Default)]
struct Settled {
    delivered: u64,
    /// All up to here are settled.
    through: u64,
    /// Settled one by one beyond `through`; never more than the prefetch.
    rejected: BTreeSet<u64>,
}

impl Settler {
    /// Acknowledges every unsettled delivery up to and including `tag`. A tag that is covered
    /// already is fine.
    pub async fn ack_through(&self, tag: u64) -> Result<(), BrokerError> {
        let Some(tag) = self.lock().ack_through(tag)? else {
            return Ok(());
        };
        let told = self.channel.basic_ack(tag, BasicAckOptions { multiple: true });
        self.tell("acknowledge deliveries", told).await
    }

    /// Rejects one delivery without requeue, so that the broker dead-letters it. Comes before an
    /// [`ack_through`](Self::ack_through) that would cover it. Saying it twice is fine.
    pub async fn dead_letter(&self, tag: u64) -> Result<(), BrokerError> {
        if !self.lock().reject(tag)? {
            return Ok(());
        }
        let told = self.channel.basic_reject(tag, BasicRejectOptions { requeue: false });
        self.tell("dead-letter a delivery", told).await
    }

    async fn tell(
        &self,
        doing: &'static str,
        told: impl Future<Output = lapin::Result<()>>,
    ) -> Result<(), BrokerError> {
        match timeout(self.operation_timeout, told).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_stale(&error) => Ok(()),
            Ok(Err(error)) => Err(BrokerError::while_trying_to(doing)(error)),
            Err(_) => {
                Err(BrokerError::TimedOut { doing: doing.into(), limit: self.operation_timeout })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settled {
    /// The tag to acknowledge through, if there is still one to tell: the broker wants to find
    /// exactly the tag it is given, so tags at the end that were rejected are left out.
    fn ack_through(&mut self, tag: u64) -> Result<Option<u64>, BrokerError> {
        if self.delivered < tag {
            return Err(BrokerError::NeverDelivered { tag });
        }
        if tag <= self.through {
            return Ok(None);
        }
        let open = (self.through..=tag).rev().find(|tag| !self.rejected.contains(tag));
        let told = open.filter(|open| self.through < *open);
        self.through = tag;
        self.rejected.retain(|rejected| tag < *rejected);
        Ok(told)
    }

    /// Whether the broker is still to be told.
    fn reject(&mut self, tag: u64) -> Result<bool, BrokerError> {
        if self.delivered < tag {
            return Err(BrokerError::NeverDelivered { tag });
        }
        if tag <= self.through {
            return Err(BrokerError::AlreadySettled { tag });
        }
        Ok(self.rejected.insert(tag))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "lapin's error kinds are non-exhaustive")]
fn is_stale(error: &lapin::Error) -> bool {
    match error.kind() {
        ErrorKind::InvalidChannel(_) => true,
        ErrorKind::InvalidChannelState(state, _) => match state {
            ChannelState::Closing | ChannelState::Closed | ChannelState::Error => true,
            ChannelState::Initial | ChannelState::Connected | ChannelState::Reconnecting => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(count: u64) -> Settled {
        Settled { delivered: count, ..Settled::default() }
    }

    #[test]
    fn a_covered_tag_is_not_told_again() {
        let mut settled = delivered(10);

        assert_eq!(settled.ack_through(7).unwrap(), Some(7));
        assert_eq!(settled.ack_through(7).unwrap(), None);
        assert_eq!(settled.ack_through(3).unwrap(), None);
        assert_eq!(settled.ack_through(10).unwrap(), Some(10));
    }

    #[test]
    fn rejected_tags_at_the_end_of_a_batch_are_left_out() {
        let mut settled = delivered(10);
        assert!(settled.reject(9).unwrap());
        assert!(settled.reject(10).unwrap());

        assert_eq!(settled.ack_through(10).unwrap(), Some(8));
        assert!(settled.rejected.is_empty());
    }

    #[test]
    fn a_batch_that_was_rejected_whole_is_not_acknowledged() {
        let mut settled = delivered(4);
        assert_eq!(settled.ack_through(2).unwrap(), Some(2));
        assert!(settled.reject(3).unwrap());
        assert!(settled.reject(4).unwrap());

        assert_eq!(settled.ack_through(4).unwrap(), None);
    }

    #[test]
    fn rejecting_twice_is_told_once_and_rejecting_what_is_acknowledged_is_an_error() {
        let mut settled = delivered(4);

        assert!(settled.reject(3).unwrap());
        assert!(!settled.reject(3).unwrap());
        assert_eq!(settled.ack_through(4).unwrap(), Some(4));
        assert!(matches!(settled.reject(4), Err(BrokerError::AlreadySettled { tag: 4 })));
        assert!(matches!(settled.reject(3), Err(BrokerError::AlreadySettled { tag: 3 })));
    }

    /// Tag 0 would mean "all that is out" to the broker.
    #[test]
    fn tag_zero_and_tags_never_delivered_reach_no_broker() {
        let mut settled = delivered(4);

        assert_eq!(settled.ack_through(0).unwrap(), None);
        assert!(matches!(settled.ack_through(5), Err(BrokerError::NeverDelivered { tag: 5 })));
        assert!(matches!(settled.reject(5), Err(BrokerError::NeverDelivered { tag: 5 })));
    }
}
