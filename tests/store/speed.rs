//! How fast the store is. Run by hand: `cargo test --release --test store speed -- --ignored --nocapture`.

use std::time::Instant;

use creditd::ledger::Request;

use crate::world::{World, pays, uses};

const ACCOUNTS: usize = 50_000;
const BATCH: usize = 2_000;

fn account(index: usize) -> String {
    format!("acct-{}", index % ACCOUNTS)
}

async fn drain(world: &World, what: &str, requests: &[Request]) {
    let started = Instant::now();
    for batch in requests.chunks(BATCH) {
        world.run(batch).await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{what}: {:.0} events/s", requests.len() as f64 / seconds);
}

#[tokio::test]
#[ignore = "a measurement"]
async fn speed_of_batches() {
    let world = World::new().await;
    let payments: Vec<Request> = (0..ACCOUNTS)
        .map(|index| pays(&format!("p{index}"), &account(index), &format!("inv-{index}"), "100"))
        .collect();
    let usage = |round: usize| -> Vec<Request> {
        (0..ACCOUNTS)
            .map(|index| uses(&format!("u{round}-{index}"), &account(index * 7_919), "1.25"))
            .collect()
    };

    drain(&world, "first payments", &payments).await;
    for round in 0..4 {
        drain(&world, "usage", &usage(round)).await;
    }
    drain(&world, "repeated usage", &usage(0)).await;
}
