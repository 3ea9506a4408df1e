//! `creditd balance ACCOUNT`: balances, open lots and pending ones.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::output::{CommandError, Ending, Output, Unknown, counted, lines, seconds, table};
use crate::store::own::OwnSettings;
use crate::store::reading::{AccountHoldings, HeldLot, Holding, holdings};

/// Balances and open lots of an account.
#[derive(Clone, Debug, clap::Args)]
pub struct BalanceArgs {
    /// The account, as the events call it
    pub account: String,
}

/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run(
    pool: &PgPool,
    args: &BalanceArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    match holdings(pool, &args.account).await? {
        Some(found) => {
            output.answer(&found, || render(&found))?;
            Ok(Ending::Good)
        }
        None => {
            let unknown = Unknown { unknown_account: &args.account };
            output.answer(&unknown, || unknown.text())?;
            Ok(Ending::Wrong)
        }
    }
}

/// For people: a paragraph a unit, its lots in the order in which they are drawn.
pub fn render(found: &AccountHoldings) -> String {
    let called = found.display_name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
    let mut text = format!("{} ({}{called})\n", found.account, found.kind);
    if found.balances.is_empty() {
        text.push_str("\nno credits have ever been granted to it or used by it\n");
    }
    for holding in &found.balances {
        let _ = write!(text, "\n{}", paragraph(holding));
    }
    for own in found.settings.iter().filter(|own| !own.is_empty()) {
        let _ = write!(text, "\n{} set for this account:\n{}", own.unit, settings(own));
    }
    text
}

fn paragraph(holding: &Holding) -> String {
    let mut text = format!("{}  balance {}", holding.unit, holding.balance);
    for (what, amount) in [("overdraft", &holding.overdraft), ("pending", &holding.pending)] {
        if amount != "0" {
            let _ = write!(text, ", {what} {amount}");
        }
    }
    let _ = writeln!(text, "  ({})", seconds(holding.updated_at));
    match holding.lots.len() {
        0 => text.push_str("no lot is open\n"),
        open => {
            let _ = writeln!(text, "{} open, drawn in this order:", counted_lots(open));
            text.push_str(&rows(&holding.lots, false));
        }
    }
    if !holding.pending_lots.is_empty() {
        let pending = counted_lots(holding.pending_lots.len());
        let _ = writeln!(text, "{pending} pending, not usable yet:");
        text.push_str(&rows(&holding.pending_lots, true));
    }
    text
}

fn counted_lots(count: usize) -> String {
    counted(u64::try_from(count).unwrap_or(u64::MAX), "lot")
}

fn rows(held: &[HeldLot], are_pending: bool) -> String {
    let mut header = vec!["lot", "remaining", "granted", "package", "for", "expires"];
    if are_pending {
        header.insert(5, "opens");
    }
    let mut lots = table(&header, &[0, 1, 2]);
    for lot in held {
        let mut row = vec![
            lot.lot.to_string(),
            lot.remaining.clone(),
            lot.granted.clone(),
            package(lot),
            scope(lot),
            lot.expires_at.map_or_else(|| "never".to_owned(), seconds),
        ];
        if are_pending {
            row.insert(5, seconds(lot.opened_at));
        }
        lots.add_row(row);
    }
    lines(&lots)
}

/// A line a setting; what the catalog says is left out.
fn settings(own: &OwnSettings) -> String {
    let low_balance = own.low_balance.as_ref().map(|lines| match lines.is_empty() {
        true => "none".to_owned(),
        false => lines.join(", "),
    });
    let topup = own
        .topup
        .as_ref()
        .map(|topup| format!("below {}, {} of {}", topup.below, topup.quantity, topup.package));
    let said = [
        ("low balance at", &low_balance),
        ("recovered at", &own.recovered_at),
        ("overdraft at most", &own.overdraft_limit),
        ("began with", &own.opening_balance),
        ("top up", &topup),
    ];
    said.into_iter()
        .filter_map(|(what, value)| Some(format!("  {what} {}\n", value.as_ref()?)))
        .collect()
}

fn package(lot: &HeldLot) -> String {
    match lot.promotional {
        true => format!("{} (promotional)", lot.package),
        false => lot.package.clone(),
    }
}

fn scope(lot: &HeldLot) -> String {
    match lot.applies_to.is_empty() {
        true => "everything".to_owned(),
        false => lot.applies_to.join(", "),
    }
}
