//! What happens in a step: an event comes, or an operator deals with one that was parked or waits.

use toml::de::DeTable;

use super::json;
use super::table::{Table, noun};
use crate::event::Message;
use crate::event::instruction::{Instruction, discard, forget, read_again, release};
use crate::ledger::{
    EventKey, EventName, OnDesk, ParkedEvent, Reason, Remedy, Request, WaitsFor, Waiver, WhenSpent,
};
use crate::mistake::nearest;

#[derive(Clone, Debug)]
pub enum Act {
    Event(Event),
    Instruct(Instruct),
}

/// What is sent in a step.
#[derive(Clone, Debug)]
pub struct Event {
    /// Type, source and id, as far as they are there; for people.
    pub title: String,
    pub message: Message,
}

/// What an operator asks of a parked or waiting event.
#[derive(Clone, Debug)]
pub struct Instruct {
    /// source/id
    pub event: String,
    pub order: Order,
}

#[derive(Clone, Debug)]
pub enum Order {
    Release(Waiver),
    /// With the reason that is kept.
    Discard(String),
}

/// The keys of a step that say what happens.
pub(super) const KEYS: [&str; 3] = ["event", "release", "discard"];
const CLOUD_EVENTS: &str = "application/cloudevents+json";
const ACTOR: &str = "scenario";
const BECAUSE: &str = "the scenario says so";
/// Stands for the number of the round where a step is repeated.
const ROUND: &str = "{n}";

impl Act {
    /// `None`: only the clock moves.
    pub(super) fn read(step: &Table<'_, '_>) -> Option<Self> {
        let mut said = KEYS.into_iter().filter(|key| step.get(key).is_some());
        let (first, second) = (said.next()?, said.next());
        if let Some(second) = second {
            let problem = format!("is there, and {first} as well");
            step.wrong(second, problem, "write a step for each");
        }
        match first {
            "release" => instruct(step, first, &["event", "when_spent", "refund_anyway"], waiver),
            "discard" => instruct(step, first, &["event", "reason"], because),
            _ => event(step).map(Self::Event),
        }
    }

    /// What happens in one round of a step that is repeated.
    pub(super) fn in_round(&self, round: u32) -> Self {
        let number = |text: &str| text.replace(ROUND, &round.to_string());
        match self {
            Self::Event(Event { title, message }) => {
                let body = number(&String::from_utf8_lossy(&message.body)).into_bytes();
                let message = Message { body, ..message.clone() };
                Self::Event(Event { title: number(title), message })
            }
            Self::Instruct(Instruct { event, order }) => {
                Self::Instruct(Instruct { event: number(event), order: order.clone() })
            }
        }
    }

    /// For people.
    pub fn title(&self) -> String {
        match self {
            Self::Event(event) => event.title.clone(),
            Self::Instruct(Instruct { event, order: Order::Release(_) }) => {
                format!("release of {event}")
            }
            Self::Instruct(Instruct { event, order: Order::Discard(_) }) => {
                format!("discard of {event}")
            }
        }
    }
}

/// What an instruction may be about: the events of its name, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    pub parked: Vec<(ParkedEvent, Reason, Message)>,
    /// What waits for its payment or its usage.
    pub waiting: Vec<(EventKey, EventName, WaitsFor)>,
}

impl Instruct {
    /// The instruction, as the command line would give it, about the first event that it can be
    /// about.
    ///
    /// # Errors
    /// Why it can't be given.
    pub fn instruction(
        &self,
        pending: Pending,
        read: impl Fn(&Message) -> Request,
    ) -> Result<Instruction, String> {
        match &self.order {
            Order::Release(waiver) => self.release(&pending, *waiver, read),
            Order::Discard(because) => self.discard(pending, because),
        }
    }

    fn release(
        &self,
        pending: &Pending,
        waiver: Waiver,
        read: impl Fn(&Message) -> Request,
    ) -> Result<Instruction, String> {
        let mut refused = self.nothing();
        for (event, reason, message) in &pending.parked {
            match OnDesk::open(*reason).refuse_release(waiver) {
                Ok(()) => {
                    return Ok(release(event, read_again(event, message, &read), waiver, ACTOR));
                }
                // A conflict may stand beside what can be released.
                Err(why) if reason.remedy() == Remedy::Discard => refused = why.to_string(),
                Err(why) => return Err(why.to_string()),
            }
        }
        Err(refused)
    }

