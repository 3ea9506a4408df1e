//! Playing a scenario in memory.

use std::sync::Arc;

use super::file::{Scenario, Step};
use super::observed::{Decimals, Ending, Observed, Told, told};
use crate::event::Sources;
use crate::ledger::Journal;
use crate::memory::Memory;
use crate::notice::{render, render_parked};

impl Scenario {
    /// What is to be seen after each step.
    pub fn play(&self) -> Vec<Observed> {
        let Some(first) = self.steps.first() else { return Vec::new() };
        let mut memory = Memory::new(Arc::clone(&first.catalog), Sources::default(), first.at);
        let mut decimals = Decimals::default();
        self.steps.iter().map(|step| play(step, &mut memory, &mut decimals)).collect()
    }
}

fn play(step: &Step, memory: &mut Memory, decimals: &mut Decimals) -> Observed {
    if !Arc::ptr_eq(memory.catalog(), &step.catalog) {
        memory.reload(Arc::clone(&step.catalog));
    }
    decimals.learn(&step.catalog);
    memory.wait_until(step.at);
    let mut observed = Observed::default();
    if let Some(event) = &step.event {
        let decided = memory.take(&event.message);
        observed.ending = Some(Ending::of(&decided.record));
        observed.add(&decided.journal, memory, decimals);
    }
    observed.holdings = decimals.holdings(memory.book());
    observed
}

impl Observed {
    fn add(&mut self, journal: &Journal, memory: &Memory, decimals: &Decimals) {
        let wires = journal.notices.iter().map(|notice| render(notice, memory.catalog()));
        let wires = wires.chain(journal.parked_notices.iter().map(render_parked));
        self.notices.extend(wires.map(|wire| told(&Told::from(&wire))));
        self.entries.extend(decimals.movements(memory.book(), &journal.entries));
    }
}
