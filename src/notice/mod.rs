//! From typed notices to what goes over the wire (semantics 8.2, events.md notices out). Pure.
//!
//! [`render`] makes the row for the outbox; [`Publication::body`] the message that the relay
//! publishes. Both give the same bytes for the same notice, however often.

mod envelope;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;
use crate::ledger::{
    AccountId, Credits, EventKey, EventName, Name, Notice, ParkedNotice, Reference, Tells,
    Timestamp,
};

/// A notice ready for the outbox: its envelope's members, and its data as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// 16 bytes, the same for the same notice whenever it is rendered.
    pub id: [u8; 16],
    /// `None` for `event.parked`, which belongs to no account.
    pub account: Option<(AccountId, Name)>,
    /// From 1, without a gap, per account; 0 for `event.parked`.
    pub sequence: i64,
    /// The type, without prefix.
    pub kind: &'static str,
    pub unit: Option<Name>,
    pub event: EventKey,
    pub event_name: EventName,
    pub traceparent: Option<Name>,
    pub occurred_at: Timestamp,
    /// The `data` member, as JSON text.
    pub data: String,
}

pub use envelope::{CONTENT_TYPE, Publication};

const PARKED: &str = "event.parked";

/// The data of every notice about a balance. Amounts are decimal strings in whole units.
#[derive(Serialize)]
struct Data<'a> {
    account: &'a str,
    account_kind: &'static str,
    unit: &'a str,
    /// What moved; for low, recovered and depleted what the event changed the balance by.
    credits: String,
    /// Text for people: what moved; for low, recovered and depleted the balance.
    display: String,
    balance: String,
    pending: String,
    overdraft: String,
    #[serde(flatten)]
    own: Own<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<NamedReference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    recipients: Vec<&'a str>,
    occurred_at: String,
}

/// What only one type says.
#[derive(Default, Serialize)]
struct Own<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<PaidMoney>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortfall: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forfeited: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carried: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forgiven: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topup_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topup_request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_by: Option<String>,
}

#[derive(Serialize)]
struct PaidMoney {
    currency: String,
    amount: String,
}

#[derive(Serialize)]
struct NamedReference<'a> {
    kind: &'static str,
    value: &'a str,
}

/// A notice as its row in the outbox.
pub fn render(notice: &Notice, catalog: &Catalog) -> Wire {
    let unit = catalog.unit(&notice.unit);
    // Start-up refuses a catalog that lacks a unit with entries, so a unit is always there.
    let decimals = unit.map_or(0, |unit| u32::from(unit.decimals));
    let text = |credits: Credits| credits.text(decimals);
    let display = |credits: Credits| {
        unit.map_or_else(
            || format!("{} {}", text(credits), notice.unit),
            |unit| unit.display(credits),
        )
    };
    let topup_url = unit.and_then(|unit| unit.topup_link(&notice.account_name));
    let (credits, shown, own) = told(notice, text, topup_url);
    let about = &notice.about;
    let data = Data {
        account: &notice.account_name,
        account_kind: notice.account_kind.code(),
        unit: &notice.unit,
        credits: text(credits),
        display: display(shown),
        balance: text(notice.balance),
        pending: text(notice.pending),
        overdraft: text(notice.overdraft),
        own,
        package: about.package.as_deref(),
        references: about.references.iter().map(NamedReference::of).collect(),
        order_id: about.order_id.as_deref(),
        recipients: [Some(&notice.account_name), about.purchased_by.as_ref()]
            .into_iter()
            .flatten()
            .map(AsRef::as_ref)
            .collect(),
        occurred_at: notice.occurred_at.to_string(),
    };
    Wire {
        id: stable_id(&[b"notice", notice.account_name.as_bytes(), &notice.sequence.to_be_bytes()]),
        account: Some((notice.account, notice.account_name.clone())),
        sequence: notice.sequence,
        kind: notice.tells.kind(),
        unit: Some(notice.unit.clone()),
        event: notice.event,
        event_name: notice.event_name.clone(),
        traceparent: notice.traceparent.clone(),
        occurred_at: notice.occurred_at,
        data: json(&data),
    }
}

