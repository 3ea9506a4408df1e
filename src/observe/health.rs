//! Whether this process lives and whether it can work: two questions, never mixed. Alive means
//! that its loops move; a server that is away is not the process's fault, and restarting it would
//! not help. Ready means that both servers can be used.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What the process says of itself; a clone says the same. Nothing is ready at first.
#[derive(Clone, Debug)]
pub struct Health(Arc<State>);

/// The heartbeat of one loop. It counts as stuck if it is not touched within its bound, and also
/// when the loop has ended: a loop that starts again registers again under its name.
#[derive(Clone, Debug)]
pub struct Beat {
    started_at: Instant,
    /// Milliseconds from `started_at` to the last touch.
    touched_ms: Arc<AtomicU64>,
}

/// A loop that has not moved for longer than it said it would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub name: &'static str,
    pub still_for: Duration,
    pub bound: Duration,
}

#[derive(Debug)]
struct State {
    started_at: Instant,
    loops: Mutex<BTreeMap<&'static str, Watched>>,
    is_database_ready: AtomicBool,
    is_broker_ready: AtomicBool,
    is_publisher_blocked: AtomicBool,
}

#[derive(Debug)]
struct Watched {
    bound: Duration,
    beat: Beat,
}

impl Health {
    pub fn new() -> Self {
        Self(Arc::new(State {
            started_at: Instant::now(),
            loops: Mutex::default(),
            is_database_ready: AtomicBool::new(false),
            is_broker_ready: AtomicBool::new(false),
            is_publisher_blocked: AtomicBool::new(false),
        }))
    }

    /// Registers a loop that promises to touch its beat at least once in `bound`, whatever it
    /// waits for. Registering a name again replaces the former beat.
    pub fn beat(&self, name: &'static str, bound: Duration) -> Beat {
        let beat = Beat { started_at: self.0.started_at, touched_ms: Arc::default() };
        beat.touch();
        self.loops().insert(name, Watched { bound, beat: beat.clone() });
        beat
    }

    pub fn set_database_ready(&self, is_ready: bool) {
        self.0.is_database_ready.store(is_ready, Ordering::Relaxed);
    }

    pub fn set_broker_ready(&self, is_ready: bool) {
        self.0.is_broker_ready.store(is_ready, Ordering::Relaxed);
    }

    /// Whether the broker has stopped taking what we publish: a disk or memory alarm.
    pub fn set_publisher_blocked(&self, is_blocked: bool) {
        self.0.is_publisher_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// The loops that do not move; empty means alive.
    pub fn stuck(&self) -> Vec<Stuck> {
        self.stuck_at(Instant::now())
    }

    /// Why this process can't work now; empty means ready.
    pub fn unready(&self) -> Vec<&'static str> {
        let state = &self.0;
        [
            (!state.is_database_ready.load(Ordering::Relaxed), "the database can't be reached"),
            (!state.is_broker_ready.load(Ordering::Relaxed), "the broker can't be reached"),
            (
                state.is_publisher_blocked.load(Ordering::Relaxed),
                "the broker blocks publishers: its disk or memory is short",
            ),
        ]
        .into_iter()
        .filter_map(|(holds, why)| holds.then_some(why))
        .collect()
    }

    fn stuck_at(&self, now: Instant) -> Vec<Stuck> {
        let stuck = |(name, watched): (&&'static str, &Watched)| {
            let still_for = watched.beat.still_for(now);
            let bound = watched.bound;
            (bound < still_for).then_some(Stuck { name, still_for, bound })
        };
        self.loops().iter().filter_map(stuck).collect()
    }

    fn loops(&self) -> MutexGuard<'_, BTreeMap<&'static str, Watched>> {
        self.0.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Beat {
    /// The loop has moved. Cheap enough for every turn of it.
    pub fn touch(&self) {
        self.touch_at(Instant::now());
    }

    fn touch_at(&self, now: Instant) {
        self.touched_ms.store(self.age_ms(now), Ordering::Relaxed);
    }

    fn still_for(&self, now: Instant) -> Duration {
        let touched_ms = self.touched_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.age_ms(now).saturating_sub(touched_ms))
    }

    fn age_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.started_at).as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, still_for, bound } = self;
        write!(f, "{name} has not moved for {still_for:?}, longer than {bound:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(10);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_process_without_loops_is_alive_but_not_ready() {
        let health = Health::new();

        assert_eq!(health.stuck(), []);
        assert_eq!(
            health.unready(),
            ["the database can't be reached", "the broker can't be reached"]
        );
    }

    #[test]
    fn a_loop_is_stuck_one_past_its_bound() {
        let health = Health::new();
        let touched_at = health.0.started_at + BOUND * 5;
        health.beat("intake", BOUND).touch_at(touched_at);

        assert_eq!(health.stuck_at(touched_at + BOUND), []);
        assert_eq!(
            health.stuck_at(touched_at + BOUND + MS),
            [Stuck { name: "intake", still_for: BOUND + MS, bound: BOUND }]
        );
    }

    #[test]
    fn a_touch_makes_a_stuck_loop_live_again() {
        let health = Health::new();
        let beat = health.beat("relay", BOUND);
        let late = health.0.started_at + BOUND * 9;

        assert_eq!(health.stuck_at(late).len(), 1);
        beat.touch_at(late);

        assert_eq!(health.stuck_at(late), []);
    }

    #[test]
    fn only_the_loop_that_stands_still_is_named() {
        let health = Health::new();
        let late = health.0.started_at + BOUND * 2;
        health.beat("intake", BOUND).touch_at(late);
        let _relay = health.beat("relay", BOUND);
        let _clock = health.beat("clock", BOUND * 3);

        let names: Vec<_> = health.stuck_at(late).into_iter().map(|stuck| stuck.name).collect();

        assert_eq!(names, ["relay"]);
    }

    #[test]
    fn a_loop_that_ended_counts_as_stuck_until_it_is_started_again() {
        let health = Health::new();
        drop(health.beat("relay", BOUND));
        let late = health.0.started_at + BOUND * 2;

        assert_eq!(health.stuck_at(late).len(), 1);
        health.beat("relay", BOUND).touch_at(late);

        assert_eq!(health.stuck_at(late), []);
    }

    #[test]
    fn ready_means_both_servers_usable_and_not_blocked() {
        let health = Health::new();
        health.set_database_ready(true);
        health.set_broker_ready(true);
        assert_eq!(health.unready(), Vec::<&str>::new());

        health.clone().set_publisher_blocked(true);

        assert_eq!(health.unready().len(), 1);
        assert!(health.unready()[0].contains("blocks publishers"));
    }
}
