//! The operator's desk, kept in tables (semantics 9.3).

use creditd::event::instruction::{Instruction, discard, forget, release};
use creditd::ledger::{
    Asks, Command, EventKey, Mode, ParkedEvent, Reason, Record, RefundClaim, Request, WaitsFor,
    Waiver, WhenSpent,
};
use creditd::notice::{Wire, render_parked};
use creditd::store::Arrival;
use creditd::store::verify::verify;

use crate::world::{
    Pays, World, claims, invoice, minute, pays, refund_of, request, reverses, terms, uses, wires,
};

/// A payment whose line matches no package.
pub(crate) fn unpriced(id: &str, account: &str, invoice: &str) -> Request {
    let Asks::Command(Command::Pay(mut payment)) = Pays::new(account, invoice, "1").asks() else {
        panic!("a payment")
    };
    payment.lines[0].priced = Err(Reason::UnknownPackage.because("no package"));
    request(id, "payment.succeeded", Asks::Command(Command::Pay(payment)))
}

/// Usage of a meter that the catalog did not have.
fn unmetered(id: &str) -> Request {
    request(id, "usage.recorded", Asks::Rejected(Reason::UnknownMeter.because("no meter")))
}

impl World {
    async fn parked(&self, key: EventKey, tries: i32) -> ParkedEvent {
        let name = crate::world::name("e");
        let name = creditd::ledger::EventName { source: crate::world::name("shop"), id: name };
        ParkedEvent { key, name, occurred_at: minute(3), tries }
    }

    async fn releasing(&self, event: Request, tries: i32, waiver: Waiver) -> Instruction {
        release(&self.parked(event.key, tries).await, event, waiver, "ada")
    }

