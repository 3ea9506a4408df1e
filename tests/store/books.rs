//! Books that went through the tables are the books that were kept in memory.

use creditd::ledger::{
    Asks, Book, Command, DisputeReport, DisputeStatus, Pricing, RefundClaim, RefundStatus, Request,
    StatedMoney, decide,
};

use crate::essence::essence;
use crate::world::{
    Pays, World, arrivals, claims, invoice, minute, other, pays, refund_of, refunds, request,
    reset, reverses, rules, terms, uses,
};

/// The same events, all in one book in memory.
fn in_memory(requests: &[Request]) -> Book {
    let mut book = Book::default();
    for request in requests {
        decide(&mut book, &rules(), request, minute(100_000));
    }
    book
}

/// What the tables hold of everything that `requests` name: an opened batch of the same asks under
/// new names, which is never committed.
async fn in_tables(world: &World, requests: &[Request]) -> Book {
    let probes: Vec<Request> = requests
        .iter()
        .map(|one| request(&format!("probe-{}", one.name.id), &one.kind, one.asks.clone()))
        .collect();
    world.store.open_batch(&arrivals(&probes)).await.unwrap().book
}

/// A story that has all kinds of rows change after they were written.
fn story(tag: &str) -> Vec<Request> {
    let (ada, inv, early) = (format!("ada-{tag}"), format!("inv-{tag}"), format!("early-{tag}"));
    let id = |event: &str| format!("{event}-{tag}");
    let plan = |event: &str, invoice_id: &str, minute: i64| {
        let mut pays = Pays::new(&ada, &format!("{invoice_id}-{tag}"), "200");
        pays.terms = terms(reset());
        pays.terms.applies_to = vec!["api".into(), "a \"b\", \\c".into()];
        pays.minute = minute;
        pays.request(&id(event))
    };
    let fails = |event: &str, refund_id: &str| {
        let claim = RefundClaim::Amount(StatedMoney::major("25").unwrap());
        let refund_id = id(refund_id);
        refunds(&id(event), vec![invoice(&inv)], &refund_id, claim, RefundStatus::Failed)
    };
    let full = |event: &str| {
        let references = vec![invoice(&inv), other(&id("note"))];
        refunds(&id(event), references, &id(event), RefundClaim::Full, RefundStatus::Succeeded)
    };
    let disputed = |event: &str, status| {
        let claim = RefundClaim::Dispute(DisputeReport {
            dispute_id: id("dp").into(),
            status,
            amount: Some(StatedMoney::major("30").unwrap()),
            said_at: None,
        });
        claims(&id(event), &format!("late-{tag}"), claim)
    };
    vec![
        refund_of(&id("r0"), &early, "20.00"),
        pays(&id("p1"), &ada, &inv, "100"),
        uses(&id("u1"), &ada, "70.25"),
        refund_of(&id("r1"), &inv, "25.00"),
        pays(&id("p2"), &ada, &early, "60"),
        plan("p3", "plan", 1),
        uses(&id("u2"), &ada, "30"),
        plan("p4", "plan-next", 2),
        refund_of(&id("r2"), &inv, "27.50"),
        uses(&id("u3"), &ada, "400"),
        pays(&id("p5"), &ada, &format!("late-{tag}"), "500"),
        fails("r3", "r1"),
        full("r4"),
        plan("p6", "plan-late", 1),
        uses(&id("u4"), &ada, "475"),
        reverses(&id("v1"), &id("u1"), Some("1")),
        reverses(&id("v2"), &id("u5"), Some("0.3")),
        reverses(&id("v3"), &id("p1"), None),
        reverses(&id("v4"), &id("u1"), Some("0.75")),
        reverses(&id("v5"), &id("u5"), Some("1.2")),
        reverses(&id("v6"), &id("u3"), None),
        uses(&id("u5"), &ada, "33.33"),
        reverses(&id("v7"), &id("u4"), Some("2.4")),
        reverses(&id("v8"), &id("never"), Some("2.4")),
        reverses(&id("v9"), &id("p9"), None),
        pays(&id("p9"), &ada, &id("inv-9"), "1"),
        disputed("d1", DisputeStatus::Opened),
        claims(&id("w1"), &format!("plan-next-{tag}"), RefundClaim::Void),
        uses(&id("u6"), &ada, "20"),
        disputed("d2", DisputeStatus::Won),
        pays(&id("p7"), &ada, &format!("again-{tag}"), "30"),
    ]
}

#[tokio::test]
async fn a_batch_saved_and_loaded_gives_the_same_book() {
    let world = World::new().await;
    let requests = story("one");

    world.run(&requests).await.unwrap();

    let loaded = in_tables(&world, &requests).await;
    assert_eq!(essence(&loaded), essence(&in_memory(&requests)));
}

#[tokio::test]
async fn money_that_buys_no_credits_is_reported_under_its_package_4_1() {
    let world = World::new().await;
    let mut fee = pays("p1", "ada", "in-1", "0");
    if let Asks::Command(Command::Pay(payment)) = &mut fee.asks {
        let money_only = Pricing::MoneyOnly { package: "setup-fee".into(), account_kinds: vec![] };
        payment.lines[0].priced = Ok(money_only);
    }

    world.run(&[fee, pays("p2", "ada", "in-2", "5")]).await.unwrap();

    let sold = async |what: &str| {
        let count = "SELECT count(*) FROM creditd_read.revenue_by_month";
        world.count(&format!("{count} WHERE {what}")).await
    };
    assert_eq!(sold("package = 'setup-fee' AND unit IS NULL").await, 1);
    assert_eq!(sold("package = 'starter' AND unit = 'CRD'").await, 1);
}

