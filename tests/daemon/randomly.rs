//! Random streams, the same ones every time: what Postgres holds at the end is what one book in
//! memory holds, row by row (semantics 3.5: the same commit order gives the same books).

use std::collections::HashMap;
use std::path::Path;

use creditd::catalog::Catalog;
use creditd::event::due_requests;
use creditd::ledger::{Book, Command, Request, Rules, Watch, decide};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::books::{Books, arrival, in_memory};
use crate::events::CATALOG;
use crate::streams::any_command;
use crate::words::{UNIT, credits, event, name};

const EVENTS: usize = 240;

/// What one place of a stream holds.
#[derive(Clone, Debug)]
enum Step {
    New(Command),
    /// An earlier event once more.
    Again(prop::sample::Index),
    /// The name of an earlier event with another meaning.
    Conflict(prop::sample::Index, Command),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        16 => any_command().prop_map(Step::New),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => (any::<prop::sample::Index>(), any_command())
            .prop_map(|(index, command)| Step::Conflict(index, command)),
    ]
}

/// The stream of a seed, and the sizes of the batches that it comes in.
fn stream(seed: u8) -> (Vec<Request>, Vec<usize>) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy =
        (prop::collection::vec(any_step(), EVENTS), prop::collection::vec(1..30_usize, EVENTS));
    let (steps, sizes) = strategy.new_tree(&mut runner).unwrap().current();
    let mut requests: Vec<Request> = Vec::with_capacity(EVENTS);
    for (number, step) in steps.into_iter().enumerate() {
        let request = match step {
            Step::New(command) => event(&format!("e{number}"), command),
            Step::Again(index) if !requests.is_empty() => index.get(&requests).clone(),
            Step::Conflict(index, command) if !requests.is_empty() => {
                event(&index.get(&requests).name.id, command)
            }
            Step::Again(_) => continue,
            Step::Conflict(_, command) => event(&format!("e{number}"), command),
        };
        requests.push(request);
    }
    (requests, sizes)
}

async fn memory_equals_postgres(seed: u8) {
    let catalog = Catalog::parse(CATALOG, Path::new("catalog.toml")).unwrap();
    let thresholds = [100, 20].map(credits).to_vec();
    let watch = Watch { thresholds, recovered_at: Some(credits(120)), ..Watch::default() };
    let rules = Rules { units: HashMap::from([(name(UNIT), watch)]), ..Rules::default() };
    let (requests, sizes) = stream(seed);
    let books = Books::new().await;
    let mut book = Book::default();

    let mut rest = requests.as_slice();
    for size in sizes {
        let (batch, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        let arrivals: Vec<_> = batch.iter().map(|one| arrival(one, &one.name.id)).collect();
        if arrivals.is_empty() {
            break;
        }
        let now = books.post(&arrivals, &rules, &catalog).await;
        for request in batch {
            decide(&mut book, &rules, request, now);
        }
    }

    let due = books.due(&rules).await;
    let now = books.post(&due, &rules, &catalog).await;
    assert_eq!(due.len(), due_requests(&book, &rules, now).len());
    for request in due_requests(&book, &rules, now) {
        decide(&mut book, &rules, &request, now);
    }

    let (kept, meant) = (books.text().await, in_memory(&book, &catalog));
    for (kind, rows) in &meant {
        assert_eq!(&kept[kind], rows, "{kind} of seed {seed}");
    }
    // The stream did what it is for; few resets have anything to forfeit.
    let is_there = |(kind, rows): (&&str, &Vec<String>)| *kind == "forfeits" || !rows.is_empty();
    assert!(meant.iter().all(is_there), "{meant:#?}");
    books.prove().await;
}

/// Ten streams of 240 events; the seeds say nothing, but a seed that once failed stays.
#[tokio::test]
async fn postgres_holds_what_memory_holds_after_random_streams_3_5() {
    for seed in 1..=10 {
        memory_equals_postgres(seed).await;
    }
}
