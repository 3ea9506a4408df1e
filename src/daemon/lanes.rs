//! Cutting a round into lanes: the events of one account stay together, in the order in which they
//! came. A refund, a void, a dispute and a reversal of usage name no account: each follows its
//! payment or usage where that came before it in the same round. Else its order among the account's
//! events is left open, as it is between daemons (semantics 3.5), and its account may be of any
//! lane: so it comes after the others, in a transaction of its own behind its lane. In a large one,
//! each lane would wait for accounts of the other for as long as that takes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::time::Instant;

use crate::event::Message;
use crate::ledger::{Asks, Command, EventKey, Name, Reference, Request};

/// A decoded delivery.
pub(super) struct Arrived {
    pub(super) tag: u64,
    pub(super) at: Instant,
    pub(super) request: Request,
    pub(super) message: Message,
}

/// One of a round's transactions at a time, in the making.
#[derive(Default)]
struct Lane {
    first: Vec<Arrived>,
    /// What may concern an account of any lane, after all others.
    last: Vec<Arrived>,
}

struct Place {
    lane: usize,
    is_last: bool,
}

/// Below this many events a second transaction costs more than it saves.
const WORTH_CUTTING: usize = 200;

/// At most `workers` lanes, each a list of batches of at most `batch_max` events to be written one
/// after the other.
pub(super) fn lanes(
    round: Vec<Arrived>,
    workers: usize,
    batch_max: usize,
) -> Vec<Vec<Vec<Arrived>>> {
    let count = match round.len() {
        0..WORTH_CUTTING => 1,
        _ => workers.max(1),
    };
    let mut lanes: Vec<Lane> = std::iter::repeat_with(Lane::default).take(count).collect();
    let mut known = Known::of(&round);
    for arrived in round {
        let place = place_of(&arrived.request, count, &mut known);
        if let Some(lane) = lanes.get_mut(place.lane) {
            match place.is_last {
                true => lane.last.push(arrived),
                false => lane.first.push(arrived),
            }
        }
    }
    let batches = |lane: Lane| {
        let [first, last] = [lane.first, lane.last].map(|events| batches(events, batch_max));
        first.into_iter().chain(last).collect()
    };
    let mut lanes: Vec<Vec<Vec<Arrived>>> = lanes.into_iter().map(batches).collect();
    lanes.retain(|lane| !lane.is_empty());
    lanes
}

fn batches(lane: Vec<Arrived>, batch_max: usize) -> Vec<Vec<Arrived>> {
    let mut batches = Vec::new();
    if lane.is_empty() {
        return batches;
    }
    let mut rest = lane;
    while rest.len() > batch_max.max(1) {
        let tail = rest.split_off(batch_max.max(1));
        batches.push(std::mem::replace(&mut rest, tail));
    }
    batches.push(rest);
    batches
}

/// The account that an event names, if it names one.
pub(super) fn account(request: &Request) -> Option<&Name> {
    match &request.asks {
        Asks::Command(Command::Use(usage)) => Some(&usage.account),
        Asks::Command(Command::Pay(payment)) => Some(&payment.account),
        Asks::Command(Command::Adjust(adjustment)) => Some(&adjustment.account),
        Asks::Command(Command::Update(update)) => Some(&update.account),
        Asks::Command(Command::Time(due)) => Some(&due.account),
        Asks::Command(Command::Fail(failure)) => Some(&failure.account),
        Asks::Command(Command::Unread(payment)) => Some(&payment.account),
        Asks::Command(
            Command::Refund(_)
            | Command::ReverseUsage(_)
            | Command::Release(_)
            | Command::Discard(_)
            | Command::Forget(_),
        )
        | Asks::Nothing
        | Asks::Noted
        | Asks::Rejected(_) => None,
    }
}

/// In which lane what names an account went, for what follows it and names none.
struct Known {
    purchases: HashMap<Reference, usize>,
    /// The events that the round reverses; `None` until one has come.
    reversed: HashMap<EventKey, Option<usize>>,
}

impl Known {
    fn of(round: &[Arrived]) -> Self {
        let reversed = round.iter().filter_map(|arrived| match &arrived.request.asks {
            Asks::Command(Command::ReverseUsage(reversal)) => Some((reversal.usage, None)),
            Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => None,
        });
        Self { purchases: HashMap::new(), reversed: reversed.collect() }
    }

    /// What refunds and reversals will follow.
    fn note(&mut self, request: &Request, lane: usize) {
        match &request.asks {
            Asks::Command(Command::Pay(payment)) => {
                self.purchases.extend(payment.references.iter().map(|name| (name.clone(), lane)));
            }
            Asks::Command(Command::Use(_)) => {
                if let Some(reversed) = self.reversed.get_mut(&request.key) {
                    *reversed = Some(lane);
                }
            }
            Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => {}
        }
    }
}

