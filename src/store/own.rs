//! What an account sets for itself, as the commands show it. Reads only.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};

use crate::ledger::{Credits, Name, Settings, TopUp};

/// One account's settings for one unit; what is `None` is the catalog's.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OwnSettings {
    pub unit: String,
    /// Highest first; empty: no thresholds at all.
    pub low_balance: Option<Vec<String>>,
    pub recovered_at: Option<String>,
    pub overdraft_limit: Option<String>,
    pub opening_balance: Option<String>,
    pub topup: Option<OwnTopUp>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OwnTopUp {
    pub below: String,
    pub package: String,
    pub quantity: String,
    /// As ISO 8601 has it: `PT15M`.
    pub deadline: Option<String>,
    pub retry_after: Option<String>,
    pub max_count: Option<u32>,
    /// In a currency: `50.00 USD`.
    pub max_money: Option<String>,
}

/// By unit; `json` is the column `settings` of the account.
pub(super) async fn settings(pool: &PgPool, json: Option<&str>) -> sqlx::Result<Vec<OwnSettings>> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let own: BTreeMap<Name, Settings> =
        serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let units: Vec<&str> = own.keys().map(|unit| &**unit).collect();
    let decimals: HashMap<String, i16> =
        sqlx::query("SELECT unit, decimals FROM creditd.unit WHERE unit = ANY($1)")
            .bind(units)
            .try_map(|row: PgRow| Ok((row.try_get("unit")?, row.try_get("decimals")?)))
            .fetch_all(pool)
            .await?
            .into_iter()
            .collect();
    let shown = own.iter().map(|(unit, settings)| {
        let decimals = decimals.get(&**unit).copied().unwrap_or_default();
        OwnSettings::of(unit, settings, u32::from(decimals.unsigned_abs()))
    });
    Ok(shown.collect())
}

impl OwnSettings {
    fn of(unit: &Name, settings: &Settings, decimals: u32) -> Self {
        let text = |credits: Credits| credits.text(decimals);
        let lines = |lines: &Vec<Credits>| lines.iter().copied().map(text).collect();
        Self {
            unit: unit.to_string(),
            low_balance: settings.low_balance.value.as_ref().map(lines),
            recovered_at: settings.recovered_at.value.map(text),
            overdraft_limit: settings.overdraft_limit.value.map(text),
            opening_balance: settings.opening_balance.map(text),
            topup: settings.topup.value.as_ref().map(|topup| OwnTopUp::of(topup, text)),
        }
    }

    /// Whether all of it is the catalog's again.
    pub fn is_empty(&self) -> bool {
        let Self { low_balance, recovered_at, overdraft_limit, opening_balance, topup, .. } = self;
        low_balance.is_none()
            && [recovered_at, overdraft_limit, opening_balance].iter().all(|one| one.is_none())
            && topup.is_none()
    }
}

impl OwnTopUp {
    fn of(topup: &TopUp, text: impl Fn(Credits) -> String) -> Self {
        Self {
            below: text(topup.below),
            package: topup.package.to_string(),
            quantity: topup.quantity.text(),
            deadline: topup.deadline.map(|deadline| deadline.to_string()),
            retry_after: topup.retry_after.map(|after| after.to_string()),
            max_count: topup.max_count,
            max_money: topup
                .max_money
                .map(|money| format!("{} {}", money.text(), money.currency.code())),
        }
    }
}
