//! Cutting a round into lanes: the events of one account stay together, in the order in which they
//! came. A refund, a void, a dispute and a reversal of usage name no account: each follows its
//! payment or usage where that came before it in the same round, else its order among the account's
//! events is left open, as it is between daemons (semantics 3.5).

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
    let mut lanes: Vec<Vec<Arrived>> = std::iter::repeat_with(Vec::new).take(count).collect();
    let mut known = Known::of(&round);
    for arrived in round {
        let lane = lane_of(&arrived.request, count, &mut known);
        if let Some(lane) = lanes.get_mut(lane) {
            lane.push(arrived);
        }
    }
    lanes.retain(|lane| !lane.is_empty());
    lanes.into_iter().map(|lane| batches(lane, batch_max)).collect()
}

fn batches(lane: Vec<Arrived>, batch_max: usize) -> Vec<Vec<Arrived>> {
    let mut batches = Vec::new();
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

/// A refund follows the payment of the same purchase in the round, a reversal its usage; two lanes
/// that still meet at one account only wait for each other in the database.
fn lane_of(request: &Request, count: usize, known: &mut Known) -> usize {
    if let Some(account) = account(request) {
        let lane = hashed(account, count);
        known.note(request, lane);
        return lane;
    }
    match &request.asks {
        Asks::Command(Command::ReverseUsage(reversal)) => {
            let drawn = known.reversed.get(&reversal.usage).copied().flatten();
            drawn.unwrap_or_else(|| hashed(&reversal.usage, count))
        }
        Asks::Command(Command::Refund(refund)) => {
            let mut references = refund.references.iter();
            let paid = references.find_map(|reference| known.purchases.get(reference));
            paid.copied().unwrap_or_else(|| hashed(&refund.references.first(), count))
        }
        Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => {
            hashed(&request.name, count)
        }
    }
}

fn hashed<T: Hash>(value: &T, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    let count = u64::try_from(count).unwrap_or(1).max(1);
    usize::try_from(hasher.finish().checked_rem(count).unwrap_or(0)).unwrap_or(0)
}
