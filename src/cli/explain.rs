//! `creditd explain SOURCE/ID`: one event in words: how it ended, by which rule, what it moved,
//! what was told of it, and what an operator did about it.
//!
//! Rules are quoted by their numbers in docs/semantics.md.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::hints::{ahead, ahead_in_words, differing, differing_in_words};
use super::output::{CommandError, Ending, Output, counted, lines, seconds, table};
use crate::event::difference::Difference;
use crate::event::event_key;
use crate::ledger::{AppliedReason, EntryKind, EventName, Name, Reason, Remedy, Timestamp};
use crate::store::ReadError;
use crate::store::catalog_taken::CatalogTaken;
use crate::store::events::{Explained, UsageFound, explained};
use crate::store::sequel::{ReversedBy, Waited};

#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The event's source and id
    #[arg(value_name = "SOURCE/ID", value_parser = source_and_id)]
    pub event: String,
}

pub(super) fn source_and_id(name: &str) -> Result<String, String> {
    match name.contains('/') {
        true => Ok(name.to_owned()),
        false => Err("write SOURCE/ID, such as shop/pay-1".to_owned()),
    }
}

/// An event that never came ends wrong.
///
/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run(
    pool: &PgPool,
    args: &ExplainArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    let found = look_up(pool, &args.event).await?;
    output.answer(&answers(&found), || match found.is_empty() {
        true => format!("no event called {} ever came", args.event),
        false => found.iter().map(render).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(match found.is_empty() {
        true => Ending::Wrong,
        false => Ending::Good,
    })
}

/// Every event that source/id may mean.
///
/// # Errors
/// [`ReadError`] when the books can't be read.
pub(super) async fn look_up(pool: &PgPool, name: &str) -> Result<Vec<Explained>, ReadError> {
    let mut found = Vec::new();
    for (source, id) in splits(name) {
        let name = EventName { source: Name::from(source), id: Name::from(id) };
        found.extend(explained(pool, event_key(&name), source, id, event_key).await?);
    }
    Ok(found)
}

/// Sources and ids may hold slashes, so every one of them may be the border.
fn splits(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.match_indices('/')
        .filter_map(|(at, _)| Some((name.get(..at)?, name.get(at.checked_add(1)?..)?)))
}

#[derive(serde::Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    event: &'a Explained,
    why: String,
    /// Of a conflict: what differs from the first event of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<Vec<Difference>>,
    /// The time that it says, where that was ahead of the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    says_time: Option<Timestamp>,
}

fn answers(found: &[Explained]) -> Vec<Answer<'_>> {
    let answer = |event| Answer {
        event,
        why: why(event),
        differs: differing(event),
        says_time: ahead(&event.event),
    };
    found.iter().map(answer).collect()
}

