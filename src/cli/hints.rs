//! What the messages themselves show, where they were kept: what differs from the first of a name,
//! and a time that was ahead of the clock.

use serde::Deserialize;

use super::output::{counted, seconds};
use crate::event::difference::{Difference, differences};
use crate::ledger::Timestamp;
use crate::store::events::{EventFound, Explained};

/// Clocks differ by less.
const AHEAD_AT_LEAST_SECONDS: i64 = 60;
const SHOWN_AT_MOST: usize = 12;

/// The time that an event says of itself, where that was ahead of the books' clock when it came
/// (semantics 7.3).
pub(super) fn ahead(event: &EventFound) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Envelope {
        time: Timestamp,
    }
    let envelope: Envelope = serde_json::from_slice(event.body()?).ok()?;
    let ahead = envelope.time.duration_since(event.received_at).as_secs();
    (AHEAD_AT_LEAST_SECONDS <= ahead).then_some(envelope.time)
}

pub(super) fn ahead_in_words(event: &EventFound) -> Option<String> {
    let says = ahead(event)?;
    let seconds_ahead = says.duration_since(event.received_at).as_secs().unsigned_abs();
    let (size, noun) = match seconds_ahead {
        172_800.. => (86_400, "day"),
        7_200.. => (3_600, "hour"),
        _ => (60, "minute"),
    };
    let length = counted(seconds_ahead.div_euclid(size), noun);
    Some(format!(
        "; it says {}, {length} after it was received, which counts as now, rule 7.3: is the \
         sender's clock right?",
        seconds(says)
    ))
}

/// What differs from the first event of its name; `None` where it differs from none, or where one
/// of the messages was not kept.
pub(super) fn differing(found: &Explained) -> Option<Vec<Difference>> {
    let first = found.conflicts_with.as_ref()?.body.as_deref()?;
    differences(first, found.event.body()?)
}

/// A line each; none where it differs from none.
pub(super) fn differing_in_words(found: &Explained) -> Vec<String> {
    if found.conflicts_with.is_none() {
        return Vec::new();
    }
    let Some(differing) = differing(found) else {
        return vec!["unknown: of the first event of its name no message was kept".to_owned()];
    };
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let mut lines: Vec<String> = differing
        .iter()
        .take(SHOWN_AT_MOST)
        .map(|one| {
            format!("{}: {} first, {} here", one.member, value(&one.first), value(&one.later))
        })
        .collect();
    if let Some(rest @ 1..) = differing.len().checked_sub(SHOWN_AT_MOST) {
        lines.push(format!("and {rest} more"));
    }
    if lines.is_empty() {
        lines
            .push("in what came beside the message: its type, or its source's settings".to_owned());
    }
    lines
}