    async fn carry_out(&self, instructions: &[Instruction]) -> Vec<String> {
        let arrivals: Vec<Arrival> = instructions
            .iter()
            .map(|one| Arrival {
                request: one.request.clone(),
                body: Some(one.body.clone()),
                properties: None,
            })
            .collect();
        loop {
            let mut batch = self.store.open_batch(&arrivals).await.unwrap();
            let requests: Vec<Request> = arrivals.iter().map(|one| one.request.clone()).collect();
            let records = self.decide(&mut batch, &requests);
            let wires = notices(&batch.book);
            match batch.commit(&arrivals, &wires).await {
                Ok(()) => return records.iter().map(told).collect(),
                Err(error) if error.is_overtaken() => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    async fn desk(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT concat_ws(' ', inbox.id, state, parked.reason, tries, closer.type)
             FROM parked
             JOIN inbox USING (event_key)
             LEFT JOIN inbox AS closer ON closer.event_key = parked.closed_by
             ORDER BY 1",
        )
        .fetch_all(&self.tables)
        .await
        .unwrap()
    }

    async fn is_sound(&self) {
        let found = verify(&self.tables, 20, &mut |_| {}).await.unwrap();
        let desk = [
            "parked",
            "desk",
            "inbox",
            "causes",
            "lots",
            "balances",
            "chain",
            "usage_reversals",
            "revocations",
        ];
        for checked in found.checks.iter().filter(|one| desk.contains(&one.check)) {
            assert_eq!(checked.findings, Vec::<String>::new(), "{}", checked.check);
        }
    }
}

fn told(record: &Record) -> String {
    match record.verdict.reason() {
        Some(reason) => format!("{} {reason}", record.verdict.outcome()),
        None => record.verdict.outcome().to_owned(),
    }
}

/// As `notice` renders them where ids have to differ.
fn notices(book: &creditd::ledger::Book) -> Vec<Wire> {
    let told = wires(book).into_iter().filter(|wire| wire.account.is_some());
    told.chain(book.journal.parked_notices.iter().map(render_parked)).collect()
}

const NO_WAIVER: Waiver = Waiver { when_spent: None, refund_anyway: false };

#[tokio::test]
async fn a_released_event_has_its_outcome_its_entries_and_its_own_time() {
    let world = World::new().await;
    world.run(&[unpriced("p1", "ada", "inv"), unmetered("u1")]).await.unwrap();
    let payment = Request { occurred_at: Some(minute(3)), ..pays("p1", "ada", "inv", "100") };
    let usage = uses("u1", "ada", "10");
    let commands =
        [world.releasing(payment, 0, NO_WAIVER).await, world.releasing(usage, 0, NO_WAIVER).await];

    assert_eq!(world.carry_out(&commands).await, ["applied released", "applied released"]);

    assert_eq!(
        world.desk().await,
        [
            "p1 released unknown_package 1 event.released",
            "u1 released unknown_meter 1 event.released"
        ]
    );
    assert_eq!(world.count("SELECT balance FROM balance").await, 9_000);
    let row = "SELECT count(*) FROM inbox JOIN account USING (account_id)
               WHERE id = 'u1' AND outcome = 'applied' AND reason IS NULL AND cost = 1000
                   AND entry_first = 2 AND entry_last = 2 AND meter = 'api' AND body IS NOT NULL";
    assert_eq!(world.count(row).await, 1);
    let entry = "SELECT count(*) FROM entry JOIN inbox USING (event_key)
                 WHERE inbox.id = 'p1' AND entry.occurred_at = to_timestamp(1750000180)";
    assert_eq!(world.count(entry).await, 1);
    assert!(world.store.parked_by_reason().await.unwrap().is_empty(), "the gauge follows");
    world.is_sound().await;
}

#[tokio::test]
async fn a_release_that_is_refused_again_can_be_tried_again() {
    let world = World::new().await;
    let early = unpriced("p1", "ada", "inv");
    world.run(std::slice::from_ref(&early)).await.unwrap();

    let again = [world.releasing(early.clone(), 0, NO_WAIVER).await];
    assert_eq!(world.carry_out(&again).await, ["declined"]);
    assert_eq!(world.carry_out(&again).await, ["duplicate"]);
    assert_eq!(world.desk().await, ["p1 open unknown_package 1"]);
    assert_eq!(world.count("SELECT count(*) FROM account").await, 0);
    world.is_sound().await;

    let priced = [world.releasing(pays("p1", "ada", "inv", "100"), 1, NO_WAIVER).await];
    assert_eq!(world.carry_out(&priced).await, ["applied released"]);
    // A message that came before the release, and one read with today's catalog.
    world.run(&[early, pays("p1", "ada", "inv", "100")]).await.unwrap();
    assert_eq!(world.count("SELECT balance FROM balance").await, 10_000);
    assert_eq!(
        world
            .count("SELECT count FROM redelivery JOIN inbox USING (event_key) WHERE id = 'p1'")
            .await,
        2
    );
    assert_eq!(world.desk().await, ["p1 released unknown_package 2 event.released"]);
    world.is_sound().await;
}

#[tokio::test]
async fn of_two_operators_at_once_one_wins() {
    let world = World::new().await;
    world.run(&[unpriced("p1", "ada", "inv")]).await.unwrap();
    let event = pays("p1", "ada", "inv", "100");
    let parked = world.parked(event.key, 0).await;
    let first = [release(&parked, event.clone(), NO_WAIVER, "ada")];
    let same = [release(&parked, event, NO_WAIVER, "bob")];
    let other = [discard(&parked, "no", "cleo")];

    let (first, same, other) =
        tokio::join!(world.carry_out(&first), world.carry_out(&same), world.carry_out(&other));

    let mut ends = [first, same, other].concat();
    ends.sort();
    let released =
        vec!["applied released".to_owned(), "declined".to_owned(), "duplicate".to_owned()];
    let discarded =
        vec!["applied discarded".to_owned(), "declined".to_owned(), "duplicate".to_owned()];
    assert!(ends == released || ends == discarded, "{ends:?}");
    world.is_sound().await;
}

#[tokio::test]
async fn a_refund_that_its_payment_refused_is_released_with_a_waiver() {
    let world = World::new().await;
    let mut payment = Pays::new("ada", "inv", "100");
    payment.terms = terms(Mode::Add);
    payment.terms.refundable = false;
    payment.terms.when_spent = WhenSpent::Park;
    let refund = refund_of("r1", "inv", "50.00");
    world.run(std::slice::from_ref(&refund)).await.unwrap();
    world.run(&[payment.request("p1"), uses("u1", "ada", "90")]).await.unwrap();
    let both = Waiver { when_spent: Some(WhenSpent::Debt), refund_anyway: true };

    let alone = Waiver { refund_anyway: true, ..NO_WAIVER };
    assert_eq!(
        world.carry_out(&[world.releasing(refund.clone(), 0, alone).await]).await,
        ["declined"]
    );
    assert_eq!(world.desk().await, ["r1 open spent 1"]);
    assert_eq!(
        world.carry_out(&[world.releasing(refund, 1, both).await]).await,
        ["applied released"]
    );

    assert_eq!(world.outcomes().await.iter().filter(|one| *one == "r1 applied").count(), 1);
    assert!(world.count("SELECT balance FROM balance").await < 0);
    world.is_sound().await;
}

#[tokio::test]
async fn what_waits_and_is_given_up_takes_nothing_when_its_payment_comes_4_11() {
    let world = World::new().await;
    let early = [
        refund_of("r1", "inv", "50.00"),
        claims("v1", "inv", RefundClaim::Void),
        refund_of("r2", "inv", "10.00"),
    ];
    world.run(&early).await.unwrap();
    assert_eq!(world.store.waiting().await.unwrap().count, 3);
    let forgets = |one: &Request| {
        let waits_for = WaitsFor::Payment(vec![invoice("inv")]);
        forget(one.key, &one.name, waits_for, "it was sent twice", "ada")
    };

    let given_up = [forgets(&early[0]), forgets(&early[1])];
    assert_eq!(world.carry_out(&given_up).await, ["applied discarded", "applied discarded"]);

    assert_eq!(world.store.waiting().await.unwrap().count, 1);
    world.run(&[pays("p1", "ada", "inv", "100")]).await.unwrap();
    // A refund of 10.00 of the 52.50 that were charged.
    assert_eq!(world.count("SELECT balance FROM balance").await, 8_095);
    let outcomes = world.outcomes().await;
    assert!(outcomes.contains(&"r1 ignored discarded".to_owned()), "{outcomes:?}");
    assert!(outcomes.contains(&"v1 ignored discarded".to_owned()), "{outcomes:?}");
    // What has been posted can't be given up any more.
    assert_eq!(world.carry_out(&[forgets(&early[2])]).await, ["declined"]);
    world.is_sound().await;
}

#[tokio::test]
async fn a_reversal_that_waits_and_is_given_up_gives_nothing_back_5_5() {
    let world = World::new().await;
    let usage = uses("u1", "ada", "10");
    let early = [reverses("v1", "u1", None), reverses("v2", "u1", Some("1"))];
    world.run(&early).await.unwrap();
    assert_eq!(world.store.waiting().await.unwrap().count, 2);
    let waits_for = WaitsFor::Usage(usage.key, usage.name.clone());
    let command = forget(early[0].key, &early[0].name, waits_for, "sent twice", "ada");

    assert_eq!(world.carry_out(&[command]).await, ["applied discarded"]);

    assert_eq!(world.store.waiting().await.unwrap().count, 1);
    world.run(&[usage]).await.unwrap();
    // 1 of 2.5 comes back.
    assert_eq!(world.count("SELECT balance FROM balance").await, -600);
    world.is_sound().await;
}

#[tokio::test]
async fn what_was_released_and_waits_parks_again_with_its_payment() {
    let world = World::new().await;
    let mut payment = Pays::new("ada", "inv", "100");
    payment.terms.refundable = false;
    let unread = request("r1", "x", Asks::Rejected(Reason::UnknownType.because("x")));
    world.run(&[unread]).await.unwrap();
    let refund = refund_of("r1", "inv", "50.00");
    let command = [world.releasing(refund.clone(), 0, NO_WAIVER).await];
    assert_eq!(world.carry_out(&command).await, ["applied released"]);
    assert_eq!(world.store.waiting().await.unwrap().count, 1);

    let arrivals = crate::world::arrivals(&[payment.request("p1")]);
    let mut batch = world.store.open_batch(&arrivals).await.unwrap();
    world.decide(&mut batch, &[arrivals[0].request.clone()]);
    let wires = notices(&batch.book);
    batch.commit(&arrivals, &wires).await.unwrap();

    assert_eq!(world.desk().await, ["r1 open not_refundable 1"]);
    assert_eq!(world.count("SELECT count(*) FROM notice WHERE type = 'event.parked'").await, 2);
    world.is_sound().await;
    // It is still the event that was released: no correction of it is taken.
    world.run(std::slice::from_ref(&refund)).await.unwrap();
    assert_eq!(world.desk().await, ["r1 open not_refundable 1"]);
}

#[tokio::test]
async fn a_correction_takes_the_place_of_what_is_parked() {
    let world = World::new().await;
    let wrong = unpriced("p1", "ada", "inv");
    let worse = unpriced("p1", "bob", "inv");
    let right = pays("p1", "ada", "inv", "100");
    world.run(std::slice::from_ref(&wrong)).await.unwrap();
    // Two corrections in one batch: the second corrects the first.
    world.run(&[worse.clone(), right.clone()]).await.unwrap();

    let all = ["p1 superseded unknown_package 0 payment.succeeded"; 2];
    assert_eq!(world.desk().await, all);
    assert_eq!(world.count("SELECT balance FROM balance").await, 10_000);
    world.is_sound().await;

    let third = unpriced("p1", "cleo", "inv");
    let records = world.run(&[wrong, worse, right.clone(), third.clone(), third]).await.unwrap();
    let ends: Vec<_> = records.iter().map(told).collect();
    assert_eq!(ends, ["duplicate", "duplicate", "duplicate", "parked conflict", "duplicate"]);
    let newest = "SELECT count(*) FROM parked JOIN entry ON entry.event_key = parked.newest";
    assert_eq!(world.count(newest).await, 1, "the first of the name leads to the newest");
    world.is_sound().await;
}

#[tokio::test]
async fn a_correction_that_the_database_refuses_takes_the_place_too() {
    let world = World::new().await;
    world.run(&[unpriced("p1", "ada", "inv")]).await.unwrap();
    let correction = crate::world::arrivals(&[pays("p1", "ada", "inv", "100")]);
    let rejection = Reason::Refused.because("the database refused it");

    for is_new in [true, false] {
        let parked = world.store.park_alone(&correction[0], &rejection, render_parked).await;
        assert_eq!(parked.unwrap(), is_new);
    }

    assert_eq!(
        world.desk().await,
        ["p1 open refused 0", "p1 superseded unknown_package 0 payment.succeeded"]
    );
    world.is_sound().await;
}

#[tokio::test]
async fn one_correction_in_two_batches_at_once_is_applied_once() {
    let world = World::new().await;
    world.run(&[unpriced("p1", "ada", "inv"), uses("u0", "ada", "0.01")]).await.unwrap();
    let right = [pays("p1", "ada", "inv", "100")];

    let (one, two) = tokio::join!(world.run(&right), world.run(&right));

    let mut ends: Vec<_> =
        [one.unwrap(), two.unwrap()].iter().map(|records| told(&records[0])).collect();
    ends.sort();
    assert_eq!(ends, ["applied", "duplicate"]);
    assert_eq!(world.count("SELECT balance FROM balance").await, 9_999);
    world.is_sound().await;
}

#[tokio::test]
async fn what_is_broken_about_the_desk_is_found() {
    let world = World::new().await;
    let early = unpriced("p1", "ada", "inv");
    world.run(std::slice::from_ref(&early)).await.unwrap();
    world.carry_out(&[discard(&world.parked(early.key, 0).await, "no", "ada")]).await;
    world.is_sound().await;

    let broken = [
        ("UPDATE parked SET state = 'released'", "released by what is no command to release"),
        ("UPDATE parked SET closed_by = event_key", "discarded by what is no command to discard"),
        (
            "UPDATE inbox SET outcome = 'parked', reason = 'spent' WHERE id = 'p1'",
            "was discarded and ended as parked spent",
        ),
        ("UPDATE parked SET newest = closed_by", "leads to a newest event of another name"),
        ("INSERT INTO redelivery VALUES (gen_random_uuid(), 1, now())", "never came"),
        ("DELETE FROM parked", "ended as discarded and was not on the desk"),
    ];
    for (change, finding) in broken {
        let mut tx = world.tables.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *tx).await.unwrap();
        let sql = include_str!("../../src/store/verify/desk.sql");
        let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *tx).await.unwrap();
        assert!(found.iter().any(|one| one.contains(finding)), "{change}: {found:?}");
        tx.rollback().await.unwrap();
    }
}

