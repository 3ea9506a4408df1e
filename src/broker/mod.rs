//! `RabbitMQ`: topology, subscription, publisher.
//!
//! Must not know the database, the ledger or the daemon; of ours it names only the [`Message`]
//! that decoding reads and the [`Secret`] that the URL is.
//!
//! | part | is |
//! | --- | --- |
//! | `settings` | what all parts are told, typed |
//! | `url` | the broker's address: reading it, and what is odd about it |
//! | `link` | one connection, all of whose waits end, and whose socket ends with it |
//! | `topology` | the exchanges and queues, made or looked for |
//! | `subscription` | deliveries in, acknowledgements out |
//! | `publisher` | messages out, confirmed |
//! | `wire` | between lapin's types and ours |
//!
//! Invariants:
//! - Nothing here repairs itself. Every fault ends in an `Err` within a deadline; whoever gets it
//!   throws the [`Subscription`] or [`Publisher`] away and opens another. lapin's own recovery
//!   stays off: with it on, a black-holed link and a channel that the broker closed hang for ever.
//! - A subscription and a publisher never share a connection: a memory or disk alarm stops a
//!   publishing connection whole, acknowledgements included.
//! - No text of an error or of `Debug` holds the URL's password.
//!
//! [`Message`]: crate::event::Message
//! [`Secret`]: crate::secret::Secret

mod error;
mod link;
mod publisher;
mod settings;
mod subscription;
mod topology;
mod url;
mod wire;

pub use error::{BrokerError, library_says};
pub use link::Alarm;
pub use publisher::{Outgoing, Publication, Publisher};
pub use settings::{BrokerSettings, TopologyMode};
pub use subscription::{Delivery, Settler, Subscription};
pub use topology::{compare_topology, ensure_topology, find_intake};
pub use url::url_warnings;