/// For people.
pub fn render(found: &Explained) -> String {
    let event = &found.event;
    let mut text = format!("{}/{} ({})\n", event.source, event.id, event.kind);
    let mut say = |title: &str, value: String| {
        let _ = writeln!(text, "{title:<10}  {value}");
    };
    let reason = event.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    say("outcome", format!("{}{reason}: {}", event.outcome, why(found)));
    if let Some(decided) = &found.decided {
        let because = decided.reason.as_ref().map(|why| format!(", because: {why}"));
        let about = decided.event.as_ref().map(|event| format!(", about {event}"));
        let (because, about) = (because.unwrap_or_default(), about.unwrap_or_default());
        say("decided", format!("by {}{about}{because}", decided.actor));
    }
    if let Some(account) = &event.account {
        say("account", account.clone());
    }
    let ahead = ahead_in_words(event).unwrap_or_default();
    say("occurred", format!("{}{ahead}", seconds(event.occurred_at)));
    let again = found.redelivered.as_ref().map(|again| {
        let count = counted(u64::try_from(again.count).unwrap_or(0), "time");
        format!("; again {count} since, last at {}", seconds(again.last_at))
    });
    say("received", format!("{}{}", seconds(event.received_at), again.unwrap_or_default()));
    if let Some(parked) = &found.parked {
        say(
            "parked",
            format!("as {} at {}: {}", parked.reason, seconds(parked.parked_at), parked.detail),
        );
        for differs in differing_in_words(found) {
            say("differs", differs);
        }
        match &parked.closed {
            Some(closed) => say("then", format!("{}, rule 9.3", closed.text(&parked.state))),
            None => say("now", what_to_do(&parked.reason)),
        }
    }
    for package in &found.packages {
        let how =
            if package.granted { "granted by package" } else { "by the frozen terms of package" };
        let rule = if package.granted { "4.2" } else { "4.13" };
        let hash = &package.catalog_hash;
        say("terms", format!("{how} {}, rule {rule}, of catalog {hash}", package.package));
    }
    if let Some(up) = &found.given_up {
        let who = up.actor.as_ref().map(|actor| format!(" by {actor}")).unwrap_or_default();
        let because = up.because.as_ref().map(|why| format!(", because: {why}"));
        let because = because.unwrap_or_default();
        say("then", format!("given up{who} at {}{because}, rule 4.11", seconds(up.at)));
    }
    if let Some(CatalogTaken { hash, since }) = &found.catalog {
        say("catalog", format!("{hash}, in use since {}", seconds(*since)));
    }
    if let Some(usage) = &event.usage {
        let cost = if event.outcome == "declined" { "would have cost" } else { "cost" };
        say("usage", usage_in_words(usage, cost));
        for reversal in &found.reversed_by {
            say("reversed", reversal_in_words(reversal, &usage.unit));
        }
    }
    text.push_str(&entries(found));
    text.push_str(&notices(found));
    text
}

/// How it came to end so, with the rule.
fn why(found: &Explained) -> String {
    let event = &found.event;
    let reason = event.reason.as_deref();
    match event.outcome.as_str() {
        "applied" => match reason.and_then(AppliedReason::from_code) {
            None => "it moved the credits below".to_owned(),
            Some(AppliedReason::Waiting) => why_waiting(found.waited.as_ref()),
            Some(AppliedReason::Discarded) if event.id.starts_with("forget:") => {
                "it gave up an event that waited, rule 4.11".to_owned()
            }
            Some(reason) => why_without_entries(reason).to_owned(),
        },
        "duplicate" => match found.said_before.as_slice() {
            [] => "another event had said all of it before, rule 3.2".to_owned(),
            events => format!("{} had said all of it before, rule 3.2", events.join(" and ")),
        },
        "ignored" => match reason {
            Some("discarded") if found.given_up.is_some() => {
                "an operator gave it up while it waited, rule 4.11"
            }
            Some("discarded") => "an operator gave it up, rule 9.3",
            Some("superseded") => {
                "a corrected event came under its name and took its place, rule 9.3"
            }
            _ => "the catalog's policy ignores its type, or its meter is free, rule 5.1",
        }
        .to_owned(),
        "declined" => match (event.usage.is_some(), event.kind.starts_with("event.")) {
            (true, _) => "its lots did not suffice, and the meter declines then, rule 5.4",
            (false, true) => "there was nothing to do, or it was refused again, rule 9.3",
            (false, false) => "there was not that much to take out, rule 6.1",
        }
        .to_owned(),
        _ => "it could not be applied and waits for an operator, rule 9.2".to_owned(),
    }
}

/// What waited has no entries of its own: it is posted with what it waited for.
fn why_waiting(waited: Option<&Waited>) -> String {
    match waited {
        Some(Waited::StillFor(called)) => format!(
            "it still waits for {}: creditd waiting, rules 4.11 and 5.5",
            called.join(" or ")
        ),
        Some(Waited::PostedWith(with)) => format!(
            "it waited; posted with {} at {}, rules 4.11 and 5.5",
            with.event,
            seconds(with.at)
        ),
        Some(Waited::Merged) => "it waited; the purchase that it names has become one with \
            another: creditd purchase with one of its references, rule 4.11"
            .to_owned(),
        None => why_without_entries(AppliedReason::Waiting).to_owned(),
    }
}

