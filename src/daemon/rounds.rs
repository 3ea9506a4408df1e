//! Which deliveries are written when: gathered ones wait here, rounds of them are in work, and the
//! broker is told how far all are settled.
//!
//! A large round is cut into lanes, one for each worker, and has the books for itself. A tiny one
//! is a single transaction, which mostly waits for the database and its disk: meanwhile, what has
//! come since is begun beside it. The events of one account keep their order, and so do copies of
//! one event: each waits for those before it. One that names no account (a refund, say) waits for
//! all before it, and all behind it wait for that.

use std::collections::HashSet;

use super::lanes::{Arrived, account};
use super::poster::Settled;
use crate::ledger::{EventKey, Name};

/// Rounds of more events than that are worth waiting for: what gathers meanwhile is written at less
/// cost together.
const BESIDE_MAX: usize = 5;

/// What is gathered and what is in work, of one connection.
pub(super) struct Rounds {
    staged: Vec<Arrived>,
    running: Vec<Running>,
    /// Rounds at once, at most.
    workers: usize,
    last: RoundNo,
    /// The last delivery that was taken.
    taken: u64,
}

/// A round by its number, from 1 for each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundNo(u64);

struct Running {
    no: RoundNo,
    lanes: usize,
    first_tag: u64,
    /// What it names, where another may begin beside it.
    named: Option<Named>,
    settled: Vec<Settled>,
}

/// Of these, nothing else may be in work.
#[derive(Default)]
struct Named {
    accounts: HashSet<Name>,
    events: HashSet<EventKey>,
}

impl Named {
    /// `None` where an event names no account.
    fn of(round: &[Arrived]) -> Option<Self> {
        let accounts = round.iter().map(|arrived| account(&arrived.request).cloned());
        let events = round.iter().map(|arrived| arrived.request.key);
        Some(Self { accounts: accounts.collect::<Option<_>>()?, events: events.collect() })
    }
}

/// What a round that has ended leaves to be told to the broker.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) settled: Vec<Settled>,
    /// Up to this delivery, all are settled.
    pub(super) through: u64,
}

impl Rounds {
    pub(super) fn new(workers: usize) -> Self {
        let (staged, running) = (Vec::new(), Vec::new());
        Self { staged, running, workers, last: RoundNo::default(), taken: 0 }
    }

    pub(super) fn stage(&mut self, arrived: impl Iterator<Item = Arrived>) {
        self.staged.extend(arrived);
    }

