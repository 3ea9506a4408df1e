//! `creditd balance ACCOUNT`: balances and open lots.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::output::{CommandError, Ending, Output, Unknown, counted, lines, seconds, table};
use crate::store::own::OwnSettings;
use crate::store::reading::{AccountHoldings, Holding, OpenLot, holdings};

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
    if holding.lots.is_empty() {
        text.push_str("no lot is open\n");
        return text;
    }
    let open = u64::try_from(holding.lots.len()).unwrap_or(u64::MAX);
    let _ = writeln!(text, "{} open, drawn in this order:", counted(open, "lot"));
    let header = ["lot", "remaining", "granted", "package", "for", "expires"];
    let mut lots = table(&header, &[0, 1, 2]);
    for lot in &holding.lots {
        lots.add_row([
            lot.lot.to_string(),
            lot.remaining.clone(),
            lot.granted.clone(),
            package(lot),
            scope(lot),
            lot.expires_at.map_or_else(|| "never".to_owned(), seconds),
        ]);
    }
    text.push_str(&lines(&lots));
    text
}

/// A line a setting; what the catalog says is left out.
fn settings(own: &OwnSettings) -> String {
    let low_balance = own.low_balance.as_ref().map(|lines| match lines.is_empty() {
        true => "none".to_owned(),
        false => lines.join(", "),
    });
    let topup = own.topup.as_ref().map(|topup| {
        format!(
            "below {}, {} of {} (kept; not acted on yet)",
            topup.below, topup.quantity, topup.package
        )
    });
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

fn package(lot: &OpenLot) -> String {
    match lot.promotional {
        true => format!("{} (promotional)", lot.package),
        false => lot.package.clone(),
    }
}

fn scope(lot: &OpenLot) -> String {
    match lot.applies_to.is_empty() {
        true => "everything".to_owned(),
        false => lot.applies_to.join(", "),
    }
}
