//! Books that the ledger decided and the store wrote, whatever came in, are sound (semantics 10).

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::path::Path;

use creditd::catalog::Catalog;
use creditd::ledger::{
    Asks, Command, DisputeReport, DisputeStatus, LineRefund, Mode, Number, RefundClaim,
    RefundStatus, RefundedLine, Request, Reset, ResetOverdraft, ResetScope, StatedMoney, WhenShort,
    WhenSpent,
};
use creditd::notice::{render, render_parked};
use creditd::store::verify::{Progress, verify};

use crate::world::{
    Pays, World, arrivals, claims, invoice, name, other, refunds, request, reset, uses,
};

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len() as u64) as usize]
    }

    fn dollars(&mut self, max: u64) -> StatedMoney {
        StatedMoney::major(&self.roll(max).to_string()).unwrap()
    }

    fn event(&mut self, id: &str) -> Request {
        let purchase = self.roll(25);
        match self.roll(10) {
            0..=2 => self.payment(id, purchase),
            3..=6 => self.refund(id, purchase),
            _ => self.usage(id, purchase),
        }
    }

    fn payment(&mut self, id: &str, purchase: u64) -> Request {
        let granted = (10 + self.roll(90)).to_string();
        let mut pays = Pays::new(&account(purchase), &format!("in_{purchase}"), &granted);
        pays.minute = self.roll(900) as i64;
        pays.paid_minor = self.one_of(&[0, 999, 5_000, 12_345]);
        pays.terms.when_spent = self.one_of(&[WhenSpent::Debt, WhenSpent::Clamp, WhenSpent::Park]);
        pays.terms.refundable = self.roll(5) > 0;
        if self.roll(4) == 0 {
            pays.terms.applies_to = vec![name("api")];
        }
        pays.terms.mode = match self.roll(4) {
            0 => reset(),
            1 => Mode::Reset(Reset {
                scope: ResetScope::Unit,
                rollover_max_steps: 500,
                overdraft: ResetOverdraft::Forgive,
                restore_forfeited: false,
            }),
            _ => Mode::Add,
        };
        if self.roll(3) == 0 {
            pays.line_id = Some(format!("line-{}", self.roll(3)));
        }
        if self.roll(4) == 0 {
            pays.references.push(other(&format!("order-{purchase}")));
        }
        pays.request(id)
    }

    fn refund(&mut self, id: &str, purchase: u64) -> Request {
        if self.roll(4) == 0 {
            return self.void_or_dispute(id, purchase);
        }
        let claim = match self.roll(4) {
            0 => RefundClaim::Full,
            1 => RefundClaim::Total(self.dollars(60)),
            2 => RefundClaim::Lines(vec![RefundedLine {
                line_id: name(&format!("line-{}", self.roll(3))),
                back: match self.roll(2) {
                    0 => LineRefund::Money(self.dollars(10)),
                    _ => LineRefund::Credits(Number::parse("3").unwrap()),
                },
            }]),
            _ => RefundClaim::Amount(self.dollars(30)),
        };
        let reference = match self.roll(5) {
            0 => other(&format!("order-{purchase}")),
            _ => invoice(&format!("in_{purchase}")),
        };
        let status = self.one_of(&[
            RefundStatus::Succeeded,
            RefundStatus::Succeeded,
            RefundStatus::Pending,
            RefundStatus::Failed,
        ]);
        refunds(id, vec![reference], &format!("re-{}", self.roll(40)), claim, status)
    }

    /// Kept under its own event, unlike a refund.
    fn void_or_dispute(&mut self, id: &str, purchase: u64) -> Request {
        let claim = match self.roll(4) {
            0 => RefundClaim::Void,
            _ => RefundClaim::Dispute(DisputeReport {
                dispute_id: name(&format!("dp-{}", self.roll(3))),
                status: self.one_of(&[
                    DisputeStatus::Opened,
                    DisputeStatus::Won,
                    DisputeStatus::Lost,
                ]),
                amount: (self.roll(2) == 0).then(|| self.dollars(40)),
                said_at: None,
            }),
        };
        claims(id, &format!("in_{purchase}"), claim)
    }

    fn usage(&mut self, id: &str, purchase: u64) -> Request {
        let mut used = uses(id, &account(purchase), &self.roll(40).to_string());
        if let Asks::Command(Command::Use(usage)) = &mut used.asks {
            usage.when_short =
                self.one_of(&[WhenShort::Overdraft, WhenShort::Partial, WhenShort::Decline]);
            usage.meter = self.one_of(&[Some("api"), Some("other"), None]).map(name);
        }
        request(id, "usage.recorded", used.asks)
    }
}

fn account(purchase: u64) -> String {
    format!("account-{}", purchase % 3)
}

/// Decides and commits one batch, with the notices that subscribers would get.
async fn run(world: &World, catalog: &Catalog, requests: &[Request]) {
    let arrivals = arrivals(requests);
    let mut batch = world.store.open_batch(&arrivals).await.unwrap();
    world.decide(&mut batch, requests);
    let journal = &batch.book.journal;
    let told = journal.notices.iter().map(|notice| render(notice, catalog));
    let wires: Vec<_> = told.chain(journal.parked_notices.iter().map(render_parked)).collect();
    batch.commit(&arrivals, &wires).await.unwrap();
}

const SEEDS: u64 = 4;

#[tokio::test]
async fn whatever_comes_in_the_books_stay_sound_10() {
    let catalog = Catalog::load(Path::new("config/catalog.toml")).unwrap();
    for seed in 1..=SEEDS {
        let world = World::new().await;
        sqlx::query("INSERT INTO unit (unit, decimals) VALUES ('CRD', 2)")
            .execute(&world.tables)
            .await
            .unwrap();
        let mut dice = Dice(seed * 7_919);
        for batch in 0..60 {
            let size = 1 + dice.roll(15);
            let mut requests: Vec<Request> =
                (0..size).map(|number| dice.event(&format!("event-{batch}-{number}"))).collect();
            // Every third batch brings its first event twice.
            requests.extend((batch % 3 == 0).then(|| requests[0].clone()));
            run(&world, &catalog, &requests).await;
        }

        let verified = verify(&world.tables, 5, &mut |_: Progress| {}).await.unwrap();

        let findings: Vec<&String> =
            verified.checks.iter().flat_map(|checked| &checked.findings).collect();
        assert!(verified.size.entries > 50, "seed {seed}: {:?}", verified.size);
        assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    }
}
