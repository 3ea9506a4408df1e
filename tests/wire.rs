//! From wire to typed values, and back: the contract with the neighbours, in memory.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test crate: nothing is exported, and a panic is a failed test"
)]

use std::path::Path;

use creditd::catalog::Catalog;
use creditd::event::{Header, Message, Source, Sources, event_key, read};
use creditd::ledger::*;

const CATALOG: &str = r#"
[units.CRD]
name = "credits"
decimals = 2
direct_usage = true

[[packages]]
id = "p100"
product = "prod_100"
unit = "CRD"
credits = "100"

[[meters]]
id = "api"
unit = "CRD"
rate = "0.01"
rates = [{ when = { model = "large" }, rate = "0.5" }]

[[meters]]
id = "free"
unit = "CRD"
free = true

[policy]
ignore = ["customer.created"]
"#;

fn catalog() -> Catalog {
    Catalog::parse(CATALOG, Path::new("catalog.toml")).unwrap()
}

fn message(body: &str) -> Message {
    Message { body: body.as_bytes().to_vec(), ..Message::default() }
}

fn reads(message: &Message) -> Request {
    read(message, &catalog(), &Sources::default(), 65_536)
}

fn structured(kind: &str, data: &str) -> Message {
    message(&format!(
        r#"{{"specversion":"1.0","type":"{kind}","source":"shop","id":"e1","data":{data}}}"#
    ))
}

/// The refusal's text, or panics with what was read instead.
fn refusal(message: &Message) -> String {
    match reads(message).asks {
        Asks::Rejected(rejection) => rejection.to_string(),
        other => panic!("was not refused: {other:?}"),
    }
}

fn payment(message: &Message) -> Payment {
    match reads(message).asks {
        Asks::Command(Command::Pay(payment)) => *payment,
        other => panic!("is no payment: {other:?}"),
    }
}

const PAID: &str = r#"{"account":"acme","invoice_id":"in_1","currency":"USD","lines":[{"line_id":"l1","product":"prod_100","amount":"19.90"}]}"#;

/// What a reversal asks, and its fingerprint.
fn reversal(data: &str) -> (UsageReversal, Fingerprint) {
    let request = reads(&structured("usage.reversed", data));
    match request.asks {
        Asks::Command(Command::ReverseUsage(reversal)) => (reversal, request.fingerprint),
        other => panic!("is no reversal: {other:?}"),
    }
}

