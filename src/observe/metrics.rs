//! The numbers that a Prometheus server collects.
//!
//! Label values are closed sets: an event's type that is none of ours counts as `other`, and no
//! label ever names an account. Callers see methods, never labels.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

const PREFIX: &str = "creditd";
const OTHER: &str = "other";

const TYPES: [&str; 13] = [
    "payment.succeeded",
    "payment.failed",
    "invoice.refunded",
    "invoice.voided",
    "payment.disputed",
    "usage.recorded",
    "usage.reversed",
    "credits.adjusted",
    "account.updated",
    "lot.open",
    "lot.warn",
    "lot.expire",
    "balance.look",
];
const OUTCOMES: [&str; 5] = ["applied", "duplicate", "parked", "ignored", "declined"];

/// Reasons for parking are a closed list elsewhere; this only bounds what a mistake there can do.
const REASONS_MAX: usize = 64;

const BATCH_BUCKETS: [f64; 11] =
    [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_000.0];
const COMMIT_BUCKETS: [f64; 12] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const LAG_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// A server whose connection had to be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Broker,
    Database,
}

/// All metrics of the process; a clone counts into the same ones.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

type Label = (&'static str, &'static str);
type Seconds = Gauge<f64, AtomicU64>;

struct Inner {
    registry: Registry,
    events: Family<[Label; 2], Counter>,
    batch_events: Histogram,
    commit_seconds: Histogram,
    lag_seconds: Histogram,
    outbox_depth: Gauge,
    outbox_oldest_seconds: Seconds,
    parked: Family<[(&'static str, String); 1], Gauge>,
    /// Reasons that have been shown, so that one that no longer occurs goes to zero.
    parked_reasons: Mutex<BTreeSet<String>>,
    waiting: Gauge,
    waiting_oldest_seconds: Seconds,
    redeliveries: Counter,
    reconnects: Family<[Label; 1], Counter>,
    dead_lettered: Counter,
    notices_published: Counter,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut names = Names(&mut registry);
        let inner = Inner {
            events: names.add("events", "Events settled, by type and outcome", Family::default()),
            batch_events: names.add(
                "batch_events",
                "Events in one batch",
                Histogram::new(BATCH_BUCKETS),
            ),
            commit_seconds: names.add(
                "commit_seconds",
                "How long the transaction of one batch took",
                Histogram::new(COMMIT_BUCKETS),
            ),
            lag_seconds: names.add(
                "lag_seconds",
                "From an event's arrival to its commit",
                Histogram::new(LAG_BUCKETS),
            ),
            outbox_depth: names.add("outbox_depth", "Notices not yet published", Gauge::default()),
            outbox_oldest_seconds: names.add(
                "outbox_oldest_seconds",
                "Age of the oldest notice not yet published",
                Seconds::default(),
            ),
            parked: names.add("parked", "Events parked, by reason", Family::default()),
            parked_reasons: Mutex::default(),
            waiting: names.add(
                "waiting",
                "Refunds, voids and disputes whose payment, and reversals whose usage has not come",
                Gauge::default(),
            ),
            waiting_oldest_seconds: names.add(
                "waiting_oldest_seconds",
                "Age of the oldest of those that wait",
                Seconds::default(),
            ),
            redeliveries: names.add(
                "redeliveries",
                "Messages that the broker had delivered before",
                Counter::default(),
            ),
            reconnects: names.add(
                "reconnects",
                "Connections made again after a loss, by server",
                Family::default(),
            ),
            dead_lettered: names.add(
                "dead_lettered",
                "Messages that could not even be parked",
                Counter::default(),
            ),
            notices_published: names.add(
                "notices_published",
                "Notices that the broker confirmed",
                Counter::default(),
            ),
            registry,
        };
        inner.start_at_zero();
        Self(Arc::new(inner))
    }

    /// Events settled with one outcome; the type is the decoded one, without prefix.
    pub fn settled(&self, event_type: &str, outcome: &str, count: u64) {
        let labels =
            [("type", one_of(&TYPES, event_type)), ("outcome", one_of(&OUTCOMES, outcome))];
        self.0.events.get_or_create(&labels).inc_by(count);
    }

    pub fn batch(&self, events: usize) {
        self.0.batch_events.observe(u32::try_from(events).unwrap_or(u32::MAX).into());
    }

    /// How long the transaction of a batch took, from its first statement to its commit.
    pub fn committed(&self, took: Duration) {
        self.0.commit_seconds.observe(took.as_secs_f64());
    }

    /// How long one event took from its arrival here to its commit.
    pub fn lag(&self, lag: Duration) {
        self.0.lag_seconds.observe(lag.as_secs_f64());
    }

    /// Notices not yet published; `oldest` is zero when there are none.
    pub fn set_outbox(&self, depth: u64, oldest: Duration) {
        self.0.outbox_depth.set(gauged(depth));
        self.0.outbox_oldest_seconds.set(oldest.as_secs_f64());
    }

    /// All parked events, by reason; a reason that is not named has none.
    pub fn set_parked<'a>(&self, counts: impl IntoIterator<Item = (&'a str, u64)>) {
        let mut reasons = self.0.parked_reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = reasons.clone();
        for (reason, count) in counts {
            let has_room = reasons.len() < REASONS_MAX || reasons.contains(reason);
            let reason = if has_room { reason } else { OTHER };
            self.0.parked.get_or_create(&[("reason", reason.to_owned())]).set(gauged(count));
            gone.remove(reason);
            reasons.insert(reason.to_owned());
        }
        for reason in gone {
            self.0.parked.get_or_create(&[("reason", reason)]).set(0);
        }
    }

    /// What waits for its payment; `oldest` is zero when nothing does.
    pub fn set_waiting(&self, count: u64, oldest: Duration) {
        self.0.waiting.set(gauged(count));
        self.0.waiting_oldest_seconds.set(oldest.as_secs_f64());
    }

    pub fn redelivered(&self, count: u64) {
        self.0.redeliveries.inc_by(count);
    }

    pub fn reconnected(&self, server: Server) {
        self.0.reconnects.get_or_create(&[server.label()]).inc();
    }

    pub fn dead_lettered(&self, count: u64) {
        self.0.dead_lettered.inc_by(count);
    }

    /// Notices that the broker confirmed.
    pub fn notices_published(&self, count: u64) {
        self.0.notices_published.inc_by(count);
    }

    /// Everything, as OpenMetrics text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Inner {
    /// A counter that only appears with its first event can't show that event as a rise.
    fn start_at_zero(&self) {
        for event_type in TYPES.into_iter().chain([OTHER]) {
            for outcome in OUTCOMES {
                drop(self.events.get_or_create(&[("type", event_type), ("outcome", outcome)]));
            }
        }
        for server in [Server::Broker, Server::Database] {
            drop(self.reconnects.get_or_create(&[server.label()]));
        }
    }
}

impl Server {
    fn label(self) -> Label {
        match self {
            Self::Broker => ("server", "broker"),
            Self::Database => ("server", "database"),
        }
    }
}

/// Registers a metric and hands back the same one to count into.
struct Names<'a>(&'a mut Registry);

impl Names<'_> {
    fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

fn one_of(known: &[&'static str], value: &str) -> &'static str {
    known.iter().find(|known| **known == value).copied().unwrap_or(OTHER)
}

fn gauged(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
