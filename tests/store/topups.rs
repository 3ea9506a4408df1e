//! Top-ups and what time has looked at again, through the tables.

use std::time::Duration;

use creditd::event::due_request;
use creditd::ledger::{
    AccountUpdate, Asks, Command, Due, DueKind, Number, PaymentFailure, Request, Said, TopUp,
    UnitUpdate,
};
use creditd::store::DueCursor;

use crate::world::{World, credits, name, pays, request, rules, uses};

fn sets_topup(id: &str, account: &str) -> Request {
    let topup = TopUp {
        below: credits("50"),
        package: name("p"),
        quantity: Number::ONE,
        deadline: None,
        retry_after: None,
        max_count: None,
        max_money: None,
    };
    let said = UnitUpdate { topup: Said::Value(topup), ..UnitUpdate::default() };
    let update = AccountUpdate {
        account: name(account),
        kind: None,
        name: Said::Nothing,
        units: vec![(name("CRD"), said)],
    };
    request(id, "account.updated", Asks::Command(Command::Update(Box::new(update))))
}

async fn due(world: &World) -> Vec<Due> {
    let mut cursor = DueCursor::default();
    world.store.due(&mut cursor, Some(Duration::ZERO), &rules(), 10).await.unwrap()
}

#[tokio::test]
async fn what_was_asked_is_remembered_and_looked_at_again_when_its_deadline_has_passed_8_5() {
    let world = World::new().await;
    world.run(&[pays("p1", "acme", "in_1", "100"), sets_topup("s1", "acme")]).await.unwrap();
    world.run(&[uses("u1", "acme", "60")]).await.unwrap();
    world.run(&[uses("u2", "acme", "1")]).await.unwrap();
    let asked = "SELECT count(*) FROM notice WHERE type = 'topup.requested'";
    assert_eq!(world.count(asked).await, 1);
    assert_eq!(due(&world).await, []);

    sqlx::query("UPDATE balance SET look_at = now() - INTERVAL '1 hour'")
        .execute(&world.tables)
        .await
        .unwrap();
    let found = due(&world).await;
    assert_eq!(found.iter().map(|due| due.kind).collect::<Vec<_>>(), [DueKind::Look]);
    world.run(&[due_request(&found[0])]).await.unwrap();

    // The request still waits for its answer.
    assert_eq!(world.count(asked).await, 1);
    assert_eq!(due(&world).await, []);
    let waits = "SELECT count(*) FROM balance WHERE look_at > now() AND asking IS NOT NULL";
    assert_eq!(world.count(waits).await, 1);
}

#[tokio::test]
async fn a_failure_answers_and_opens_no_account_8_5() {
    let world = World::new().await;
    world.run(&[pays("p1", "acme", "in_1", "40"), sets_topup("s1", "acme")]).await.unwrap();
    world.run(&[uses("u1", "acme", "1")]).await.unwrap();
    let id: String = sqlx::query_scalar("SELECT asking #>> '{newest,id}' FROM balance")
        .fetch_one(&world.tables)
        .await
        .unwrap();
    let fails = |id: &str, account: &str, request_id: &str| {
        let failure = PaymentFailure { account: name(account), topup_request: name(request_id) };
        request(id, "payment.failed", Asks::Command(Command::Fail(failure)))
    };

    world.run(&[fails("f1", "acme", &id), fails("f2", "nobody", &id)]).await.unwrap();

    let failed = "SELECT count(*) FROM balance
         WHERE asking #>> '{newest,answer}' = 'failed' AND look_at > now()";
    assert_eq!(world.count(failed).await, 1);
    assert_eq!(world.count("SELECT count(*) FROM account").await, 1);
}
