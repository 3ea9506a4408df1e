//! Messages out, confirmed.
//!
//! A window is written whole, then all its confirms are awaited, then its returns are told apart.
//! Confirms come by position, returns do not: lapin hands a returned message to whichever confirm
//! comes next, which is often a neighbour's. A return precedes its own confirm, so once a window
//! is confirmed all its returns are here, and each is given back to its publication by message id.

use std::collections::HashMap;
use std::time::Duration;

use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};

use super::link::{Alarm, Frames, Link};
use super::{BrokerError, BrokerSettings, wire};

/// One publishing channel, on a connection of its own. One task owns it. It never repairs itself:
/// after an `Err` from the broker it is thrown away.
pub struct Publisher {
    link: Link,
    channel: Channel,
    operation_timeout: Duration,
    confirm_timeout: Duration,
    message_max_bytes: usize,
    is_usable: bool,
}

/// A message to publish; always persistent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub exchange: String,
    pub routing_key: String,
    pub message_id: String,
    /// The AMQP `type` property.
    pub kind: Option<String>,
    pub content_type: Option<String>,
    pub app_id: Option<String>,
    pub timestamp_seconds: Option<u64>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the broker is to return it when no queue takes it.
    pub mandatory: bool,
}

/// What became of one [`Outgoing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publication {
    /// The broker has it, in every queue that it was routed to.
    Confirmed,
    /// It was mandatory and no queue takes it; `reason` is the broker's.
    Returned { reason: String },
    /// The broker could not take it (a nack): a queue was full or failed.
    Refused,
}

impl Publisher {
    pub async fn open(settings: &BrokerSettings) -> Result<Self, BrokerError> {
        let link = Link::open(settings, Frames::Small).await?;
        let channel = link.channel().await?;
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        link.operate("ask for publisher confirms", select).await?;
        Ok(Self {
            link,
            channel,
            operation_timeout: settings.operation_timeout,
            confirm_timeout: settings.confirm_timeout,
            message_max_bytes: settings.message_max_bytes,
            is_usable: true,
        })
    }

    /// Publishes all in order, then awaits all confirms: one [`Publication`] for each [`Outgoing`],
    /// in the order given, within the time for one request and the time for confirms together.
    /// Both stand still while the broker blocks publishers: then this waits for the alarm to end,
    /// and only [`Publisher::alarm`] tells from the outside.
    ///
    /// An `Err` leaves the outcome of the whole window open, and so does dropping the future; the
    /// publisher then answers [`BrokerError::Unusable`] and is opened again. Two errors come before
    /// anything is written and leave it usable: [`BrokerError::TooLong`], which no repetition
    /// mends, and [`BrokerError::Blocked`] when the broker has blocked us already: keep the
    /// publisher, and try again after a while.
    pub async fn publish(&mut self, window: &[Outgoing]) -> Result<Vec<Publication>, BrokerError> {
        if !self.is_usable {
            return Err(BrokerError::Unusable);
        }
        let mut envelopes = Vec::with_capacity(window.len());
        for outgoing in window {
            envelopes.push(Envelope::of(outgoing, self.message_max_bytes)?);
        }
        if self.is_blocked() {
            return Err(BrokerError::Blocked);
        }

        self.is_usable = false;
        let writing = async {
            let mut confirms = Vec::with_capacity(window.len());
            for (outgoing, envelope) in window.iter().zip(envelopes) {
                match envelope.publish(&self.channel, outgoing).await {
                    Ok(confirm) => confirms.push(confirm),
                    Err(error) => return Err(reason(confirms, error).await),
                }
            }
            Ok(confirms)
        };
        let confirms = self.link.patiently(self.operation_timeout, "publish", writing).await?;
        let confirming = async {
            let mut confirmations = Vec::with_capacity(window.len());
            for confirm in confirms {
                confirmations.push(confirm.await?);
            }
            Ok(confirmations)
        };
        let doing = "learn that publications are confirmed";
        let confirmations = self.link.patiently(self.confirm_timeout, doing, confirming).await?;
        let publications = publications(window, confirmations)?;
        self.is_usable = true;
        Ok(publications)
    }

    /// Whether the broker has told us to stop publishing and not yet to go on. It tells a
    /// connection at its first publication during an alarm, not before.
    pub fn is_blocked(&self) -> bool {
        self.link.is_blocked()
    }

    /// The same, to look at while this publishes.
    pub fn alarm(&self) -> Alarm {
        self.link.alarm()
    }

    /// Takes leave of the broker, bounded by the time for one request.
    pub async fn close(self) {
        self.link.close().await;
    }
}

/// What of a message goes before its body, checked.
struct Envelope {
    exchange: ShortString,
    routing_key: ShortString,
    properties: BasicProperties,
}

impl Envelope {
    fn of(outgoing: &Outgoing, max: usize) -> Result<Self, BrokerError> {
        let headers = outgoing.headers.iter().flat_map(|(name, value)| [name.len(), value.len()]);
        let bytes = headers.fold(outgoing.body.len(), usize::saturating_add);
        if max < bytes {
            return Err(BrokerError::TooLong { what: "the message".into(), bytes, max });
        }
        Ok(Self {
            exchange: wire::short("the exchange", &outgoing.exchange)?,
            routing_key: wire::short("the routing key", &outgoing.routing_key)?,
            properties: wire::properties(outgoing)?,
        })
    }

