//! The settings as their users meet them: a file, an environment, flags, and what comes out.

use super::*;
use std::fs;

fn load(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Settings, Vec<Mistake>> {
    let environment: Vec<(OsString, OsString)> =
        environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let flags: Vec<_> =
        flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Settings::parse(Path::new("c.toml"), text, environment, &flags)
}

fn loaded(text: &str) -> Settings {
    load(text, &[], &[]).unwrap()
}

fn mistakes(text: &str) -> Vec<String> {
    printed(load(text, &[], &[]))
}

fn printed(result: Result<Settings, Vec<Mistake>>) -> Vec<String> {
    result.expect_err("there are mistakes").iter().map(Mistake::to_string).collect()
}

#[test]
fn without_a_word_the_defaults_suit_servers_on_this_machine() {
    let settings = loaded("");

    assert_eq!(settings.database.url.expose(), "postgres://postgres@127.0.0.1:5432/creditd");
    assert_eq!(settings.broker.url.expose(), "amqp://guest:guest@127.0.0.1:5672");
    assert_eq!(settings.broker.prefetch, 7_000);
    assert_eq!(settings.broker.message_max_bytes, 65_536);
    assert_eq!(
        settings.broker.bindings,
        [
            "payment.succeeded",
            "payment.failed",
            "invoice.refunded",
            "invoice.voided",
            "payment.disputed",
            "usage.recorded",
            "usage.reversed",
            "credits.adjusted",
            "account.updated"
        ]
    );
    assert_eq!(settings.intake.default_source, "creditd");
    assert_eq!(settings.relay.poll, Duration::from_millis(250));
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(settings.log.level, Level::INFO);
}

#[test]
fn the_environment_goes_before_the_file_and_flags_before_both() {
    let file = "[intake]\nbatch_max = 10\nworkers = 1\npayload_max_bytes = 2048\n";
    let environment = [("CREDITD__INTAKE__BATCH_MAX", "20"), ("CREDITD__INTAKE__WORKERS", "3")];
    let flags = [("intake.batch_max", "30")];

    let settings = load(file, &environment, &flags).unwrap();

    assert_eq!(settings.intake.batch_max, 30);
    assert_eq!(settings.intake.workers, 3);
    assert_eq!(settings.intake.payload_max_bytes, 2048);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place_and_remedy() {
    let file = "\
[broker]
prefetch = 5.7
heartbeat = \"10\"
topologie = \"verify\"

[intake]
batch_max = 0
workers = \"2\"
prefetch = 100

[colour]
";
    let environment = [
        ("CREDITD__RUN__SHUTDOWN_GRACE", "20"),
        ("CREDITD__RUN__SHUTDOWN_GRASE", "20s"),
        ("CREDITD_RUN_SHUTDOWN_GRACE", "20s"),
        ("CREDITD_HTTP_PORT_8080_TCP_ADDR", "not ours"),
        ("CREDITD_TEST_POSTGRES", "not ours"),
    ];
    let flags = [("log.level", "loud")];

    assert_eq!(
        printed(load(file, &environment, &flags)),
        [
            "c.toml:2: broker.prefetch: is the fraction 5.7, not a whole number; \
             write a whole number from 1 to 65535, such as 7000",
            "c.toml:3: broker.heartbeat: is \"10\", which has no unit; \
             write a duration with its unit from 1s to 10 minutes, such as \"10s\"",
            "c.toml:4: broker.topologie: is no known key; did you mean topology?",
            "c.toml:7: intake.batch_max: is 0, which is out of bounds; \
             write a whole number from 1 to 10000, such as 2000",
            "c.toml:8: intake.workers: is the text \"2\", not a whole number; \
             write a whole number from 1 to 64, such as 2",
            "c.toml:9: intake.prefetch: is no known key; move it to [broker]",
            "c.toml:11: colour: is no known section; \
             the sections are broker, database, http, intake, log, relay, run, sources",
            "environment variable CREDITD_RUN_SHUTDOWN_GRACE: is no setting; \
             did you mean CREDITD__RUN__SHUTDOWN_GRACE?",
            "environment variable CREDITD__RUN__SHUTDOWN_GRACE: run.shutdown_grace: \
             is \"20\", which has no unit; \
             write a duration with its unit from 1s to 10 minutes, such as \"20s\"",
            "environment variable CREDITD__RUN__SHUTDOWN_GRASE: run.shutdown_grase: \
             is no known key; did you mean shutdown_grace?",
            "command line, log.level: is \"loud\", which is none of its choices; \
             write \"info\" or \"error\" or \"warn\" or \"debug\" or \"trace\"",
        ]
    );
}

#[test]
fn a_fraction_in_an_integer_field_is_refused_wherever_it_is_written() {
    for (file, environment, flags) in [
        ("[relay]\nwindow = 5.7", vec![], vec![]),
        ("", vec![("CREDITD__RELAY__WINDOW", "5.7")], vec![]),
        ("", vec![], vec![("relay.window", "5.7")]),
    ] {
        let mistakes = load(file, &environment, &flags).unwrap_err();

        assert_eq!(mistakes.len(), 1);
        assert_eq!(mistakes[0].key, "relay.window");
    }
}

#[test]
fn a_text_of_digits_is_not_retyped() {
    let environment =
        [("CREDITD__BROKER__QUEUE", "007"), ("CREDITD__BROKER__BINDINGS", "1e3,true")];

    let settings = load("", &environment, &[]).unwrap();

    assert_eq!(settings.broker.queue, "007");
    assert!(settings.broker.bindings.iter().eq(["1e3", "true"]));
}

#[test]
fn a_password_of_digits_arrives_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    fs::write(&path, "amqp://guest:007@h\r\n").unwrap();

    let settings = load("", &[("CREDITD__BROKER__URL_FILE", path.to_str().unwrap())], &[]).unwrap();

    assert_eq!(settings.broker.url.expose(), "amqp://guest:007@h");
}

#[test]
fn a_secret_file_goes_before_a_url_of_an_earlier_place_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    fs::write(&path, "amqp://from-file\n").unwrap();
    let variable = ("CREDITD__BROKER__URL_FILE", path.to_str().unwrap());
    let file = "[broker]\nurl = \"amqp://in-place\"";

    let later_file = load(file, &[variable], &[]).unwrap();
    let later_url = load("", &[variable], &[("broker.url", "amqp://in-flag")]).unwrap();
    let both = load("", &[variable, ("CREDITD__BROKER__URL", "amqp://twice")], &[]);

    assert_eq!(later_file.broker.url.expose(), "amqp://from-file");
    assert_eq!(later_url.broker.url.expose(), "amqp://in-flag");
    assert_eq!(
        printed(both),
        ["environment variable CREDITD__BROKER__URL_FILE: broker.url_file: stands beside url; \
          keep one of the two"]
    );
}

