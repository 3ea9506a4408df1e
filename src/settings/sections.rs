//! Every key of `creditd.toml`: its default and its bounds, section by section, and the rules
//! between keys. The example file carries the same defaults; a test compares them.

use std::time::Duration;

use tracing::Level;

use super::reader::Reader;
use super::section::Section;
use super::server::Server;
use super::{
    HttpSettings, IntakeSettings, LogFormat, LogSettings, RelaySettings, RunSettings, Settings,
    SourceSettings,
};
use crate::broker::{BrokerSettings, TopologyMode};
use crate::store::DatabaseSettings;

const DATABASE_URL: &str = "postgres://postgres@127.0.0.1:5432/creditd";
const BROKER_URL: &str = "amqp://guest:guest@127.0.0.1:5672";
const BINDINGS: [&str; 9] = [
    "payment.succeeded",
    "payment.failed",
    "invoice.refunded",
    "invoice.voided",
    "payment.disputed",
    "usage.recorded",
    "usage.reversed",
    "credits.adjusted",
    "account.updated",
];
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 9464);

/// Beside the intake's workers, the relay (reading and renewing its lease), the gauges and the
/// pruner hold some.
const CONNECTIONS_BESIDE_WORKERS: usize = 4;
const DAY_S: u64 = 24 * 60 * 60;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn settings(reader: &mut Reader) -> Settings {
    let intake = reader.section("intake", intake);
    let (database, migrate_on_start) = reader.section("database", database);
    let settings = Settings {
        database,
        migrate_on_start,
        broker: reader.section("broker", |section| broker(section, &intake)),
        intake,
        sources: reader.sections("sources", source).into_iter().collect(),
        relay: reader.section("relay", relay),
        run: reader.section("run", run),
        http: reader.section("http", http),
        log: reader.section("log", log),
    };
    rules(reader, &settings);
    settings
}

fn database(section: &mut Section<'_>) -> (DatabaseSettings, bool) {
    let database = DatabaseSettings {
        url: section.url(Server::Database, DATABASE_URL),
        pool_max: section.integer("pool_max", 8, 4..=500),
        connect_timeout: section.duration("connect_timeout", s(5), ms(100)..=s(300)),
        statement_timeout: section.duration("statement_timeout", s(10), ms(100)..=s(600)),
        writer_role: section.optional_role("writer_role"),
        reader_role: section.optional_role("reader_role"),
    };
    (database, section.switch("migrate_on_start", true))
}

fn broker(section: &mut Section<'_>, intake: &IntakeSettings) -> BrokerSettings {
    BrokerSettings {
        url: section.url(Server::Broker, BROKER_URL),
        connection_name: section.name("connection_name", "creditd"),
        events_exchange: section.name("events_exchange", "billing.events"),
        queue: section.name("queue", "creditd.events"),
        dead_queue: section.name("dead_queue", "creditd.dead"),
        dead_exchange: section.name("dead_exchange", "creditd.dead"),
        notices_exchange: section.name("notices_exchange", "creditd.notices"),
        bindings: section.names("bindings", &BINDINGS),
        topology: section.choice(
            "topology",
            ("declare", TopologyMode::Declare),
            [("verify", TopologyMode::Verify)],
        ),
        // Two full rounds (`daemon::intake`): one in hand, one arrived, so that no worker waits for
        // the network. It bounds memory too: the library's own buffer has no other bound.
        prefetch: section.integer("prefetch", 7_000, 1..=u16::MAX),
        delivery_limit: section.integer("delivery_limit", 200, 1..=100_000),
        heartbeat: section.duration("heartbeat", s(10), s(1)..=s(600)),
        connect_timeout: section.duration("connect_timeout", s(10), ms(100)..=s(300)),
        operation_timeout: section.duration("operation_timeout", s(10), ms(100)..=s(300)),
        confirm_timeout: section.duration("confirm_timeout", s(10), ms(100)..=s(300)),
        message_max_bytes: intake.payload_max_bytes,
        ca_file: section.file("ca_file"),
    }
}