    pub(super) fn staged(&self) -> usize {
        self.staged.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// What may begin now; it begins with [`Self::begin`].
    pub(super) fn next(&mut self) -> Vec<Arrived> {
        match self.running.len() {
            0 => std::mem::take(&mut self.staged),
            some if some < self.workers && self.staged.len() <= BESIDE_MAX => self.beside(),
            _ => Vec::new(),
        }
    }

    /// What may be written beside the rounds in work.
    fn beside(&mut self) -> Vec<Arrived> {
        let mut held = Named::default();
        for round in &self.running {
            let Some(named) = &round.named else { return Vec::new() };
            held.accounts.extend(named.accounts.iter().cloned());
            held.events.extend(&named.events);
        }
        let mut is_barred = false;
        let mut waits = |Arrived { request, .. }: &Arrived| {
            let account = account(request);
            is_barred |= account.is_none();
            let is_held = account.is_some_and(|account| held.accounts.contains(account))
                || held.events.contains(&request.key);
            if is_held {
                // Whatever waits has others wait behind it.
                held.accounts.extend(account.cloned());
                held.events.insert(request.key);
            }
            is_barred || is_held
        };
        let (staged, free) =
            std::mem::take(&mut self.staged).into_iter().partition(|arrived| waits(arrived));
        self.staged = staged;
        free
    }

    /// A round is in work.
    pub(super) fn begin(&mut self, round: &[Arrived]) -> RoundNo {
        self.last = RoundNo(self.last.0.saturating_add(1));
        let tags = || round.iter().map(|arrived| arrived.tag);
        self.taken = self.taken.max(tags().max().unwrap_or(0));
        let is_small = round.len() <= BESIDE_MAX;
        self.running.push(Running {
            no: self.last,
            lanes: 1,
            first_tag: tags().min().unwrap_or(0),
            named: if is_small { Named::of(round) } else { None },
            settled: Vec::new(),
        });
        self.last
    }

    /// The round was cut into so many lanes.
    pub(super) fn cut(&mut self, no: RoundNo, lanes: usize) {
        let round = self.running.iter_mut().find(|round| round.no == no);
        round.into_iter().for_each(|round| round.lanes = lanes);
    }

    /// A lane has ended. Tells what is to be told to the broker once all of its round have.
    pub(super) fn end_lane(&mut self, no: RoundNo, settled: Vec<Settled>) -> Option<Finished> {
        let place = self.running.iter().position(|round| round.no == no)?;
        let round = self.running.get_mut(place)?;
        round.settled.extend(settled);
        round.lanes = round.lanes.saturating_sub(1);
        if round.lanes > 0 {
            return None;
        }
        let settled = self.running.swap_remove(place).settled;
        Some(Finished { settled, through: self.through() })
    }

    /// An acknowledgement covers all before it, so it ends before the first that is not settled.
    fn through(&self) -> u64 {
        let staged = self.staged.iter().map(|arrived| arrived.tag);
        let open = staged.chain(self.running.iter().map(|round| round.first_tag)).min();
        open.map_or(self.taken, |open| open.saturating_sub(1).min(self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::made::{arrived, usage};
    use super::*;
    use crate::ledger::Asks;

    fn nameless(tag: u64) -> Arrived {
        arrived(tag, Asks::Nothing)
    }

    fn tags(round: &[Arrived]) -> Vec<u64> {
        round.iter().map(|arrived| arrived.tag).collect()
    }

    /// The first of these is in work; the others wait.
    fn working(first: Arrived, others: Vec<Arrived>) -> (Rounds, RoundNo) {
        let mut rounds = Rounds::new(2);
        rounds.stage([first].into_iter());
        let round = rounds.next();
        let no = rounds.begin(&round);
        rounds.stage(others.into_iter());
        (rounds, no)
    }

    fn settled(tag: u64) -> Vec<Settled> {
        vec![Settled { tag, is_dead_letter: false }]
    }

    #[test]
    fn while_one_tiny_round_is_in_work_another_begins() {
        let mut rounds = Rounds::new(2);
        rounds.stage([usage(1, "a")].into_iter());
        let round = rounds.next();
        rounds.begin(&round);
        rounds.stage([usage(2, "b")].into_iter());

        let second = rounds.next();
        assert_eq!(tags(&second), [2]);
        rounds.begin(&second);
        rounds.stage([usage(3, "c")].into_iter());
        assert!(rounds.next().is_empty(), "no more at once than there are workers");
    }

    #[test]
    fn an_event_waits_for_those_of_its_account_and_nobody_for_it() {
        let others = vec![usage(2, "a"), usage(3, "b"), usage(4, "a")];
        let (mut rounds, no) = working(usage(1, "a"), others);

        assert_eq!(tags(&rounds.next()), [3]);
        rounds.end_lane(no, settled(1)).unwrap();
        assert_eq!(tags(&rounds.next()), [2, 4]);
    }

    #[test]
    fn copies_of_an_event_keep_their_order_whatever_they_name() {
        let mut copy = usage(2, "b");
        copy.request.key = usage(1, "a").request.key;
        let (mut rounds, _) = working(usage(1, "a"), vec![copy, usage(3, "b"), usage(4, "c")]);

        assert_eq!(tags(&rounds.next()), [4]);
    }

    #[test]
    fn an_event_that_names_no_account_keeps_its_place_among_all() {
        let others = vec![usage(2, "b"), nameless(3), usage(4, "c")];
        let (mut rounds, no) = working(usage(1, "a"), others);

        let beside = rounds.next();
        assert_eq!(tags(&beside), [2]);
        let beside = rounds.begin(&beside);
        rounds.end_lane(no, settled(1)).unwrap();
        assert!(rounds.next().is_empty(), "one before it is still in work");
        rounds.end_lane(beside, settled(2)).unwrap();
        let round = rounds.next();
        assert_eq!(tags(&round), [3, 4]);
        rounds.begin(&round);
        rounds.stage([usage(5, "d")].into_iter());
        assert!(rounds.next().is_empty(), "it is in work");
    }

    #[test]
    fn nothing_begins_beside_a_round_that_is_worth_waiting_for() {
        let mut rounds = Rounds::new(3);
        let events = u64::try_from(BESIDE_MAX + 1).unwrap();
        rounds.stage((1..=events).map(|tag| usage(tag, &tag.to_string())));
        let round = rounds.next();
        let no = rounds.begin(&round);
        rounds.cut(no, 2);
        rounds.stage([usage(events + 1, "other")].into_iter());

        assert!(rounds.next().is_empty());
        assert_eq!(rounds.end_lane(no, Vec::new()), None, "half of it is still in work");
        let finished = rounds.end_lane(no, Vec::new()).unwrap();
        assert_eq!(finished.through, events);
    }

    #[test]
    fn an_acknowledgement_ends_before_the_first_that_is_not_settled() {
        let others = vec![usage(2, "a"), usage(3, "b")];
        let (mut rounds, first) = working(usage(1, "a"), others);
        let beside = rounds.next();
        let beside = rounds.begin(&beside);

        let finished = rounds.end_lane(beside, settled(3)).unwrap();
        assert_eq!(finished, Finished { settled: settled(3), through: 0 });
        assert_eq!(rounds.end_lane(first, settled(1)).unwrap().through, 1);
        let round = rounds.next();
        let last = rounds.begin(&round);
        assert_eq!(rounds.end_lane(last, settled(2)).unwrap().through, 3);
    }
}