fn reversal_in_words(reversal: &ReversedBy, unit: &str) -> String {
    let ReversedBy { event, credits, received_at } = reversal;
    match credits {
        Some(credits) => {
            format!("by {event}: {credits} {unit} at {}, rule 5.5", seconds(*received_at))
        }
        None => format!("by {event}, which waits, rule 5.5"),
    }
}

fn why_without_entries(reason: AppliedReason) -> &'static str {
    match reason {
        AppliedReason::Waiting => {
            "it is remembered until what it refers to comes, rules 4.11 and 5.5"
        }
        AppliedReason::Known => "it said nothing new, or only added a reference, rule 3.2",
        AppliedReason::Zero => {
            "it had nothing to move: no cost, less than a step, or nothing left, rule 2.3"
        }
        AppliedReason::Unsettled => {
            "nothing follows from it yet, or nothing any more, rules 4.6 and 4.7"
        }
        AppliedReason::Updated => "it changed what the account is or sets for itself, rule 6.2",
        AppliedReason::Noted => "it is kept, and nothing follows from it, rule 4.12",
        AppliedReason::Released => "it released a parked event, whose own row tells more, rule 9.3",
        AppliedReason::Discarded => "it gave a parked event up, rule 9.3",
    }
}

/// What an operator can do about an event that is parked so.
pub(super) fn what_to_do(code: &str) -> String {
    let reason = Reason::from_code(code);
    let can = match (reason.map(Reason::remedy), reason.and_then(Reason::waiver)) {
        (Some(Remedy::Waive), Some(waiver)) => format!("be released with {waiver}, or discarded"),
        (Some(Remedy::Release | Remedy::Waive), _) => {
            "be released once what is wrong is mended, or discarded".to_owned()
        }
        (Some(Remedy::Discard) | None, _) => "only be discarded".to_owned(),
    };
    format!("it waits on the desk: it can {can}, rule 9.3")
}

fn usage_in_words(usage: &UsageFound, cost: &str) -> String {
    let what = match &usage.meter {
        Some(meter) => format!("{} of meter {meter}", usage.quantity),
        None => format!("{} {} directly", usage.quantity, usage.unit),
    };
    let uncovered = match usage.uncovered.as_str() {
        "0" => String::new(),
        rest => format!(", {rest} of it not covered, rule 5.4"),
    };
    format!("{what} {cost} {} {}, rule 5.1{uncovered}", usage.cost, usage.unit)
}

fn entries(found: &Explained) -> String {
    let event = &found.event;
    if event.entries.is_empty() {
        return "\nno entries\n".to_owned();
    }
    let header = ["unit", "no", "kind", "lot", "credits", "balance", "rule"];
    let mut rows = table(&header, &[1, 4, 5]);
    for entry in &event.entries {
        let lot = match (entry.lot, &entry.package) {
            (Some(lot), Some(package)) => format!("{lot} ({package})"),
            (Some(lot), None) => lot.to_string(),
            (None, _) => "overdraft".to_owned(),
        };
        rows.add_row([
            entry.unit.clone(),
            entry.seq.to_string(),
            entry.kind.clone(),
            lot,
            entry.credits.clone(),
            entry.balance_after.clone(),
            EntryKind::from_code(&entry.kind).map_or("", EntryKind::rule).to_owned(),
        ]);
    }
    format!("\n{}", lines(&rows))
}

fn notices(found: &Explained) -> String {
    if found.notices.is_empty() {
        return "\nno notices\n".to_owned();
    }
    let mut rows = table(&["notice", "no", "says", "sent"], &[1]);
    for notice in &found.notices {
        rows.add_row([
            notice.kind.clone(),
            notice.number(),
            notice.display(),
            notice.published_at.map_or_else(|| "waits".to_owned(), seconds),
        ]);
    }
    format!("\n{}", lines(&rows))
}