#[test]
fn a_secret_file_that_is_missing_empty_or_wrong_is_a_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (empty, wrong) = (path("empty", "\n\n"), path("wrong", "postgres://hunter2\n"));

    for (file, problem) in [
        (empty.as_str(), "which is empty"),
        (wrong.as_str(), "names no database"),
        ("/does/not/exist", "which can't be read"),
    ] {
        let mistakes = printed(load("", &[("CREDITD__DATABASE__URL_FILE", file)], &[])).join("\n");

        assert!(mistakes.contains("CREDITD__DATABASE__URL_FILE"), "{mistakes}");
        assert!(mistakes.contains(problem), "{mistakes}");
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
    }
}

#[test]
fn no_mistake_and_no_debug_output_shows_a_secret() {
    let file = "[broker]\nurl = \"amqp://u:hunter2@h/\"\n[database]\nurl = \"hunter2\"\n";
    let syntax = "[broker]\nurl = \"amqp://u:hunter2@h\n";
    let right = "[broker]\nurl = \"amqp://u:hunter2@h\"\n";

    let told = [mistakes(file).join("\n"), mistakes(syntax).join("\n")].join("\n");
    let shown = format!("{:?}", loaded(right));

    assert!(!told.contains("hunter2"), "{told}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("url: [secret]"), "{shown}");
}

#[test]
fn what_is_no_toml_is_reported_by_line_and_the_rest_is_still_read() {
    let file = "[broker]\nprefetch = = 5\n\n[relay]\nwindow = 0\nwindow = 1\nlease = 2026-01-01\n";

    let mistakes = mistakes(file);

    assert!(mistakes[0].starts_with("c.toml:2: is not TOML: "), "{mistakes:#?}");
    assert!(mistakes[1].starts_with("c.toml:5: relay.window: is 0"), "{mistakes:#?}");
    assert!(mistakes[2].starts_with("c.toml:6: is written twice; keep one"), "{mistakes:#?}");
    assert!(mistakes[3].starts_with("c.toml:7: relay.lease: is a date"), "{mistakes:#?}");
    assert_eq!(mistakes.len(), 4);
}

#[test]
fn numbers_and_texts_end_at_their_bounds() {
    for (line, fits) in [
        ("[broker]\nprefetch = 65535", true),
        ("[broker]\nprefetch = 65536", false),
        ("[broker]\nprefetch = 99999999999999999999999999999999999999999999", false),
        ("[broker]\nprefetch = -1", false),
        ("[relay]\npoll = \"10ms\"", true),
        ("[relay]\npoll = \"9ms\"", false),
        ("[relay]\npoll = 250", false),
        ("[broker]\nheartbeat = \"1500ms\"", false),
        ("[broker]\nqueue = \"\"", false),
        ("[broker]\nqueue = \"a\\nb\"", false),
        ("[broker]\nqueue = 7", false),
        ("[broker]\nbindings = []", true),
        ("[broker]\nbindings = [\"a\", 1]", false),
        ("[broker]\nbindings = \"a\"", false),
        ("[database]\nmigrate_on_start = \"true\"", false),
        ("[database]\nwriter_role = \"a\\\"b\"", false),
        ("[http]\nlisten = \"localhost\"", false),
        ("[http]\nlisten = \"[::1]:9464\"", true),
        ("broker = 5", false),
        ("sources = 5", false),
        ("[sources]\nshop = 5", false),
    ] {
        assert_eq!(load(line, &[], &[]).is_ok(), fits, "{line}");
    }
    for (length, fits) in [(255, true), (256, false)] {
        let file = format!("[broker]\nqueue = \"{}\"", "q".repeat(length));
        assert_eq!(load(&file, &[], &[]).is_ok(), fits, "a name of {length} bytes");
    }
    for (length, fits) in [(63, true), (64, false)] {
        let file = format!("[database]\nreader_role = \"{}\"", "r".repeat(length));
        assert_eq!(load(&file, &[], &[]).is_ok(), fits, "a role of {length} bytes");
    }
}

#[test]
fn settings_that_contradict_each_other_are_mistakes() {
    for (file, key) in [
        ("[intake]\nworkers = 5", "intake.workers"),
        ("[database]\npool_max = 4", "database.pool_max"),
        ("[broker]\nprefetch = 1999", "broker.prefetch"),
        ("[intake]\nbatch_max = 8001", "intake.batch_max"),
        ("[broker]\nqueue = \"creditd.dead\"", "broker.queue"),
        ("[broker]\nevents_exchange = \"creditd.dead\"", "broker.events_exchange"),
        ("[relay]\npoll = \"4s\"", "relay.poll"),
        ("[relay]\npoll = \"5s\"\nlease = \"5s\"", "relay.lease"),
    ] {
        let mistakes = load(file, &[], &[]).unwrap_err();

        let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(keys, [key], "{file}");
    }
    assert!(load("[intake]\nworkers = 4\n[relay]\npoll = \"3999ms\"", &[], &[]).is_ok());
}

#[test]
fn a_source_has_a_namespace_of_its_own_unless_it_shares_one() {
    let file = "\
[sources.shop]
[sources.\"https://pay.example/a\"]
namespace = \"shop\"
type_prefix = \"com.pay.\"
";

    let sources = load(file, &[("CREDITD__SOURCES__CRM__NAMESPACE", "shop")], &[]).unwrap().sources;

    let shop = |type_prefix: Option<&str>| SourceSettings {
        namespace: "shop".to_owned(),
        type_prefix: type_prefix.map(str::to_owned),
    };
    assert_eq!(
        sources,
        BTreeMap::from([
            ("crm".to_owned(), shop(None)),
            ("https://pay.example/a".to_owned(), shop(Some("com.pay."))),
            ("shop".to_owned(), shop(None)),
        ])
    );
}

#[test]
fn a_flag_reaches_a_source_whose_name_holds_dots() {
    let flags = [("sources.eu.shop.namespace", "shop")];

    let settings = load("", &[], &flags).unwrap();

    assert_eq!(settings.sources["eu.shop"].namespace, "shop");
}

#[test]
fn a_key_in_the_language_of_paths_is_only_unknown() {
    let file = "\"broker[99999999]\" = 1\n\"broker.prefetch\" = 5\n[broker]\n\"a.b\" = 1\n";

    let mistakes = mistakes(file);

    assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
    assert!(mistakes[2].starts_with("c.toml:4: broker.\"a.b\": is no known key"), "{mistakes:#?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(vec![0xff]);

    let mistakes =
        Settings::parse(Path::new("c.toml"), "", [("CREDITD__LOG__LEVEL".into(), value)], &[])
            .unwrap_err();

    assert_eq!(mistakes[0].problem, "is not text in UTF-8");
}

#[test]
fn a_directory_without_the_file_is_a_mistake() {
    let dir = tempfile::tempdir().unwrap();

    let mistakes = Settings::load(dir.path(), &[]).unwrap_err();

    assert_eq!(mistakes[0].file(), Some(dir.path().join(FILE).as_path()));
    assert!(mistakes[0].problem.starts_with("can't be read"));
}

#[test]
fn a_relative_path_begins_in_the_directory_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ca.pem"), "").unwrap();
    fs::write(dir.path().join("url"), "amqps://h").unwrap();
    let text = "[broker]\nca_file = \"ca.pem\"\nurl_file = \"url\"\n";

    let settings = Settings::parse(&dir.path().join(FILE), text, [], &[]).unwrap();

    assert_eq!(settings.broker.ca_file, Some(dir.path().join("ca.pem")));
    assert_eq!(settings.broker.url.expose(), "amqps://h");
}
