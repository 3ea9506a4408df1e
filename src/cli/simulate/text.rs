//! What a simulation says to people.

use std::fmt::Write as _;

use super::super::output::{counted, lines, others, seconds, table};
use crate::scenario::{Holding, OpenLot, Value};
use crate::simulation::{Compared, Differing, DifferingHolding, Parked, Side, Simulated};

/// More of an account's lots are only counted.
const LOTS_MAX: usize = 3;

/// What is left, then what was told.
pub(super) fn simulated(done: &Simulated, limit: usize) -> String {
    let mut text = format!("{}\n", story(done));
    let header = ["account", "unit", "balance", "overdraft", "pending", "lots"];
    let mut accounts = table(&header, &[2, 3, 4]);
    let all = done.accounts.iter().flat_map(|(account, units)| {
        units.iter().map(move |(unit, holding)| (account, unit, holding))
    });
    let mut count = 0_u64;
    for (place, (account, unit, holding)) in all.enumerate() {
        count = count.saturating_add(1);
        if place < limit {
            let Holding { balance, overdraft, pending, lots } = holding;
            accounts.add_row([account, unit, balance, overdraft, pending, &listed(lots)]);
        }
    }
    match count {
        0 => text.push_str("no account holds or owes anything\n"),
        _ => text.push_str(&lines(&accounts)),
    }
    text.push_str(&rest(limit, count));
    text.push_str(&notices(done));
    text.push_str(&parked(done));
    text
}

fn listed(lots: &[OpenLot]) -> String {
    let mut shown: Vec<String> = lots.iter().take(LOTS_MAX).map(lot).collect();
    let count = u64::try_from(lots.len()).unwrap_or(u64::MAX);
    shown.extend(others(LOTS_MAX, count).map(|rest| format!("and {rest} more")));
    shown.join(", ")
}

/// How many events from when to when, and how they ended.
fn story(done: &Simulated) -> String {
    let (from, until) = (seconds(done.from), seconds(done.until));
    let outcomes: Vec<String> =
        done.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    format!("{} from {from} to {until}: {}\n", counted(done.events, "event"), outcomes.join(", "))
}

fn lot(lot: &OpenLot) -> String {
    let until = lot.expires_at.map(|at| format!(" until {}", seconds(at))).unwrap_or_default();
    format!("{} of {}{until}", lot.remaining, lot.package)
}

fn notices(done: &Simulated) -> String {
    let count = done.notices.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
    let mut text = format!("\n{}", counted(count, "notice"));
    if count == 0 {
        return text + "\n";
    }
    let kinds: Vec<String> =
        done.notices.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let _ = writeln!(text, ": {}", kinds.join(", "));
    let mut list = table(&["account", "no", "notice", "says", "balance"], &[1, 4]);
    for notice in &done.first_notices {
        let member = |name: &str| notice.get(name).map(word).unwrap_or_default();
        let says = match notice.get("reason") {
            Some(reason) => format!("{}/{}: {}", member("source"), member("id"), word(reason)),
            None => member("display"),
        };
        list.add_row([
            member("account"),
            member("sequence"),
            member("type"),
            says,
            member("balance"),
        ]);
    }
    text.push_str(&lines(&list));
    text.push_str(&rest(done.first_notices.len(), count));
    text
}

fn parked(done: &Simulated) -> String {
    let count = done.outcomes.get("parked").copied().unwrap_or_default();
    if count == 0 {
        return String::new();
    }
    let mut text = format!("\n{} parked\n", counted(count, "event"));
    for Parked { source, id, reason, detail } in &done.first_parked {
        let _ = writeln!(text, "  {source}/{id} ({reason}): {detail}");
    }
    text.push_str(&rest(done.first_parked.len(), count));
    text
}

fn rest(shown: usize, count: u64) -> String {
    others(shown, count).map(|rest| format!("  and {rest} more\n")).unwrap_or_default()
}

fn word(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bool(_) | Value::List(_) | Value::Table(_) => value.to_string(),
    }
}

/// Where two catalogs part.
pub(super) fn compared(done: &Compared, limit: usize) -> String {
    let Compared { ours, theirs, .. } = done;
    let mut text = format!("first catalog  {}: {}", ours.catalog_hash, story(ours));
    let _ = write!(text, "second catalog {}: {}", theirs.catalog_hash, story(theirs));
    if done.differing_events == 0 && done.differing_holdings.is_empty() {
        text.push_str("\nnothing differs\n");
        return text;
    }
    let differing = counted(done.differing_events, "event");
    let _ = writeln!(text, "\n{differing} came to something else");
    for Differing { number, event, ours, theirs } in &done.first_differing {
        let number = number.map(|number| format!("{number}. ")).unwrap_or_default();
        let _ = writeln!(text, "  {number}{event}");
        let _ = writeln!(text, "      first:  {}", side(ours));
        let _ = writeln!(text, "      second: {}", side(theirs));
    }
    text.push_str(&rest(done.first_differing.len(), done.differing_events));
    text.push_str(&holdings(&done.differing_holdings, limit));
    text
}

fn holdings(differing: &[DifferingHolding], limit: usize) -> String {
    if differing.is_empty() {
        return "\nin the end everybody holds the same\n".to_owned();
    }
    let mut table = table(&["account", "unit", "first", "second"], &[2, 3]);
    for DifferingHolding { account, unit, ours, theirs } in differing.iter().take(limit) {
        let said = |holding: &Option<Holding>| match holding {
            None => "0".to_owned(),
            Some(Holding { balance, pending, .. }) if pending == "0" => balance.clone(),
            Some(Holding { balance, pending, .. }) => format!("{balance} and {pending} pending"),
        };
        table.add_row([account.clone(), unit.clone(), said(ours), said(theirs)]);
    }
    let count = u64::try_from(differing.len()).unwrap_or(u64::MAX);
    let rest = rest(limit, count);
    format!("\nin the end these balances differ\n{}{rest}", lines(&table))
}

fn side(side: &Side) -> String {
    let Side { outcome, reason, entries, notices } = side;
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let mut text = format!("{outcome}{reason}");
    let moved: Vec<String> =
        entries.iter().map(|one| format!("{} {} {}", one.kind, one.credits, one.unit)).collect();
    if !moved.is_empty() {
        let _ = write!(text, ": {}", moved.join(", "));
    }
    if let Some(last) = entries.last() {
        let _ = write!(text, " → {}", last.balance_after);
    }
    if !notices.is_empty() {
        let _ = write!(text, "; {}", notices.join(", "));
    }
    text
}
