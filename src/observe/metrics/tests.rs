//! What a Prometheus server reads of what was counted.

use super::*;

fn has(metrics: &Metrics, line: &str) -> bool {
    metrics.encode().unwrap().lines().any(|shown| shown == line)
}

#[test]
fn every_promised_metric_is_there_from_the_start() {
    let metrics = Metrics::new();
    // Its labels are only known when something is parked.
    metrics.set_parked([("malformed", 0)]);

    let text = metrics.encode().unwrap();

    let shown: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(
        shown,
        [
            "creditd_events counter",
            "creditd_batch_events histogram",
            "creditd_commit_seconds histogram",
            "creditd_lag_seconds histogram",
            "creditd_outbox_depth gauge",
            "creditd_outbox_oldest_seconds gauge",
            "creditd_parked gauge",
            "creditd_waiting gauge",
            "creditd_waiting_oldest_seconds gauge",
            "creditd_redeliveries counter",
            "creditd_reconnects counter",
            "creditd_dead_lettered counter",
            "creditd_notices_published counter",
        ]
    );
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn events_are_counted_by_type_and_outcome() {
    let metrics = Metrics::new();

    metrics.settled("usage.recorded", "applied", 2_000);
    metrics.clone().settled("usage.recorded", "applied", 1);

    assert!(has(
        &metrics,
        "creditd_events_total{type=\"usage.recorded\",outcome=\"applied\"} 2001"
    ));
}

#[test]
fn a_type_that_nobody_knows_is_other_whatever_it_says() {
    let metrics = Metrics::new();

    metrics.settled("order.teleported\"} 1\n", "parked", 1);
    metrics.settled("", "vanished", 1);

    assert!(has(&metrics, "creditd_events_total{type=\"other\",outcome=\"parked\"} 1"));
    assert!(has(&metrics, "creditd_events_total{type=\"other\",outcome=\"other\"} 1"));
}

#[test]
fn batches_commits_and_lag_are_spread_over_buckets() {
    let metrics = Metrics::new();

    metrics.batch(100);
    metrics.batch(101);
    metrics.committed(Duration::from_millis(30));
    metrics.lag(Duration::from_secs(3_600));

    assert!(has(&metrics, "creditd_batch_events_bucket{le=\"100.0\"} 1"));
    assert!(has(&metrics, "creditd_batch_events_bucket{le=\"250.0\"} 2"));
    assert!(has(&metrics, "creditd_commit_seconds_sum 0.03"));
    assert!(has(&metrics, "creditd_lag_seconds_bucket{le=\"600.0\"} 0"));
    assert!(has(&metrics, "creditd_lag_seconds_bucket{le=\"+Inf\"} 1"));
}

#[test]
fn a_reason_that_no_longer_parks_anything_goes_to_zero() {
    let metrics = Metrics::new();

    metrics.set_parked([("malformed", 2), ("conflict", 1)]);
    metrics.set_parked([("conflict", 3)]);

    assert!(has(&metrics, "creditd_parked{reason=\"malformed\"} 0"));
    assert!(has(&metrics, "creditd_parked{reason=\"conflict\"} 3"));
}

#[test]
fn reasons_are_bounded() {
    let metrics = Metrics::new();
    let reasons: Vec<String> = (0..200).map(|number| format!("reason_{number}")).collect();

    metrics.set_parked(reasons.iter().map(|reason| (reason.as_str(), 1)));

    let text = metrics.encode().unwrap();
    let series = text.lines().filter(|line| line.starts_with("creditd_parked{")).count();
    assert_eq!(series, REASONS_MAX + 1);
}

#[test]
fn gauges_say_what_they_were_last_told() {
    let metrics = Metrics::new();

    metrics.set_outbox(7, Duration::from_millis(1_500));
    metrics.set_waiting(2, Duration::from_secs(60));
    metrics.set_waiting(0, Duration::ZERO);

    assert!(has(&metrics, "creditd_outbox_depth 7"));
    assert!(has(&metrics, "creditd_outbox_oldest_seconds 1.5"));
    assert!(has(&metrics, "creditd_waiting 0"));
    assert!(has(&metrics, "creditd_waiting_oldest_seconds 0.0"));
}

#[test]
fn losses_of_either_server_are_counted_from_zero() {
    let metrics = Metrics::new();

    metrics.reconnected(Server::Broker);
    metrics.redelivered(5);
    metrics.dead_lettered(1);
    metrics.notices_published(1_000);

    assert!(has(&metrics, "creditd_reconnects_total{server=\"broker\"} 1"));
    assert!(has(&metrics, "creditd_reconnects_total{server=\"database\"} 0"));
    assert!(has(&metrics, "creditd_redeliveries_total 5"));
    assert!(has(&metrics, "creditd_dead_lettered_total 1"));
    assert!(has(&metrics, "creditd_notices_published_total 1000"));
}
