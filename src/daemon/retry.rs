//! How long to wait before trying a server again: for ever, with jitter, never shorter than half a
//! second nor longer than ten. A minute of health makes the next failure a first one.
//!
//! The one file that names the `backoff` crate (docs/adr/0004-backoff-in-one-file.md): whoever
//! replaces it replaces the body of this file. Must not know what is retried, and does not sleep.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use tokio::time::Instant;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// Delays are spread by half around an interval, so this interval reaches down to the shortest,
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// and this one up to the longest.
const LAST_INTERVAL: Duration = Duration::from_millis(6_666);
const SPREAD: f64 = 0.5;
const GROWTH: f64 = 2.0;

/// The waits between attempts at one thing. Unlimited: it never says to give up.
#[derive(Debug)]
pub struct Retry {
    backoff: ExponentialBackoff,
    healthy_since: Option<Instant>,
}

impl Retry {
    pub fn new() -> Self {
        let backoff = ExponentialBackoffBuilder::new()
            .with_initial_interval(FIRST_INTERVAL)
            .with_max_interval(LAST_INTERVAL)
            .with_randomization_factor(SPREAD)
            .with_multiplier(GROWTH)
            .with_max_elapsed_time(None)
            .build();
        Self { backoff, healthy_since: None }
    }

    /// The attempt succeeded: what is retried works from now on. Said again before the next
    /// failure, it changes nothing.
    pub fn succeeded(&mut self) {
        self.succeeded_at(Instant::now());
    }

    /// The attempt failed, or what worked has broken: how long to wait before the next attempt.
    /// The waits grow, unless it had worked for a minute.
    pub fn next_delay(&mut self) -> Duration {
        self.next_delay_at(Instant::now())
    }

    fn succeeded_at(&mut self, now: Instant) {
        self.healthy_since.get_or_insert(now);
    }

    fn next_delay_at(&mut self, now: Instant) -> Duration {
        let healthy_since = self.healthy_since.take();
        if healthy_since.is_some_and(|since| HEALTHY_AFTER <= now.duration_since(since)) {
            self.backoff.reset();
        }
        // Without a limit on the elapsed time there is always a next one.
        self.backoff.next_backoff().unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every delay of the first attempt is at most this long.
    const FIRST_AT_MOST: Duration = Duration::from_millis(1_501);
    /// Every delay after many failures is at least this long.
    const LAST_AT_LEAST: Duration = Duration::from_millis(3_333);

    fn after_many_failures() -> Retry {
        let mut retry = Retry::new();
        for _ in 0..20 {
            retry.next_delay();
        }
        retry
    }

    #[test]
    fn every_delay_lies_between_half_a_second_and_ten() {
        let mut retry = Retry::new();

        for _ in 0..10_000 {
            let delay = retry.next_delay();
            assert!((SHORTEST..=LONGEST).contains(&delay), "{delay:?}");
        }
    }

    #[test]
    fn the_first_delay_is_short_and_later_ones_are_long() {
        for _ in 0..100 {
            assert!(Retry::new().next_delay() <= FIRST_AT_MOST);
            assert!(LAST_AT_LEAST <= after_many_failures().next_delay());
        }
    }

    #[test]
    fn two_daemons_do_not_try_again_in_step() {
        let delays: std::collections::BTreeSet<_> =
            (0..100).map(|_| Retry::new().next_delay()).collect();

        assert!(90 < delays.len(), "{} different delays of 100", delays.len());
    }

    #[test]
    fn a_minute_of_health_makes_the_next_failure_a_first_one() {
        let mut retry = after_many_failures();
        let connected_at = Instant::now();
        retry.succeeded_at(connected_at);

        let delay = retry.next_delay_at(connected_at + HEALTHY_AFTER);

        assert!(delay <= FIRST_AT_MOST, "{delay:?}");
    }

    #[test]
    fn a_connection_that_breaks_within_a_minute_does_not_start_over() {
        let mut retry = after_many_failures();
        let connected_at = Instant::now();
        retry.succeeded_at(connected_at);

        let just_short = connected_at + HEALTHY_AFTER - Duration::from_millis(1);

        assert!(LAST_AT_LEAST <= retry.next_delay_at(just_short));
    }

    #[test]
    fn health_ends_with_the_failure_that_follows_it() {
        let mut retry = after_many_failures();
        let connected_at = Instant::now();
        retry.succeeded_at(connected_at);
        retry.next_delay_at(connected_at);

        // Nothing worked since: the old success must not count as a minute of health.
        let delay = retry.next_delay_at(connected_at + HEALTHY_AFTER * 2);

        assert!(LAST_AT_LEAST <= delay, "{delay:?}");
    }

    #[test]
    fn health_is_counted_from_the_first_success() {
        let mut retry = after_many_failures();
        let connected_at = Instant::now();
        retry.succeeded_at(connected_at);
        retry.succeeded_at(connected_at + HEALTHY_AFTER);

        assert!(retry.next_delay_at(connected_at + HEALTHY_AFTER) <= FIRST_AT_MOST);
    }
}
