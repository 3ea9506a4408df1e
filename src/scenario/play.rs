//! Playing a scenario in memory.

use std::sync::Arc;

use super::act::{Act, Instruct, Pending};
use super::file::{Scenario, Step};
use super::observed::{Decimals, Ending, Observed, Told, told};
use crate::event::{Message, due_body, event_key};
use crate::ledger::{
    DeskState, EventKey, EventName, ParkedEvent, Reason, Record, RefundRecord, UsageReversalRecord,
    WaitsFor,
};
use crate::memory::{Decided, Memory};
use crate::notice::{render, render_parked};

impl Scenario {
    /// What is to be seen after each step.
    pub fn play(&self) -> Vec<Observed> {
        let Some(first) = self.steps.first() else { return Vec::new() };
        let memory = Memory::new(Arc::clone(&first.catalog), self.sources.clone(), first.at);
        let mut player = Player { memory, decimals: Decimals::default(), kept: Vec::new() };
        self.steps.iter().map(|step| player.play(step)).collect()
    }
}

struct Player {
    memory: Memory,
    decimals: Decimals,
    /// Every event that came, newest last, with its message: it may be parked, now or later.
    kept: Vec<(ParkedEvent, Message)>,
}

impl Player {
    fn play(&mut self, step: &Step) -> Observed {
        if !Arc::ptr_eq(self.memory.catalog(), &step.catalog) {
            self.memory.reload(Arc::clone(&step.catalog));
        }
        self.decimals.learn(&step.catalog);
        let mut observed = Observed::default();
        for decided in self.memory.wait_until(step.at) {
            if let Some(due) = &decided.due {
                let message = Message { body: due_body(due), ..Message::default() };
                self.keep(&decided.record, message);
            }
            self.see(&decided, &mut observed);
        }
        observed.ending = match &step.act {
            None => None,
            Some(Act::Event(event)) => Some(self.take(&event.message, &mut observed)),
            Some(Act::Instruct(instruct)) => Some(self.instruct(instruct, &mut observed)),
        };
        observed.holdings = self.decimals.holdings(self.memory.book());
        observed
    }

    fn take(&mut self, message: &Message, observed: &mut Observed) -> Ending {
        let request = self.memory.read(message);
        let decided = self.memory.take(&request);
        self.keep(&decided.record, message.clone());
        self.see(&decided, observed);
        Ending::of(&decided.record)
    }

    fn keep(&mut self, record: &Record, message: Message) {
        if record.is_new {
            let (key, name, occurred_at) = (record.key, record.name.clone(), record.occurred_at);
            self.kept.push((ParkedEvent { key, name, occurred_at, tries: 0 }, message));
        }
    }

    fn instruct(&mut self, instruct: &Instruct, observed: &mut Observed) -> Ending {
        let pending = Pending {
            parked: self.parked(&instruct.event),
            waiting: self.waiting(&instruct.event),
        };
        match instruct.instruction(pending, |message| self.memory.read(message)) {
            Err(why) => Ending::refused(why),
            Ok(instruction) => {
                let decided = self.memory.take(&instruction.request);
                self.see(&decided, observed);
                Ending::of_instruction(&decided.record, &decided.journal.moved)
            }
        }
    }

    /// The open events called so, oldest first.
    fn parked(&self, name: &str) -> Vec<(ParkedEvent, Reason, Message)> {
        let desk = &self.memory.book().desk;
        let named = self.kept.iter().filter(|(event, _)| event.name.to_string() == name);
        let open = named.filter_map(|(event, message)| {
            let one = desk.get(&event.key)?;
            let DeskState::Open(reason) = one.state else { return None };
            Some((ParkedEvent { tries: one.tries, ..event.clone() }, reason, message.clone()))
        });
        open.collect()
    }

    /// The events called so that wait for their payment or their usage.
    fn waiting(&self, name: &str) -> Vec<(EventKey, EventName, WaitsFor)> {
        let book = self.memory.book();
        let named = self.kept.iter().filter(|(event, _)| event.name.to_string() == name);
        let waits_for = |key: EventKey| {
            let is_its = |refund: &RefundRecord| refund.event == key;
            let unpaid = book
                .purchases
                .values()
                .find(|purchase| purchase.sale.is_none() && purchase.refunds.values().any(is_its));
            let waits = |reversal: &UsageReversalRecord| reversal.credits.is_none();
            let unused =
                book.usages.iter().find(|(_, usage)| usage.reversals.get(&key).is_some_and(waits));
            match (unpaid, unused) {
                (Some(purchase), _) => Some(WaitsFor::Payment(purchase.references.clone())),
                (None, Some((name, _))) => Some(WaitsFor::Usage(event_key(name), name.clone())),
                (None, None) => None,
            }
        };
        named
            .filter_map(|(event, _)| Some((event.key, event.name.clone(), waits_for(event.key)?)))
            .collect()
    }

    fn see(&self, decided: &Decided, observed: &mut Observed) {
        let journal = &decided.journal;
        let catalog = self.memory.catalog();
        let wires = journal.notices.iter().map(|notice| render(notice, catalog));
        let wires = wires.chain(journal.parked_notices.iter().map(render_parked));
        observed.notices.extend(wires.map(|wire| told(&Told::from(&wire))));
        let book = self.memory.book();
        observed.entries.extend(self.decimals.movements(book, &journal.entries));
    }
}