fn intake(section: &mut Section<'_>) -> IntakeSettings {
    IntakeSettings {
        batch_max: section.integer("batch_max", 2_000, 1..=10_000),
        workers: section.integer("workers", 2, 1..=64),
        payload_max_bytes: section.integer("payload_max_bytes", 65_536, 1_024..=16_777_216),
        default_source: section.name("default_source", "creditd"),
        type_prefix: section.optional_name("type_prefix"),
    }
}

fn source(name: &str, section: &mut Section<'_>) -> SourceSettings {
    SourceSettings {
        namespace: section.optional_name("namespace").unwrap_or_else(|| name.to_owned()),
        type_prefix: section.optional_name("type_prefix"),
    }
}

fn relay(section: &mut Section<'_>) -> RelaySettings {
    RelaySettings {
        window: section.integer("window", 1_000, 1..=10_000),
        poll: section.duration("poll", ms(250), ms(10)..=s(60)),
        lease: section.duration("lease", s(4), ms(500)..=s(600)),
        require_subscriber: section.switch("require_subscriber", false),
        notice_retention: section.duration(
            "notice_retention",
            s(30 * DAY_S),
            s(60)..=s(3_650 * DAY_S),
        ),
    }
}

fn run(section: &mut Section<'_>) -> RunSettings {
    RunSettings { shutdown_grace: section.duration("shutdown_grace", s(20), s(1)..=s(600)) }
}

fn http(section: &mut Section<'_>) -> HttpSettings {
    HttpSettings {
        enabled: section.switch("enabled", true),
        listen: section.address("listen", LISTEN.into()),
    }
}

fn log(section: &mut Section<'_>) -> LogSettings {
    LogSettings {
        format: section.choice("format", ("text", LogFormat::Text), [("json", LogFormat::Json)]),
        level: section.choice(
            "level",
            ("info", Level::INFO),
            [
                ("error", Level::ERROR),
                ("warn", Level::WARN),
                ("debug", Level::DEBUG),
                ("trace", Level::TRACE),
            ],
        ),
    }
}

fn rules(reader: &mut Reader, settings: &Settings) {
    let Settings { database, broker, intake, relay, .. } = settings;

    let least = intake.workers.saturating_add(CONNECTIONS_BESIDE_WORKERS);
    reader.rule(
        u32::try_from(least).is_ok_and(|least| least <= database.pool_max),
        &["database.pool_max", "intake.workers"],
        format!("leaves fewer than {least} connections for {} workers", intake.workers),
        "set pool_max to at least intake.workers + 4",
    );
    reader.rule(
        intake.batch_max <= usize::from(broker.prefetch),
        &["broker.prefetch", "intake.batch_max"],
        format!("lets {} messages arrive for batches of {}", broker.prefetch, intake.batch_max),
        "set prefetch to at least intake.batch_max; 2 × workers × batch_max is best",
    );
    reader.rule(
        broker.heartbeat.subsec_millis() == 0,
        &["broker.heartbeat"],
        "is no whole number of seconds, and AMQP counts in seconds".to_owned(),
        "write whole seconds, such as \"10s\"",
    );
    reader.rule(
        broker.queue != broker.dead_queue,
        &["broker.dead_queue", "broker.queue"],
        "is the queue whose dead letters it would hold".to_owned(),
        "give the dead letters a queue of their own",
    );
    exchange_rules(reader, broker);
    reader.rule(
        relay.poll < relay.lease,
        &["relay.lease", "relay.poll"],
        "would run out before it is renewed: it is not longer than poll".to_owned(),
        "set lease to several times poll",
    );
}

fn exchange_rules(reader: &mut Reader, broker: &BrokerSettings) {
    let exchanges = [
        ("broker.dead_exchange", &broker.dead_exchange),
        ("broker.notices_exchange", &broker.notices_exchange),
        ("broker.events_exchange", &broker.events_exchange),
    ];
    for pair in [[0, 1], [0, 2], [1, 2]] {
        let [(key, name), (other, other_name)] = pair.map(|index| exchanges[index]);
        reader.rule(
            name != other_name,
            &[key, other],
            format!("is the same exchange as {other}"),
            "give each of the three its own exchange",
        );
    }
}