#[tokio::test]
async fn every_event_in_a_batch_of_its_own_gives_the_same_books() {
    let world = World::new().await;
    let requests = story("each");

    for (index, request) in requests.iter().enumerate() {
        world.run(std::slice::from_ref(request)).await.unwrap();

        let so_far = &requests[..=index];
        let loaded = in_tables(&world, so_far).await;
        assert_eq!(essence(&loaded), essence(&in_memory(so_far)), "after {}", request.name);
    }
    // What the last reset had forfeited came back.
    assert!(world.count("SELECT sum(restored) FROM forfeit").await > 0);
}

#[tokio::test]
async fn a_story_split_into_batches_anyhow_gives_the_same_books() {
    let world = World::new().await;
    // A linear congruence is random enough to cut stories with.
    let mut random: u32 = 42;

    for run in 0..30 {
        let requests = story(&format!("split-{run}"));
        let mut rest = &requests[..];
        let mut cuts = Vec::new();
        while !rest.is_empty() {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = (random >> 16) as usize % rest.len() + 1;
            let (batch, later) = rest.split_at(size);
            world.run(batch).await.unwrap();
            cuts.push(size);
            rest = later;
        }

        let loaded = in_tables(&world, &requests).await;
        assert_eq!(essence(&loaded), essence(&in_memory(&requests)), "cut into {cuts:?}");
    }
}

#[tokio::test]
async fn a_merge_of_waiting_purchases_moves_their_refunds() {
    let world = World::new().await;
    let requests = [
        refund_of("r1", "inv", "10.00"),
        refunds(
            "r2",
            vec![other("o-1")],
            "r2",
            RefundClaim::Amount(StatedMoney::major("5.00").unwrap()),
            RefundStatus::Succeeded,
        ),
        {
            let mut pays = Pays::new("ada", "inv", "100");
            pays.references.push(other("o-1"));
            pays.request("p1")
        },
    ];

    for one in &requests {
        world.run(std::slice::from_ref(one)).await.unwrap();
    }

    let loaded = in_tables(&world, &requests).await;
    assert_eq!(essence(&loaded), essence(&in_memory(&requests)));
    assert_eq!(world.count("SELECT count(*) FROM purchase").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM refund").await, 2);
    assert_eq!(world.count("SELECT balance FROM balance").await, 7_143);
}

#[tokio::test]
async fn purchases_that_merge_within_one_batch_leave_no_trace_of_two() {
    let world = World::new().await;
    let mut pays = Pays::new("ada", "inv", "100");
    pays.references.push(other("o-1"));
    let claim = RefundClaim::Amount(StatedMoney::major("5.00").unwrap());
    let by_order = refunds("r2", vec![other("o-1")], "r2", claim, RefundStatus::Succeeded);

    world.run(&[refund_of("r1", "inv", "10.00"), by_order, pays.request("p1")]).await.unwrap();

    assert_eq!(world.count("SELECT count(*) FROM purchase").await, 1);
    let strays = "SELECT count(*) FROM inbox
                  WHERE purchase_id NOT IN (SELECT purchase_id FROM purchase)";
    assert_eq!(world.count(strays).await, 0);
}

#[tokio::test]
async fn a_batch_writes_each_table_with_one_statement_of_a_kind() {
    let world = World::new().await;
    sqlx::raw_sql(
        "CREATE SEQUENCE creditd.first_statement;
         CREATE TABLE creditd.seen (what TEXT NOT NULL);
         CREATE FUNCTION creditd.see() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO creditd.seen VALUES (TG_TABLE_NAME || ' ' || TG_OP);
             RETURN NULL;
         END $$;
         DO $$
         DECLARE
             watched TEXT;
         BEGIN
             FOR watched IN SELECT tablename FROM pg_tables
                 WHERE schemaname = 'creditd' AND tablename NOT IN ('seen', '_sqlx_migrations')
             LOOP
                 EXECUTE format('CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE
                     ON creditd.%I FOR EACH STATEMENT EXECUTE FUNCTION creditd.see()', watched);
             END LOOP;
         END $$",
    )
    .execute(&world.tables)
    .await
    .unwrap();
    let stories = |tags: std::ops::Range<u32>| -> Vec<Request> {
        tags.flat_map(|tag| story(&tag.to_string())).collect()
    };
    world.run(&stories(0..5)).await.unwrap();
    sqlx::raw_sql("TRUNCATE creditd.seen").execute(&world.tables).await.unwrap();

    // The first halves are known by now, the second halves change what they wrote.
    let mut requests = stories(0..10);
    requests.extend((0..5).map(|tag| uses(&format!("again-{tag}"), &format!("ada-{tag}"), "1")));
    world.run(&requests).await.unwrap();

    let twice = "SELECT count(*) FROM (
                     SELECT what FROM seen GROUP BY what HAVING count(*) > 1
                 ) AS twice";
    assert_eq!(world.count(twice).await, 0);
    assert!(world.count("SELECT count(*) FROM seen").await > 10);
}