#[test]
fn a_reversal_names_usage_of_its_own_source_unless_it_says_another_5_5() {
    let (own, fingerprint) = reversal(r#"{"reverses":{"id":"u1"}}"#);
    let (said, same) = reversal(r#"{"reverses":{"id":"u1","source":"shop"},"quantity":null}"#);
    let (other, another) = reversal(r#"{"reverses":{"id":"u1","source":"gateway"}}"#);

    let named = |source: &str| EventName { source: Name::from(source), id: Name::from("u1") };
    assert_eq!((&own.usage_name, own.quantity), (&named("shop"), None));
    assert_eq!(own.usage, event_key(&named("shop")));
    assert_eq!((said, same), (own, fingerprint));
    assert_eq!(other.usage, event_key(&named("gateway")));
    assert_ne!(another, fingerprint);
}

#[test]
fn a_reversed_quantity_is_a_number_5_5() {
    let (some, fingerprint) = reversal(r#"{"reverses":{"id":"u1"},"quantity":"2.50"}"#);
    let (_, same) = reversal(r#"{"quantity":"2.5","reverses":{"id":"u1"}}"#);

    assert_eq!(some.quantity, Some(Number::parse("2.5").unwrap()));
    assert_eq!(fingerprint, same);
    for (data, says) in [
        (r#"{}"#, "data.reverses is missing"),
        (r#"{"reverses":"u1"}"#, "data.reverses is a string, not an object"),
        (r#"{"reverses":{"source":"shop"}}"#, "data.reverses.id is missing"),
        (r#"{"reverses":{"id":"e1"}}"#, "data.reverses names this very event"),
        (r#"{"reverses":{"id":"u1"},"quantity":"-1"}"#, "data.quantity must not be negative"),
    ] {
        let refused = refusal(&structured("usage.reversed", data));
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn a_structured_event_is_read_whatever_its_content_type() {
    for content_type in [None, Some("text/plain"), Some("application/cloudevents+json")] {
        let mut event = structured("payment.succeeded", PAID);
        event.content_type = content_type.map(str::to_owned);

        let request = reads(&event);

        assert_eq!(request.name.to_string(), "shop/e1");
        assert!(matches!(request.asks, Asks::Command(Command::Pay(_))));
    }
}

#[test]
fn a_plain_message_takes_its_type_id_and_source_from_headers_and_properties() {
    let mut plain = message(r#"{"event_id":"e7","account":"acme","meter":"api","quantity":3}"#);
    plain.routing_key = "usage.recorded".to_owned();
    plain.app_id = Some("gateway".to_owned());
    assert_eq!(reads(&plain).name.to_string(), "gateway/e7");

    plain.headers = vec![
        ("Event-Id".to_owned(), Header::Text("h1".to_owned())),
        ("event-source".to_owned(), Header::Text("edge".to_owned())),
    ];
    plain.kind = Some("payment.failed".to_owned());
    let request = reads(&plain);
    assert_eq!(request.name.to_string(), "edge/h1");
    assert_eq!(request.kind.as_ref(), "payment.failed");
}

#[test]
fn the_header_event_id_may_be_a_number() {
    let mut plain = message(r#"{"account":"acme","meter":"api","quantity":3}"#);
    plain.routing_key = "usage.recorded".to_owned();
    plain.headers = vec![("event-id".to_owned(), Header::Int(4711))];

    assert_eq!(reads(&plain).name.id.as_ref(), "4711");
}

#[test]
fn binary_mode_is_told_from_a_message_that_lacks_its_id() {
    let mut binary = message(r#"{"account":"acme","meter":"api","quantity":3}"#);
    binary.headers = vec![
        ("cloudEvents:specversion".to_owned(), Header::Text("1.0".to_owned())),
        ("cloudEvents:id".to_owned(), Header::Text("e1".to_owned())),
    ];

    let refusal = refusal(&binary);
    assert!(refusal.contains("binary mode, and this version reads the structured mode only"));
}

#[test]
fn a_plain_message_without_an_id_is_malformed_and_named_by_its_bytes() {
    let mut plain = message(r#"{"account":"acme","meter":"api","quantity":3}"#);
    plain.routing_key = "usage.recorded".to_owned();

    let request = reads(&plain);

    assert_eq!(request.name.source.as_ref(), "sha-256");
    assert_eq!(request.name.id.len(), 64);
    assert!(refusal(&plain).starts_with("malformed: the event has no id"));
}

#[test]
fn types_are_compared_without_prefix_and_with_dashes_and_underscores_as_dots() {
    let sources = Sources {
        type_prefix: Some("com.example.".to_owned()),
        named: [(
            Name::from("shop"),
            Source { namespace: None, type_prefix: Some("shop.".to_owned()) },
        )]
        .into(),
        ..Sources::default()
    };
    for kind in ["shop.payment-succeeded", "payment_succeeded", "payment.succeeded"] {
        let request = read(&structured(kind, PAID), &catalog(), &sources, 65_536);
        assert_eq!(request.kind.as_ref(), "payment.succeeded", "{kind}");
    }
}

#[test]
fn unknown_types_park_and_ignored_ones_ask_for_nothing() {
    assert!(refusal(&structured("order.shipped", "{}")).starts_with("unknown_type: order.shipped"));
    assert_eq!(reads(&structured("customer.created", "{}")).asks, Asks::Nothing);
}

#[test]
fn meaning_is_the_decoded_event_and_not_its_bytes_3_1() {
    let meaning = |data: &str| reads(&structured("payment.succeeded", data)).fingerprint;
    let shuffled = r#"{ "lines": [ {"amount": "19.90", "product": "prod_100", "quantity": "1.0",
        "line_id": "l1", "unknown": 1} ], "currency": "USD", "invoice_id": "in_1",
        "account": "acme", "trace": "x" }"#;
    let minor = PAID.replace(r#""amount":"19.90""#, r#""amount_minor":1990"#);
    let other = PAID.replace("19.90", "19.91");

    assert_eq!(meaning(PAID), meaning(shuffled));
    assert_eq!(meaning(PAID), meaning(&minor));
    assert_ne!(meaning(PAID), meaning(&other));
}

#[test]
fn the_account_may_come_from_the_subject_and_means_the_same_3_1() {
    let usage = r#"{"meter":"api","quantity":3}"#;
    let subject = message(&format!(
        r#"{{"specversion":"1.0","type":"usage.recorded","source":"shop","id":"e1",
        "subject":"acme","data":{usage}}}"#
    ));
    let data = structured("usage.recorded", r#"{"account":"acme","meter":"api","quantity":"3.0"}"#);

    assert_eq!(reads(&subject).fingerprint, reads(&data).fingerprint);
}

#[test]
fn a_single_line_may_be_written_inline() {
    let inline =
        r#"{"account":"acme","payment_id":"p","currency":"USD","product":"prod_100","amount":"5"}"#;
    let paid = payment(&structured("payment.succeeded", inline));

    assert_eq!(paid.lines.len(), 1);
    assert_eq!(paid.lines[0].facts.paid_minor, 500);
}

#[test]
fn an_order_identifies_only_where_nothing_else_does_4_11() {
    let both = PAID.replacen('{', r#"{"order_id":"o1","#, 1);
    let paid = payment(&structured("payment.succeeded", &both));
    assert_eq!(paid.order_id.as_deref(), Some("o1"));
    assert!(paid.references.iter().all(|reference| reference.kind == ReferenceKind::Invoice));

    let alone = both.replace(r#""invoice_id":"in_1","#, "");
    let paid = payment(&structured("payment.succeeded", &alone));
    assert_eq!(paid.references[0].kind, ReferenceKind::Order);
}

#[test]
fn sources_may_share_a_namespace_for_references() {
    let named = ["shop", "bank"].map(|source| {
        let shared = Source { namespace: Some(Name::from("billing")), type_prefix: None };
        (Name::from(source), shared)
    });
    let shared = Sources { named: named.into(), ..Sources::default() };
    let namespace = |sources: &Sources| {
        let request = read(&structured("payment.succeeded", PAID), &catalog(), sources, 65_536);
        match request.asks {
            Asks::Command(Command::Pay(paid)) => paid.references[0].namespace.clone(),
            other => panic!("{other:?}"),
        }
    };

    assert_eq!(namespace(&shared).as_ref(), "billing");
    assert_eq!(namespace(&Sources::default()).as_ref(), "shop");
}

#[test]
fn refusals_name_the_field_and_never_quote_the_payload() {
    let with = |from: &str, to: &str| {
        let data = PAID.replace(from, to);
        refusal(&structured("payment.succeeded", &data))
    };
    for (from, to, said) in [
        (r#""account":"acme","#, "", "data.account is missing"),
        ("acme", "", "data.account is empty"),
        ("acme", r"ac\u0000me", "data.account has control characters"),
        (r#""acme""#, "7", "data.account is an integer, not a string"),
        ("USD", "usd", "data.currency is no ISO 4217 code such as \"USD\""),
        (r#""19.90""#, "19.90", "data.lines[0].amount is a number with a fraction"),
        ("19.90", "19.901", "data.lines[0].amount has more than the 2 decimals allowed here"),
        ("19.90", "-1", "data.lines[0].amount must not be negative"),
        ("19.90", "NaN", "data.lines[0].amount is not a decimal number"),
        (r#""amount":"19.90""#, r#""quantity":0,"amount":"1""#, "data.lines[0].quantity must be"),
        (r#""amount":"19.90""#, r#""x":1"#, "data.lines[0].amount is missing"),
        ("19.90", r#"1","amount_minor":100,"y":""#, "data.lines[0].amount and amount_minor"),
        (r#""invoice_id":"in_1","#, "", "data.invoice_id is missing; send at least one"),
        (
            r#"[{"line_id""#,
            r#"[{"line_id":"l1","amount":"1"},{"line_id""#,
            "the same line_id twice",
        ),
        (r#""lines":["#, r#""lines":[7,"#, "data.lines[0] is an integer, not an object"),
    ] {
        let refusal = with(from, to);
        assert!(refusal.starts_with("malformed: "), "{refusal}");
        assert!(refusal.contains(said), "{refusal}");
        assert!(!refusal.contains("prod_100"), "{refusal}");
    }
}

#[test]
fn a_refund_says_in_exactly_one_way_how_much_went_back_4_6() {
    let refund = |data: &str| structured("invoice.refunded", data);
    let none = refusal(&refund(r#"{"invoice_id":"in_1"}"#));
    let two = refusal(&refund(r#"{"invoice_id":"in_1","amount":"5","full":true}"#));

    assert!(none.contains("send one of amount, amount_refunded, lines or full"), "{none}");
    assert!(two.contains("is one of several"), "{two}");
    for good in [
        r#"{"invoice_id":"in_1","amount":"5"}"#,
        r#"{"invoice_id":"in_1","amount_minor":500,"refund_id":"re_1","status":"pending"}"#,
        r#"{"invoice_id":"in_1","amount_refunded":"5","currency":"USD"}"#,
        r#"{"invoice_id":"in_1","full":true}"#,
        r#"{"invoice_id":"in_1","lines":[{"line_id":"l1","credits":"5"}]}"#,
    ] {
        let asks = reads(&refund(good)).asks;
        assert!(matches!(asks, Asks::Command(Command::Refund(_))), "{good}: {asks:?}");
    }
}

#[test]
fn a_void_and_every_report_of_a_dispute_are_kept_under_their_own_events_4_7() {
    let refund = |kind: &str, data: &str| match reads(&structured(kind, data)).asks {
        Asks::Command(Command::Refund(refund)) => refund,
        other => panic!("{other:?}"),
    };

    let void = refund("invoice.voided", r#"{"invoice_id":"in_1","reason":"sent twice"}"#);
    assert_eq!(void.claim, RefundClaim::Void);
    assert!(matches!(void.name, RefundName::Event(_)));
    let opened = r#"{"payment_id":"pay_1","dispute_id":"dp_1","status":"opened","amount":"5.00"}"#;
    let report = refund("payment.disputed", opened);
    let said = DisputeReport {
        dispute_id: Name::from("dp_1"),
        status: DisputeStatus::Opened,
        amount: Some(StatedMoney::major("5.00").unwrap()),
        said_at: None,
    };
    assert_eq!(report.claim, RefundClaim::Dispute(said));
    assert!(matches!(report.name, RefundName::Event(_)));
}

#[test]
fn a_dispute_has_an_id_and_a_known_status_4_7() {
    let of = |data: &str| refusal(&structured("payment.disputed", data));

    let nameless = of(r#"{"payment_id":"pay_1","status":"opened"}"#);
    assert!(nameless.contains("data.dispute_id is missing"), "{nameless}");
    let unknown = of(r#"{"payment_id":"pay_1","dispute_id":"d","status":"closed"}"#);
    assert!(unknown.contains("is none of \"opened\", \"won\", \"lost\""), "{unknown}");
    let orphan = of(r#"{"dispute_id":"d","status":"won"}"#);
    assert!(orphan.contains("send at least one of invoice_id"), "{orphan}");
}

#[test]
fn every_member_of_a_dispute_a_void_and_a_failure_belongs_to_its_meaning_3_1() {
    for (kind, whole, without) in [
        (
            "payment.disputed",
            r#"{"payment_id":"p","dispute_id":"d","status":"won","amount":"5","currency":"USD"}"#,
            vec![
                r#"{"payment_id":"q","dispute_id":"d","status":"won","amount":"5","currency":"USD"}"#,
                r#"{"payment_id":"p","dispute_id":"e","status":"won","amount":"5","currency":"USD"}"#,
                r#"{"payment_id":"p","dispute_id":"d","status":"lost","amount":"5","currency":"USD"}"#,
                r#"{"payment_id":"p","dispute_id":"d","status":"won","amount":"6","currency":"USD"}"#,
                r#"{"payment_id":"p","dispute_id":"d","status":"won","amount":"5"}"#,
                r#"{"payment_id":"p","dispute_id":"d","status":"won","currency":"USD"}"#,
            ],
        ),
        (
            "invoice.voided",
            r#"{"invoice_id":"i","order_id":"o","reason":"r"}"#,
            vec![
                r#"{"invoice_id":"j","order_id":"o","reason":"r"}"#,
                r#"{"invoice_id":"i","reason":"r"}"#,
                r#"{"invoice_id":"i","order_id":"o"}"#,
            ],
        ),
        (
            "payment.failed",
            r#"{"account":"a","topup_request_id":"t","invoice_id":"i","reason":"r"}"#,
            vec![
                r#"{"account":"b","topup_request_id":"t","invoice_id":"i","reason":"r"}"#,
                r#"{"account":"a","invoice_id":"i","reason":"r"}"#,
                r#"{"account":"a","topup_request_id":"t","reason":"r"}"#,
                r#"{"account":"a","topup_request_id":"t","invoice_id":"i"}"#,
            ],
        ),
    ] {
        let meaning = |data: &str| reads(&structured(kind, data)).fingerprint;
        for other in without {
            assert_ne!(meaning(whole), meaning(other), "{other}");
        }
    }
}

#[test]
fn a_failed_payment_is_kept_and_asks_nothing_of_the_books_4_12() {
    let long = format!(r#"{{"account":"acme","reason":"{}"}}"#, "card declined ".repeat(40));
    assert_eq!(reads(&structured("payment.failed", &long)).asks, Asks::Noted);

    let nobody = refusal(&structured("payment.failed", r#"{"topup_request_id":"t"}"#));
    assert!(nobody.contains("data.account is missing"), "{nobody}");
}

#[test]
fn usage_is_priced_by_its_meter_and_dimensions_5_1() {
    let cost = |data: &str| match reads(&structured("usage.recorded", data)).asks {
        Asks::Command(Command::Use(usage)) => usage.cost.steps(),
        other => panic!("{other:?}"),
    };

    assert_eq!(cost(r#"{"account":"acme","meter":"api","quantity":3}"#), 3);
    let large = r#"{"account":"acme","meter":"api","quantity":"3","dimensions":{"model":"large"}}"#;
    assert_eq!(cost(large), 150);
    assert_eq!(cost(r#"{"account":"acme","unit":"CRD","credits":"0.07"}"#), 7);
    let free = structured("usage.recorded", r#"{"account":"acme","meter":"free","quantity":3}"#);
    assert_eq!(reads(&free).asks, Asks::Nothing);
    let unknown = structured("usage.recorded", r#"{"account":"acme","meter":"no","quantity":3}"#);
    assert!(refusal(&unknown).starts_with("unknown_meter: "));
}

#[test]
fn an_unknown_package_is_refused_only_when_the_line_is_needed() {
    let paid = payment(&structured("payment.succeeded", &PAID.replace("prod_100", "prod_x")));
    let refusal = paid.lines[0].priced.clone().unwrap_err();

    assert_eq!(refusal.reason, Reason::UnknownPackage);
}

#[test]
fn a_body_over_the_limit_is_too_large_and_named_by_its_bytes() {
    let request = read(&structured("usage.recorded", PAID), &catalog(), &Sources::default(), 50);

    match request.asks {
        Asks::Rejected(rejection) => assert_eq!(rejection.reason, Reason::TooLarge),
        other => panic!("{other:?}"),
    }
    assert_eq!(request.name.source.as_ref(), "sha-256");
}

#[test]
fn bad_envelopes_are_malformed_under_their_own_name() {
    for (body, said) in [
        (r#"{"specversion":"0.3","type":"usage.recorded","source":"s","id":"e","data":{}}"#, "1.0"),
        (r#"{"specversion":"1.0","type":"usage.recorded","source":"s","id":"e"}"#, "event.data"),
        (
            r#"{"specversion":"1.0","type":"usage.recorded","source":"s","id":"e","time":"now","data":{}}"#,
            "RFC 3339",
        ),
        (
            r#"{"specversion":"1.0","type":"usage.recorded","source":"s","id":"e","data_base64":"e30="}"#,
            "data_base64",
        ),
        (
            r#"{"specversion":"1.0","type":"usage.recorded","source":"s","id":"e","datacontenttype":"text/xml","data":{}}"#,
            "application/json",
        ),
    ] {
        let event = message(body);
        assert!(refusal(&event).contains(said), "{}", refusal(&event));
        assert_eq!(reads(&event).name.to_string(), "s/e");
    }
}

#[test]
fn no_bytes_make_reading_panic() {
    let good = structured("payment.succeeded", PAID).body;
    for cut in 0..good.len() {
        reads(&Message { body: good[..cut].to_vec(), ..Message::default() });
        for byte in [0, b'"', b'}', b'9', 0xff] {
            let mut body = good.clone();
            body[cut] = byte;
            reads(&Message { body, ..Message::default() });
        }
    }
}

#[test]
fn what_is_paid_is_the_sum_of_the_lines_unless_said_3_1() {
    let said = PAID.replace(r#""currency""#, r#""paid":"19.90","currency""#);
    let taxed = PAID.replace(r#""currency""#, r#""paid":"20.90","currency""#);
    let meaning = |data: &str| reads(&structured("payment.succeeded", data)).fingerprint;

    assert_eq!(meaning(PAID), meaning(&said));
    assert_ne!(meaning(PAID), meaning(&taxed));
}

/// The database has no such year: the event could not even be parked, and would be dead-lettered.
#[test]
fn a_year_with_a_sign_is_no_rfc_3339_time() {
    for year in ["-004800", "+002026"] {
        let early = PAID
            .replace(r#""currency""#, &format!(r#""paid_at":"{year}-01-01T00:00:00Z","currency""#));
        assert!(refusal(&structured("payment.succeeded", &early)).contains("data.paid_at"));
        let body = format!(
            r#"{{"specversion":"1.0","type":"payment.succeeded","source":"shop","id":"e1","time":"{year}-01-01T00:00:00Z","data":{PAID}}}"#
        );
        let request = reads(&message(&body));
        assert_eq!(request.occurred_at, None);
        assert!(matches!(request.asks, Asks::Rejected(_)));
    }
}

fn adjustment(data: &str) -> Adjustment {
    match reads(&structured("credits.adjusted", data)).asks {
        Asks::Command(Command::Adjust(adjustment)) => *adjustment,
        other => panic!("is no adjustment: {other:?}"),
    }
}

const ADJUSTED: &str =
    r#""account":"acme","unit":"CRD","credits":"-12.50","reason":"typo","actor":"ann""#;

#[test]
fn an_adjustment_is_signed_and_promotional_unless_it_says_otherwise_6_1() {
    let read = adjustment(&format!("{{{ADJUSTED}}}"));
    assert_eq!(read.credits, Credits::from_steps(-1_250));
    assert!(read.promotional && !read.allow_overdraft && read.expires_at.is_none());

    let other = format!("{{{ADJUSTED},\"promotional\":false,\"allow_overdraft\":true}}")
        .replace("\"-12.50\"", "7");
    let read = adjustment(&other);
    assert_eq!(read.credits, Credits::from_steps(700));
    assert!(!read.promotional && read.allow_overdraft);
}

#[test]
fn an_adjustment_without_reason_or_actor_or_of_a_strange_unit_is_refused_6_1() {
    for (member, says) in [
        ("\"reason\":\"typo\"", "data.reason is missing"),
        ("\"actor\":\"ann\"", "data.actor is missing"),
        ("\"credits\":\"-12.50\"", "data.credits is missing"),
    ] {
        let data = format!("{{{}}}", ADJUSTED.replace(member, "\"x\":1"));
        assert!(refusal(&structured("credits.adjusted", &data)).contains(says), "{says}");
    }
    for (credits, says) in [
        ("\"+1\"", "malformed"),
        ("\"--1\"", "malformed"),
        ("1.5", "malformed"),
        ("\"-0.001\"", "malformed: data.credits has more than the 2 decimals"),
    ] {
        let data = format!("{{{}}}", ADJUSTED.replace("\"-12.50\"", credits));
        assert!(refusal(&structured("credits.adjusted", &data)).contains(says), "{credits}");
    }
    let strange = format!("{{{}}}", ADJUSTED.replace("CRD", "XXX"));
    assert!(refusal(&structured("credits.adjusted", &strange)).starts_with("unknown_unit"));
}

#[test]
fn an_adjustment_that_spells_out_its_defaults_means_the_same_3_1() {
    let fingerprint =
        |data: &str| reads(&structured("credits.adjusted", &format!("{{{data}}}"))).fingerprint;
    let spelt = format!("{ADJUSTED},\"promotional\":true,\"allow_overdraft\":false")
        .replace("-12.50", "-12.5");
    assert_eq!(fingerprint(ADJUSTED), fingerprint(&spelt));
    assert_ne!(fingerprint(ADJUSTED), fingerprint(&ADJUSTED.replace("-12.50", "12.50")));
    assert_ne!(fingerprint(ADJUSTED), fingerprint(&ADJUSTED.replace("ann", "bob")));
}

fn update(data: &str) -> AccountUpdate {
    match reads(&structured("account.updated", data)).asks {
        Asks::Command(Command::Update(update)) => *update,
        other => panic!("is no update: {other:?}"),
    }
}

#[test]
fn in_an_update_null_says_something_else_than_nothing_6_2() {
    let read = update(
        r#"{"account":"acme","kind":"company","name":null,
            "units":{"CRD":{"low_balance":["20","100",20],"recovered_at":null}}}"#,
    );

    assert_eq!((read.kind, read.name), (Some(AccountKind::Company), Said::Default));
    let (unit, said) = &read.units[0];
    assert_eq!(&**unit, "CRD");
    let lines = [10_000, 2_000].map(Credits::from_steps);
    assert_eq!(said.low_balance, Said::Value(lines.to_vec()));
    assert_eq!(said.recovered_at, Said::Default);
    assert_eq!(said.overdraft_limit, Said::Nothing);
}

#[test]
fn an_update_means_what_it_says_member_by_member_3_1() {
    let units = |crd: &str| {
        let data = format!(r#"{{"account":"acme","units":{{"CRD":{crd}}}}}"#);
        reads(&structured("account.updated", &data)).fingerprint
    };
    let different = [
        r"{}",
        r#"{"low_balance":null}"#,
        r#"{"low_balance":[]}"#,
        r#"{"low_balance":["1"]}"#,
        r#"{"recovered_at":"1"}"#,
        r#"{"recovered_at":null}"#,
        r#"{"overdraft_limit":"1"}"#,
        r#"{"opening_balance":"1"}"#,
        r#"{"topup":null}"#,
        r#"{"topup":{"below":"1","package":"p100"}}"#,
        r#"{"topup":{"below":"1","package":"p100","deadline":"24h"}}"#,
        r#"{"topup":{"below":"1","package":"p100","retry_after":"24h"}}"#,
        r#"{"topup":{"below":"1","package":"p100","max_count":3}}"#,
    ];
    let all: std::collections::BTreeSet<_> = different.iter().map(|crd| units(crd)).collect();
    assert_eq!(all.len(), different.len());
    assert_eq!(
        units(r#"{"low_balance":["5","7.0"]}"#),
        units(r#"{"low_balance":[7,"5",5],"more":1}"#)
    );
    assert_eq!(
        units(r#"{"topup":{"below":"1","package":"p100","deadline":"24h"}}"#),
        units(r#"{"topup":{"below":1,"package":"p100","quantity":1,"deadline":"1440 minutes"}}"#)
    );
}

#[test]
fn a_topup_is_kept_whole_or_refused_6_2() {
    let said = r#"{"account":"acme","units":{"CRD":{"topup":{"below":"20","package":"p100",
        "quantity":2,"deadline":"15 minutes","retry_after":"1h","max_count":3}}}}"#;
    let read = update(said);
    let Said::Value(topup) = &read.units[0].1.topup else { panic!("{read:?}") };
    assert_eq!(topup.below, Credits::from_steps(2_000));
    assert_eq!(topup.deadline.map(|deadline| deadline.as_secs()), Some(900));
    assert_eq!((topup.max_count, topup.max_money), (Some(3), None));

    for (from, to, says) in [
        (r#""below":"20","#, "", "malformed: data.units.CRD.topup.below is missing"),
        ("p100", "p200", "unknown_package"),
        (r#""quantity":2"#, r#""quantity":0"#, "malformed: data.units.CRD.topup.quantity"),
        ("15 minutes", "soon", "malformed: data.units.CRD.topup.deadline is no duration"),
        ("1h", "-1h", "malformed: data.units.CRD.topup.retry_after is no duration"),
        (r#""max_count":3"#, r#""max_count":0"#, "malformed: data.units.CRD.topup.max_count"),
        (
            r#""max_count":3"#,
            r#""max_money":{"currency":"USD","amount":"50"}"#,
            "currency_mismatch: topup.max_money is in USD, and package \"p100\" has no price in it",
        ),
    ] {
        let refused = refusal(&structured("account.updated", &said.replace(from, to)));
        assert!(refused.starts_with(says), "{refused}");
    }
}

#[test]
fn an_update_that_is_wrong_anywhere_is_refused_whole_6_2() {
    for (data, says) in [
        (r#"{"account":"acme","kind":"robot"}"#, "malformed: data.kind"),
        (r#"{"account":"acme","units":{"XXX":{}}}"#, "unknown_unit"),
        (r#"{"account":"acme","units":{"CRD":7}}"#, "malformed: data.units.CRD is an integer"),
        (
            r#"{"account":"acme","units":{"CRD":{"low_balance":"5"}}}"#,
            "malformed: data.units.CRD.low_balance is a string, not an array",
        ),
        (
            r#"{"account":"acme","units":{"CRD":{"low_balance":["-5"]}}}"#,
            "malformed: data.units.CRD.low_balance must not be negative",
        ),
        (
            r#"{"account":"acme","units":{"CRD":{"opening_balance":"-5"}}}"#,
            "malformed: data.units.CRD.opening_balance must not be negative",
        ),
        (
            r#"{"account":"acme","units":{"CRD":{"overdraft_limit":"0.001"}}}"#,
            "malformed: data.units.CRD.overdraft_limit has more than the 2 decimals",
        ),
    ] {
        let refused = refusal(&structured("account.updated", data));
        assert!(refused.starts_with(says), "{refused}");
    }
}
