//! The commands as a person or a script meets them: exit codes, and what is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::events::{CATALOG, load, payment, usage};
use crate::world::{World, text, until, with};

fn write(world: &World, file: &str, text: &str) -> PathBuf {
    let path = world.config().join(file);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn check_names_every_mistake_with_file_and_line_and_exits_78() {
    let world = World::new().await;
    let said = world.ends(0, &["check"]).await;
    assert!(said.starts_with("settings and catalog are right"), "{said}");

    write(
        &world,
        "creditd.toml",
        "[intake]\nworkers = \"two\"\nbatch_max = 0\n\n[rely]\nwindow = 1\n",
    );
    write(&world, "catalog.toml", &format!("{CATALOG}\n[units.X]\ndecimals = 12\n"));
    let said = world.ends(78, &["check"]).await;

    let line = CATALOG.lines().count() + 3;
    for place in [
        "creditd.toml:2: intake.workers: ".to_owned(),
        "creditd.toml:3: intake.batch_max: ".to_owned(),
        "creditd.toml:5: rely: ".to_owned(),
        format!("catalog.toml:{line}: units.X.decimals: "),
    ] {
        assert!(said.contains(&place), "{place} is not in\n{said}");
    }
    assert!(said.trim_end().ends_with("4 mistakes"), "{said}");
    // The daemon does not start with what check refuses, and says the same.
    let said = world.ends(78, &["run"]).await;
    assert!(said.contains("creditd.toml:3: intake.batch_max: "), "{said}");
    let json: Value =
        serde_json::from_slice(&world.run(&["check", "--json"]).await.stdout).unwrap();
    assert_eq!(json["mistakes"].as_array().unwrap().len(), 4);
    assert_eq!(json["mistakes"][0]["line"], 2);
}

#[tokio::test]
async fn check_online_tells_which_servers_are_away_and_exits_69() {
    let world = World::new().await;
    let said = world.ends(0, &["check", "--online"]).await;
    assert!(said.contains("database: answers") && said.contains("broker: answers"), "{said}");

    // Port 1 is nobody's.
    let nowhere = [
        "--set",
        "database.url=postgres://u@127.0.0.1:1/d",
        "--set",
        "broker.url=amqp://127.0.0.1:1",
    ];
    let said = world.ends(69, &[&["check", "--online"], &nowhere[..]].concat()).await;
    assert!(
        said.contains("database: could not connect to database d at 127.0.0.1:1 as u"),
        "{said}"
    );
    assert!(said.contains("broker: could not connect"), "{said}");
    assert!(said.ends_with("the files are right; the servers are not ready\n"), "{said}");
    for command in [&["migrate"][..], &["balance", "ada"], &["verify"], &["publish", "/dev/null"]] {
        world.ends(69, &[command, &nowhere[..]].concat()).await;
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_exits_64_and_nothing_of_the_others_is_published() {
    let world = World::new().await;
    world.daemon().await.stop().await;
    let events = write(&world, "events.jsonl", &payment("1", "ada", "1"));
    let events = events.to_str().unwrap();

    for command in [
        &["publish", events, "/nowhere/events.jsonl"][..],
        &["simulate", "/nowhere/events.jsonl"],
        &["test", "/nowhere/story.toml"],
    ] {
        let said = world.ends(64, command).await;
        assert!(said.contains("/nowhere/") && said.contains("No such file"), "{said}");
    }
    assert_eq!(world.ready(&world.settings.broker.queue).await, 0);
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_told_with_where_it_was_looked_for() {
    let world = World::new().await;
    let file = world.config().join("creditd.toml");

    for (dir, says) in [
        (Path::new("/nowhere/at/all"), "there is no directory /nowhere/at/all: "),
        (&*file, &*format!("name a directory: {}", world.config().display())),
        (Path::new("/"), "it is looked for in /: make it there"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creditd"));
        command.args(["balance", "ada"]).env("CREDITD_CONFIG", dir);
        let said = text(&command.output().unwrap().stderr);
        assert!(said.contains(says) && said.contains("CREDITD_CONFIG"), "{said}");
    }
}

#[tokio::test]
async fn with_json_an_error_is_an_object_and_its_exit_code_the_same() {
    let world = World::new().await;
    let nowhere = "database.url=postgres://u@127.0.0.1:1/d";

    for (code, command, says) in [
        (64, &["balance"][..], "required arguments"),
        (64, &["simulate", "/nowhere.jsonl"], "/nowhere.jsonl can't be read"),
        (69, &["balance", "ada", "--set", nowhere], "127.0.0.1:1"),
        (78, &["verify", "--set", "intake.workers=0"], "intake.workers"),
    ] {
        let output = world.run(&[command, &["--json"]].concat()).await;

        assert_eq!(output.status.code(), Some(code), "{command:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(error["error"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(text(&output.stdout), "", "{command:?}");
    }
}

#[tokio::test]
async fn who_can_not_connect_says_where_to_and_as_whom_once_and_no_password() {
    let world = World::new().await;
    let database = |url: &str| (vec!["balance", "ada"], format!("database.url=postgres://{url}"));
    let broker = |url: &str| (vec!["publish", "/dev/null"], format!("broker.url=amqp://{url}"));
    // Port 1 is nobody's; the other hangs up on whoever calls.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    std::thread::spawn(move || mute.incoming().for_each(drop));

    for ((command, set), said) in [
        (
            database("eve:hunter2@127.0.0.1:1/books"),
            "database books at 127.0.0.1:1 as eve (is PostgreSQL running there?): ",
        ),
        (
            broker("eve:hunter2@127.0.0.1:1/mine"),
            "the broker at 127.0.0.1:1, vhost mine, as eve (is RabbitMQ running there?): ",
        ),
        (
            database(&format!("eve:hunter2@127.0.0.1:{port}/books")),
            &format!("database books at 127.0.0.1:{port} as eve (is that a PostgreSQL server?): "),
        ),
        (
            broker(&format!("eve:hunter2@127.0.0.1:{port}")),
            &format!(
                "the broker at 127.0.0.1:{port}, vhost /, as eve (is that RabbitMQ's port for \
                 AMQP?): "
            ),
        ),
    ] {
        let ended = world.ends(69, &[&command[..], &["--set", &set]].concat()).await;

        let (place, cause) = ended.rsplit_once("?): ").unwrap();
        assert_eq!(format!("{place}?): "), format!("creditd: could not connect to {said}"));
        assert!(!ended.contains("hunter2"), "{ended}");
        // The libraries would say a cause twice, and where in their own files it came up.
        let causes: Vec<&str> = cause.trim_end().split(": ").collect();
        assert!(causes.windows(2).all(|pair| pair[0] != pair[1]), "{ended}");
        assert!(cause.lines().count() == 1 && !cause.contains("sqlx"), "{ended}");
    }
}

#[tokio::test]
async fn what_the_servers_refuse_has_to_be_mended_and_exits_78() {
    let world = World::new().await;
    let not_ready = "the files are right; the servers are not ready\n";
    let broker = world.settings.broker.url.expose();
    let (_, rest) = broker.split_once("://").unwrap();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let stranger = format!("broker.url=amqp://nobody:wrong@{host}");
    let url = world.settings.database.url.expose();
    let (server, _) = url.rsplit_once('/').unwrap();
    let absent = format!("database.url={server}/creditd_test_nowhere");

    for (setting, says) in [
        ("broker.delivery_limit=77", "queue `"),
        (&stranger, "ACCESS_REFUSED"),
        (&absent, "does not exist"),
    ] {
        let said = world.ends(78, &["check", "--online", "--set", setting]).await;
        assert!(said.contains(says), "{setting}: {said}");
        assert!(said.ends_with(not_ready), "{setting}: {said}");
    }
    let json = world.ends(78, &["check", "--online", "--json", "--set", &stranger]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["servers"][1]["is_away"], false);

    // What is not there yet is named, and not made.
    let missing = ["check", "--online", "--set", "broker.queue=creditd-test-never-made"];
    for _ in 0..2 {
        let said = world.ends(0, &missing).await;
        let names = "creditd run will declare queue `creditd-test-never-made`";
        assert!(said.contains(names), "{said}");
    }
}

#[tokio::test]
async fn publishing_makes_no_queue_and_names_what_is_missing() {
    let world = World::new().await;
    let file = write(&world, "story.jsonl", &payment("p-1", "ada", "in-1"));
    let args = ["publish", file.to_str().unwrap(), "--set", "broker.queue=creditd-test-nobodys"];

    for _ in 0..2 {
        let said = world.ends(78, &args).await;
        assert!(said.contains("could not find in the broker: queue `creditd-test-nobodys`"));
        assert!(said.contains("start `creditd run` once"), "{said}");
    }
}

#[tokio::test]
async fn a_file_of_events_is_published_and_its_balances_are_shown() {
    let world = World::new().await;
    let daemon = world.daemon().await;
    let lines = [
        "# a story".to_owned(),
        payment("p-1", "ada", "in-1"),
        String::new(),
        usage("u-1", "ada", 1_234),
    ];
    let file = write(&world, "story.jsonl", &lines.join("\n"));
    world.ends(1, &["balance", "ada"]).await;

    let said = world.ends(0, &["publish", file.to_str().unwrap()]).await;
    world.until_known(2).await;

    assert!(said.contains("2 events published and confirmed"), "{said}");
    let output = world.run(&["balance", "ada", "--json"]).await;
    let holdings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(holdings["account"], "ada");
    assert_eq!(holdings["balances"][0]["unit"], "CRD");
    assert_eq!(holdings["balances"][0]["balance"], "137.66");
    assert_eq!(holdings["balances"][0]["lots"][0]["package"], "starter");
    let said = world.ends(1, &["balance", "nobody"]).await;
    assert!(said.contains("nobody"), "{said}");
    let said = world.ends(0, &["history", "ada"]).await;
    assert!(said.contains("shop/u-1") && said.contains("-12.34"), "{said}");
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_command_that_nobody_can_understand_exits_64() {
    let world = World::new().await;

    for args in [
        &[][..],
        &["teleport"],
        &["balance"],
        &["balance", "ada", "--loud"],
        &["history", "ada", "--limit", "0"],
        &["publish"],
        &["check", "--set", "intake.workers"],
    ] {
        world.ends(64, args).await;
    }
    for (args, says) in [
        (&["explain", "shop"][..], "write SOURCE/ID, such as shop/pay-1"),
        (&["parked", "show", "pay-1"], "write SOURCE/ID"),
        (&["history", "ada", "--at", "yesterday"], "write a time such as 2026-01-31T12:00:00Z"),
        (
            &["simulate", "-", "--start", "2026-02-01", "--until", "2026-01-31"],
            "--until 2026-01-31T00:00:00Z is before --start 2026-02-01T00:00:00Z",
        ),
        (&["parked", "list", "--reason", "bogus"], "unknown_package, unknown_meter"),
        (&["history", "ada", "--unit", "XXX"], "no unit is called XXX; the units are CRD"),
    ] {
        let said = world.ends(64, args).await;
        assert!(said.contains(says), "{args:?}: {said}");
    }
    world.ends(1, &["history", "ada", "--unit", "CRD"]).await;
    let said = world.ends(1, &["purchase", "bogus in_1"]).await;
    assert!(said.contains("; bogus is no kind: invoice, payment, order, other"), "{said}");
    world.ends(0, &["--help"]).await;
    world.ends(0, &["--version"]).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_at_start_and_exits_78() {
    let world = World::new().await;
    let daemon = world.daemon().await;
    let taken = format!("http.listen={}", daemon.http.as_ref().unwrap());

    let said = world.ends(78, &["run", "--set", "http.enabled=true", "--set", &taken]).await;

    assert!(said.contains("change http.listen"), "{said}");
    daemon.stop().await;
}

const PASSWORD: &str = "hunter2-of-the-books";
const PAYLOAD: &str = "hunter3-in-a-body";

/// At trace level, where the libraries would print URLs and frames: with servers that let us in,
/// with one that refuses the password, and with events that are parked.
#[tokio::test]
async fn no_secret_and_no_payload_is_ever_said() {
    let mut world = World::new().await;
    let url = world.settings.database.url.expose().to_owned();
    let broker = world.settings.broker.url.expose().to_owned();
    // Databases that trust this machine take any password; others refuse this one.
    let (_, rest) = url.split_once("://").unwrap();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let wrong_database = format!("postgres://postgres:{PASSWORD}@{host}");
    let (_, rest) = broker.split_once("://").unwrap();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let wrong_broker = format!("amqp://guest:{PASSWORD}@{host}");
    world.set("LOG__LEVEL", "trace");
    let mut said = String::new();

    // Everything works, and there is something to say about events.
    let with_trace = [("RUST_LOG", "trace")];
    let daemon = world.tracing(&with_trace);
    daemon.says("consuming").await;
    let mut events = load("u", 20, 5);
    events.push(
        payment(PAYLOAD, PAYLOAD, PAYLOAD).replace("\"USD\"", &format!("{{\"{PAYLOAD}\":1}}")),
    );
    events.push(PAYLOAD.to_owned());
    world.publish(&events).await;
    world.until_known(22).await;
    world.all_told().await;
    let secret = world.settings.broker.url.expose().to_owned();
    said.push_str(&daemon.log_text());
    daemon.stop().await;
    assert!(said.contains("\"TRACE\"") || said.contains("\"DEBUG\""), "nothing was traced");
    assert!(!said.contains(&secret), "{said}");
    // Its id is an event's name, which is said; nothing else of it is.
    let named = said.replace(&format!("shop/{PAYLOAD}"), "");
    assert!(!named.contains(PAYLOAD), "{named}");

    // A broker that refuses the password, again and again.
    let wrong = [
        with_trace[0],
        ("CREDITD__BROKER__URL", &wrong_broker),
        ("CREDITD__DATABASE__URL", &wrong_database),
    ];
    let daemon = world.tracing(&wrong);
    until("the daemon to complain or to end", async || {
        let log = daemon.log_text();
        log.matches("consuming broke off").count() > 1 || log.contains("creditd: ")
    })
    .await;
    said.push_str(&daemon.log_text());
    drop(daemon);
    let broken = with(&wrong_database.replace("postgres://", "postgre://"), PASSWORD);
    for (key, url) in [
        ("database.url", &wrong_database),
        ("database.url", &broken),
        ("broker.url", &wrong_broker),
        ("broker.url", &format!("{wrong_broker}/{PASSWORD}/x")),
    ] {
        let set = format!("{key}={url}");
        for command in [&["check", "--online"][..], &["publish", "/dev/null"], &["balance", "ada"]]
        {
            let output = world.run(&[command, &["--set", &set]].concat()).await;
            said.push_str(&text(&output.stdout));
            said.push_str(&text(&output.stderr));
        }
    }
    assert!(!said.contains(PASSWORD), "{said}");
}