    fn discard(&self, pending: Pending, because: &str) -> Result<Instruction, String> {
        if let Some((event, ..)) = pending.parked.first() {
            return Ok(discard(event, because, ACTOR));
        }
        match pending.waiting.into_iter().next() {
            Some((key, name, waits_for)) => Ok(forget(key, &name, waits_for, because, ACTOR)),
            None => Err(self.nothing()),
        }
    }

    fn nothing(&self) -> String {
        format!("no event called {} is parked or waits", self.event)
    }
}

fn instruct(
    step: &Table<'_, '_>,
    key: &str,
    known: &[&str],
    order: impl Fn(&Table<'_, '_>) -> Option<Order>,
) -> Option<Act> {
    let member = step.get(key)?;
    let empty = DeTable::new();
    let (table, event) = match (member.get_ref().as_table(), member.get_ref().as_str()) {
        (Some(table), _) => (table, None),
        (None, Some(event)) => (&empty, Some(event)),
        (None, None) => {
            let problem = format!("is {}", noun(member.get_ref()));
            step.wrong(key, problem, "name the parked event: \"source/id\"");
            return None;
        }
    };
    let path = step.path_of(key);
    let table = Table::new(step.mistakes, path, member.span().start, table, known);
    if event.is_none() && table.get("event").is_none() {
        table.wrong("event", "is missing", "name the parked event: \"source/id\"");
    }
    let event = event.or_else(|| table.text("event"))?.to_owned();
    Some(Act::Instruct(Instruct { event, order: order(&table)? }))
}

fn waiver(table: &Table<'_, '_>) -> Option<Order> {
    let words = [("debt", WhenSpent::Debt), ("clamp", WhenSpent::Clamp)];
    let when_spent = match table.text("when_spent") {
        None => None,
        Some(said) => match words.into_iter().find(|(word, _)| *word == said) {
            Some((_, when_spent)) => Some(when_spent),
            None => {
                let near = nearest(said, words.into_iter().map(|(word, _)| word));
                let remedy = near.map(|near| format!("did you mean {near:?}?"));
                let remedy = remedy.unwrap_or_else(|| "write \"debt\" or \"clamp\"".to_owned());
                table.wrong("when_spent", format!("is {said:?}"), &remedy);
                None
            }
        },
    };
    let refund_anyway = match table.get("refund_anyway") {
        None => false,
        Some(member) => member.get_ref().as_bool().unwrap_or_else(|| {
            let problem = format!("is {}", noun(member.get_ref()));
            table.wrong("refund_anyway", problem, "write true or false");
            false
        }),
    };
    Some(Order::Release(Waiver { when_spent, refund_anyway }))
}

fn because(table: &Table<'_, '_>) -> Option<Order> {
    Some(Order::Discard(table.text("reason").unwrap_or(BECAUSE).to_owned()))
}

/// An envelope as a table; or, where bytes matter, the message's body as text.
fn event(step: &Table<'_, '_>) -> Option<Event> {
    let value = step.get("event")?.get_ref();
    let (title, body) = match (value.as_table(), value.as_str()) {
        (Some(table), _) => (title(table), json::object(first_members(table), table)),
        (None, Some(text)) => ("a message".to_owned(), text.to_owned()),
        (None, None) => {
            let remedy = "write { source = …, id = …, type = …, data = { … } }";
            step.wrong("event", format!("is {}", noun(value)), remedy);
            return None;
        }
    };
    let message = Message {
        body: body.into_bytes(),
        content_type: Some(CLOUD_EVENTS.to_owned()),
        ..Message::default()
    };
    Some(Event { title, message })
}

/// Whatever else is wrong with an envelope, it is one.
fn first_members(envelope: &DeTable<'_>) -> &'static [(&'static str, &'static str)] {
    match envelope.contains_key("specversion") {
        true => &[],
        false => &[("specversion", "1.0")],
    }
}

fn title(envelope: &DeTable<'_>) -> String {
    let [kind, source, id] = ["type", "source", "id"]
        .map(|name| envelope.get(name).and_then(|member| member.get_ref().as_str()).unwrap_or("?"));
    format!("{kind} {source}/{id}")
}