/// A command about a parked event whose name makes its key, as the tests' names do.
fn by_name(mut instruction: Instruction, key: EventKey) -> Instruction {
    match &mut instruction.request.asks {
        Asks::Command(Command::Release(release)) => release.first = key,
        Asks::Command(Command::Discard(discard)) => discard.first = key,
        Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => {}
    }
    instruction
}

#[tokio::test]
async fn a_reversal_of_parked_usage_waits_until_it_is_released_or_given_up_5_5() {
    let world = World::new().await;
    let early = [unmetered("u1"), unmetered("u2"), unmetered("u3")];
    world.run(&early).await.unwrap();
    let reversals = ["u1", "u2", "u3"].map(|usage| reverses(&format!("v-{usage}"), usage, None));
    world.run(&reversals).await.unwrap();
    assert_eq!(world.store.waiting().await.unwrap().count, 3);

    let release = world.releasing(uses("u1", "ada", "10"), 0, NO_WAIVER).await;
    let given_up =
        ParkedEvent { name: early[1].name.clone(), ..world.parked(early[1].key, 0).await };
    let commands = [
        by_name(release, early[0].key),
        by_name(discard(&given_up, "a test", "ada"), early[1].key),
    ];
    assert_eq!(world.carry_out(&commands).await, ["applied released", "applied discarded"]);
    world.run(&[uses("u3", "ada", "7")]).await.unwrap();

    assert_eq!(world.store.waiting().await.unwrap().count, 0);
    assert_eq!(world.count("SELECT sum(credits) FROM usage_reversal").await, 1_700);
    assert_eq!(world.count("SELECT balance FROM balance").await, 0);
    // What comes later finds the one that was released, and the one that was corrected.
    let more = ["u1", "u2", "u3"].map(|usage| reverses(&format!("w-{usage}"), usage, Some("1")));
    let records = world.run(&more).await.unwrap();
    assert_eq!(records.iter().map(told).collect::<Vec<_>>(), ["applied zero"; 3]);
    world.is_sound().await;
}