    async fn publish(
        self,
        channel: &Channel,
        outgoing: &Outgoing,
    ) -> lapin::Result<lapin::PublisherConfirm> {
        let options = BasicPublishOptions { mandatory: outgoing.mandatory, immediate: false };
        channel
            .basic_publish(
                self.exchange,
                self.routing_key,
                options,
                &outgoing.body,
                self.properties,
            )
            .await
    }
}

/// Why the broker closed the channel is told to whoever awaits a confirm, and not to the next
/// publication, which only finds it closed.
async fn reason(confirms: Vec<lapin::PublisherConfirm>, error: lapin::Error) -> lapin::Error {
    if let lapin::ErrorKind::InvalidChannelState(..) = error.kind() {
        for confirm in confirms {
            if let Err(reason) = confirm.await {
                return reason;
            }
        }
    }
    error
}

fn publications(
    window: &[Outgoing],
    confirmations: Vec<Confirmation>,
) -> Result<Vec<Publication>, BrokerError> {
    let mut publications = Vec::with_capacity(window.len());
    let mut returns = Vec::new();
    for confirmation in confirmations {
        let (publication, returned) = match confirmation {
            Confirmation::Ack(returned) => (Publication::Confirmed, returned),
            Confirmation::Nack(returned) => (Publication::Refused, returned),
            Confirmation::NotRequested => {
                let reason = "the channel asks for no confirms";
                return Err(BrokerError::Unaccounted { reason });
            }
        };
        publications.push(publication);
        returns.extend(returned);
    }
    if !returns.is_empty() {
        give_back(window, &mut publications, returns)?;
    }
    Ok(publications)
}

/// Publications that share a message id, an exchange and a routing key share their fate, so the
/// first of them that is not marked yet will do.
fn give_back(
    window: &[Outgoing],
    publications: &mut [Publication],
    returns: Vec<BasicReturnMessage>,
) -> Result<(), BrokerError> {
    let mut by_id: HashMap<&str, Vec<usize>> = HashMap::with_capacity(window.len());
    for (index, outgoing) in window.iter().enumerate() {
        by_id.entry(&outgoing.message_id).or_default().push(index);
    }
    for returned in returns {
        let message_id = returned.properties.message_id().as_ref().map_or("", ShortString::as_str);
        let mut candidates = by_id.get(message_id).into_iter().flatten().filter_map(|index| {
            let (outgoing, publication) = (window.get(*index)?, publications.get(*index)?);
            let is_open = !matches!(publication, Publication::Returned { .. });
            let is_same = outgoing.exchange == returned.exchange.as_str()
                && outgoing.routing_key == returned.routing_key.as_str();
            (is_open && is_same).then_some(*index)
        });
        let Some(publication) = candidates.next().and_then(|index| publications.get_mut(index))
        else {
            let reason = "the broker returned one that is not of this window";
            return Err(BrokerError::Unaccounted { reason });
        };
        let reason = format!("{} {}", returned.reply_code, returned.reply_text);
        *publication = Publication::Returned { reason };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lapin::message::Delivery;

    use super::*;

    fn outgoing(message_id: &str, routing_key: &str) -> Outgoing {
        Outgoing {
            exchange: "events".to_owned(),
            routing_key: routing_key.to_owned(),
            message_id: message_id.to_owned(),
            kind: None,
            content_type: None,
            app_id: None,
            timestamp_seconds: None,
            headers: Vec::new(),
            body: Vec::new(),
            mandatory: true,
        }
    }

    fn returned(message_id: &str, routing_key: &str) -> BasicReturnMessage {
        let mut delivery =
            Delivery::mock(0, "events".into(), routing_key.into(), false, Vec::new());
        delivery.properties = BasicProperties::default().with_message_id(message_id.into());
        BasicReturnMessage { delivery, reply_code: 312, reply_text: "NO_ROUTE".into() }
    }

    fn no_route() -> Publication {
        Publication::Returned { reason: "312 NO_ROUTE".to_owned() }
    }

    #[test]
    fn a_return_that_came_with_a_neighbours_confirm_finds_its_own() {
        let window = [outgoing("a", "key"), outgoing("b", "nowhere"), outgoing("c", "key")];
        let confirmations = vec![
            Confirmation::Ack(Some(returned("b", "nowhere"))),
            Confirmation::Ack(None),
            Confirmation::Nack(None),
        ];

        let publications = publications(&window, confirmations).unwrap();

        assert_eq!(publications, [Publication::Confirmed, no_route(), Publication::Refused]);
    }

    #[test]
    fn twins_that_were_both_returned_are_both_marked() {
        let window = [outgoing("a", "nowhere"), outgoing("a", "key"), outgoing("a", "nowhere")];
        let confirmations = vec![
            Confirmation::Ack(None),
            Confirmation::Ack(Some(returned("a", "nowhere"))),
            Confirmation::Ack(Some(returned("a", "nowhere"))),
        ];

        let publications = publications(&window, confirmations).unwrap();

        assert_eq!(publications, [no_route(), Publication::Confirmed, no_route()]);
    }

    #[test]
    fn a_return_of_no_one_here_leaves_the_window_open() {
        let window = [outgoing("a", "key")];
        let confirmations = vec![Confirmation::Ack(Some(returned("z", "key")))];

        let error = publications(&window, confirmations).unwrap_err();

        assert!(matches!(error, BrokerError::Unaccounted { .. }), "{error:?}");
    }

    #[test]
    fn a_channel_that_confirms_nothing_is_an_error() {
        let error =
            publications(&[outgoing("a", "key")], vec![Confirmation::NotRequested]).unwrap_err();

        assert!(matches!(error, BrokerError::Unaccounted { .. }), "{error:?}");
    }
}