/// A refund follows the payment of the same purchase in the round, a reversal its usage; others of
/// them come last.
fn place_of(request: &Request, count: usize, known: &mut Known) -> Place {
    let first = |lane| Place { lane, is_last: false };
    let follows = |known: Option<usize>, else_lane| match known {
        Some(lane) => first(lane),
        None => Place { lane: else_lane, is_last: count > 1 },
    };
    if let Some(account) = account(request) {
        let lane = hashed(account, count);
        known.note(request, lane);
        return first(lane);
    }
    match &request.asks {
        Asks::Command(Command::ReverseUsage(reversal)) => {
            let drawn = known.reversed.get(&reversal.usage).copied().flatten();
            follows(drawn, hashed(&reversal.usage, count))
        }
        Asks::Command(Command::Refund(refund)) => {
            let mut references = refund.references.iter();
            let paid = references.find_map(|reference| known.purchases.get(reference)).copied();
            follows(paid, hashed(&refund.references.first(), count))
        }
        Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => {
            first(hashed(&request.name, count))
        }
    }
}

fn hashed<T: Hash>(value: &T, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    let count = u64::try_from(count).unwrap_or(1).max(1);
    usize::try_from(hasher.finish().checked_rem(count).unwrap_or(0)).unwrap_or(0)
}

/// Arrivals for tests.
#[cfg(test)]
pub(super) mod made {
    use super::*;
    use crate::ledger::{Credits, EventName, Fingerprint, Number, Usage, WhenShort};

    pub(crate) fn arrived(tag: u64, asks: Asks) -> Arrived {
        let key = EventKey(u128::from(tag).to_be_bytes());
        let name = EventName { source: Name::from("test"), id: Name::from(tag.to_string()) };
        let kind = Name::from("test");
        let request = Request {
            key,
            conflict_key: key,
            fingerprint: Fingerprint(key.0),
            name,
            kind,
            occurred_at: None,
            traceparent: None,
            asks,
        };
        Arrived { tag, at: Instant::now(), request, message: Message::default() }
    }

    pub(crate) fn usage(tag: u64, account: &str) -> Arrived {
        let usage = Usage {
            account: Name::from(account),
            unit: Name::from("CRD"),
            meter: None,
            quantity: Number::parse("1").unwrap(),
            cost: Credits::from_steps(1),
            when_short: WhenShort::Overdraft,
        };
        arrived(tag, Asks::Command(Command::Use(usage)))
    }
}

#[cfg(test)]
mod tests {
    use super::made::{arrived, usage};
    use super::*;
    use crate::ledger::{EventName, UsageReversal};

    fn reversal(tag: u64, of: u64) -> Arrived {
        let usage = usage(of, "any").request;
        let usage_name = EventName { ..usage.name };
        let reversal = UsageReversal { usage: usage.key, usage_name, quantity: None };
        arrived(tag, Asks::Command(Command::ReverseUsage(reversal)))
    }

    fn tags(lanes: &[Vec<Vec<Arrived>>]) -> Vec<Vec<Vec<u64>>> {
        let batch = |batch: &Vec<Arrived>| batch.iter().map(|arrived| arrived.tag).collect();
        lanes.iter().map(|lane| lane.iter().map(batch).collect()).collect()
    }

    /// As many as are worth cutting, each of an account of its own, and behind them the others.
    fn large(others: Vec<Arrived>) -> Vec<Arrived> {
        let count = u64::try_from(WORTH_CUTTING).unwrap();
        (1..=count).map(|tag| usage(tag, &tag.to_string())).chain(others).collect()
    }

    #[test]
    fn what_may_concern_any_account_comes_after_all_others_of_its_lane_and_alone() {
        let stranger = 10_000;
        let lanes = tags(&lanes(large(vec![reversal(1_001, stranger), usage(1_002, "a")]), 2, 500));

        let (with, without): (Vec<_>, Vec<_>) = lanes.iter().partition(|lane| lane.len() == 2);
        assert_eq!(with[0][1], [1_001]);
        assert_eq!(without[0].len(), 1, "the other lane has no second batch");
        let first = [&with[0][0], &without[0][0]];
        assert_eq!(first.iter().filter(|batch| batch.contains(&1_002)).count(), 1);
    }

    #[test]
    fn what_follows_its_cause_stays_in_that_ones_batch() {
        let lanes = tags(&lanes(large(vec![reversal(1_001, 7)]), 2, 500));

        assert!(lanes.iter().all(|lane| lane.len() == 1));
        assert!(lanes.iter().any(|lane| lane[0].contains(&7) && lane[0].contains(&1_001)));
    }

    #[test]
    fn a_round_of_nothing_else_is_cut_all_the_same() {
        let count = 2 * u64::try_from(WORTH_CUTTING).unwrap();
        let round = (1..=count).map(|tag| reversal(tag, 10_000 + tag)).collect();
        let lanes = tags(&lanes(round, 2, 500));

        assert!(lanes.len() == 2 && lanes.iter().all(|lane| lane.len() == 1));
        let mut all = lanes.concat().concat();
        all.sort_unstable();
        assert_eq!(all, (1..=count).collect::<Vec<_>>());
    }

    #[test]
    fn one_worker_writes_all_in_its_order() {
        let round = large(vec![reversal(1_001, 10_000), usage(1_002, "a")]);
        let order: Vec<u64> = round.iter().map(|arrived| arrived.tag).collect();

        assert_eq!(tags(&lanes(round, 1, 500)), [[order]]);
    }

    #[test]
    fn a_small_round_is_one_batch_in_its_order() {
        let lanes = tags(&lanes(vec![reversal(1, 10_000), usage(2, "a"), usage(3, "b")], 2, 500));

        assert_eq!(lanes, [[[1, 2, 3]]]);
    }
}