/// What moved, what to show to people, and what only this type says.
fn told(
    notice: &Notice,
    text: impl Fn(Credits) -> String,
    topup_url: Option<String>,
) -> (Credits, Credits, Own<'_>) {
    let none = Own::default();
    match &notice.tells {
        Tells::Credited { credits, money, expires_at } => {
            let money = money.map(|money| PaidMoney {
                currency: money.currency.code().to_owned(),
                amount: money.text(),
            });
            let expires_at = expires_at.map(|at| at.to_string());
            (*credits, *credits, Own { money, expires_at, ..none })
        }
        Tells::Revoked { credits, shortfall } => {
            let shortfall = shortfall.is_positive().then(|| text(*shortfall));
            (*credits, *credits, Own { shortfall, ..none })
        }
        Tells::Restored { credits } => (*credits, *credits, none),
        Tells::Expired { credits, expires_at } => {
            let expires_at = expires_at.map(|at| at.to_string());
            (*credits, *credits, Own { expires_at, ..none })
        }
        Tells::Expiring { credits, expires_at } => {
            let expires_at = expires_at.map(|at| at.to_string());
            (*credits, *credits, Own { expires_at, topup_url, ..none })
        }
        Tells::Reset { forfeited, carried, forgiven } => {
            let own = Own {
                forfeited: Some(text(*forfeited)),
                carried: Some(text(*carried)),
                forgiven: forgiven.is_positive().then(|| text(*forgiven)),
                ..none
            };
            (*forfeited, *forfeited, own)
        }
        Tells::Adjusted { credits, expires_at } => {
            let expires_at = expires_at.map(|at| at.to_string());
            (*credits, *credits, Own { expires_at, ..none })
        }
        Tells::Low { threshold, moved } => {
            (*moved, notice.balance, Own { threshold: Some(text(*threshold)), topup_url, ..none })
        }
        Tells::Recovered { threshold, moved } => {
            (*moved, notice.balance, Own { threshold: Some(text(*threshold)), ..none })
        }
        Tells::Depleted { moved } => (*moved, notice.balance, Own { topup_url, ..none }),
        Tells::Declined { credits, meter, count } => {
            (*credits, *credits, Own { meter: meter.as_deref(), count: Some(*count), ..none })
        }
        Tells::TopUp(request) => {
            let own = Own {
                threshold: Some(text(request.below)),
                topup_request_id: Some(&request.id),
                quantity: Some(request.quantity.text()),
                reason: Some(request.why.code()),
                answer_by: Some(request.lapses_at.to_string()),
                ..none
            };
            (Credits::ZERO, notice.balance, own)
        }
    }
}

/// The notice of a parked event: its reason, never its payload (semantics 8.6).
pub fn render_parked(notice: &ParkedNotice) -> Wire {
    #[derive(Serialize)]
    struct Data<'a> {
        source: &'a str,
        id: &'a str,
        reason: &'static str,
        occurred_at: String,
    }
    let data = Data {
        source: &notice.event_name.source,
        id: &notice.event_name.id,
        reason: notice.reason.code(),
        occurred_at: notice.occurred_at.to_string(),
    };
    // An event may be parked again after it was released, by the payment that it waited for.
    let id = match notice.by == notice.event {
        true => stable_id(&[b"parked", &notice.event.0]),
        false => stable_id(&[b"parked", &notice.event.0, &notice.by.0]),
    };
    Wire {
        id,
        account: None,
        sequence: 0,
        kind: PARKED,
        unit: None,
        event: notice.event,
        event_name: notice.event_name.clone(),
        traceparent: notice.traceparent.clone(),
        occurred_at: notice.occurred_at,
        data: json(&data),
    }
}

impl<'a> NamedReference<'a> {
    fn of(reference: &'a Reference) -> Self {
        Self { kind: reference.kind.code(), value: &reference.value }
    }
}

/// A UUID of version 8 (RFC 9562) made of what never changes about a notice.
fn stable_id(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    id
}

/// Our own types always serialise; if one ever did not, the notice would say so and still go out.
fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}
