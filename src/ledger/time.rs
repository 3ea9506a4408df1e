//! What time asks of the books: pending lots open, coming expiries are told, expired lots are
//! emptied, balances are looked at again (semantics 7).
//!
//! Whatever falls due becomes a command with a name that never changes, decided through the same
//! door as any event and recorded in the same inbox: twice is once, whoever runs it.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::amount::Overflow;
use super::balance::Balance;
use super::book::Book;
use super::lot::Lot;
use super::names::{LotNo, Name, PurchaseId, Timestamp};
use super::post::Rules;

/// So long after an instant, by the calendar in UTC: a month after 31 January is the end of
/// February.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Counted first.
    pub months: u32,
    pub millis: u64,
}

/// Something that time asks of one lot, or of one balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// From when on it may be done; part of its name.
    pub at: Timestamp,
    pub kind: DueKind,
    pub account: Name,
    pub unit: Name,
    /// `None`: of the balance itself.
    pub lot: Option<LotNo>,
    /// The lot's own, which whoever loads the book loads with it.
    pub purchase: Option<PurchaseId>,
    /// When it happens by the world's clock: a lot's own instant, while an expiry is due its grace
    /// later.
    pub occurred_at: Timestamp,
}

/// In the order in which what is due at once is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueKind {
    Open,
    Warn,
    Expire,
    Look,
}

impl After {
    /// # Errors
    /// [`Overflow`] past the end of the calendar.
    pub fn after(self, at: Timestamp) -> Result<Timestamp, Overflow> {
        let months = i64::from(self.months);
        let span = jiff::Span::new().try_months(months).map_err(|_| Overflow)?;
        let moved = at.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| Overflow)?;
        let millis = i64::try_from(self.millis).map_err(|_| Overflow)?;
        let rest = jiff::SignedDuration::from_millis(millis);
        moved.timestamp().checked_add(rest).map_err(|_| Overflow)
    }

    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl DueKind {
    pub const ALL: [Self; 4] = [Self::Open, Self::Warn, Self::Expire, Self::Look];

    /// The first word of the command's name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Warn => "warn",
            Self::Expire => "expire",
            Self::Look => "look",
        }
    }
}

impl Due {
    /// The command's name: the same whoever finds it due, and however often.
    pub fn id(&self) -> String {
        let Self { at, kind, account, unit, lot, .. } = self;
        match lot {
            Some(lot) => format!("{}:{account}/{unit}/{}:{at}", kind.code(), lot.0),
            None => format!("{}:{account}/{unit}:{at}", kind.code()),
        }
    }

    /// Orders what is due.
    pub fn order(&self) -> (Timestamp, &Name, &Name, Option<LotNo>, DueKind) {
        (self.at, &self.account, &self.unit, self.lot, self.kind)
    }
}

/// Everything in a whole book that is due by `until`, in the order in which it is to be done. What
/// is done may make more due, so whoever runs it asks again until nothing is left.
pub fn due(book: &Book, rules: &Rules, until: Timestamp) -> Vec<Due> {
    let coming = book.accounts.values().flat_map(|account| coming(account, rules));
    let mut due: Vec<Due> = coming.filter(|due| due.at <= until).collect();
    due.sort_by(|left, right| left.order().cmp(&right.order()));
    due
}

/// When something of these accounts is due next, later than `after`.
pub fn next_due<'a>(
    accounts: impl IntoIterator<Item = &'a Account>,
    rules: &Rules,
    after: Timestamp,
) -> Option<Timestamp> {
    let coming = accounts.into_iter().flat_map(|account| coming(account, rules));
    coming.map(|due| due.at).filter(|at| *at > after).min()
}

fn coming<'a>(account: &'a Account, rules: &'a Rules) -> impl Iterator<Item = Due> + use<'a> {
    account.balances.values().flat_map(move |balance| {
        let held = balance.lots.iter().filter(|lot| lot.remaining.is_positive());
        let lots = held.flat_map(move |lot| {
            let opening = lot.is_pending.then_some((lot.opened_at, DueKind::Open, lot.opened_at));
            let all = [opening, warning(rules, balance, lot), expiry(rules, lot)];
            all.into_iter().flatten().map(move |due| (due, Some(lot)))
        });
        let look = balance.look_at.map(|at| ((at, DueKind::Look, at), None));
        lots.chain(look).map(move |((at, kind, occurred_at), lot)| Due {
            at,
            kind,
            account: account.name.clone(),
            unit: balance.unit.clone(),
            lot: lot.map(|lot: &Lot| lot.no),
            purchase: lot.and_then(|lot| lot.purchase),
            occurred_at,
        })
    })
}

/// When it is due, what, and when it happens by the world's clock.
type Coming = (Timestamp, DueKind, Timestamp);

fn warning(rules: &Rules, balance: &Balance, lot: &Lot) -> Option<Coming> {
    if !lot.is_open() || lot.is_warned {
        return None;
    }
    let notice = rules.units.get(&balance.unit)?.expiring_notice?;
    let at = lot.expires_at?.checked_sub(notice).ok()?;
    Some((at, DueKind::Warn, at))
}

/// Past the end of the calendar nothing expires.
fn expiry(rules: &Rules, lot: &Lot) -> Option<Coming> {
    let expires_at = lot.expires_at?;
    let at = expires_at.checked_add(rules.expiry_grace).ok()?;
    Some((at, DueKind::Expire, expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_after_the_31st_is_the_last_of_the_next_4_5() {
        let month = After { months: 1, millis: 0 };
        let after = |text| month.after(at(text)).unwrap();

        assert_eq!(after("2026-01-31T12:00:00Z"), at("2026-02-28T12:00:00Z"));
        assert_eq!(after("2028-01-31T12:00:00Z"), at("2028-02-29T12:00:00Z"));
        assert_eq!(after("2026-04-30T00:00:00Z"), at("2026-05-30T00:00:00Z"));
        let year = After { months: 12, millis: 0 };
        assert_eq!(year.after(at("2028-02-29T00:00:00Z")), Ok(at("2029-02-28T00:00:00Z")));
    }

    #[test]
    fn days_and_hours_are_counted_and_the_calendar_ends_4_5() {
        let after = After { months: 0, millis: 36 * 3_600_000 };
        assert_eq!(after.after(at("2026-01-01T00:00:00Z")), Ok(at("2026-01-02T12:00:00Z")));
        let ages = After { months: 12 * 20_000, millis: 0 };
        assert_eq!(ages.after(at("2026-01-01T00:00:00Z")), Err(Overflow));
    }
}
