//! Automatic top-ups: asking for more credits when they run low, in a way that can't run away
//! (semantics 8.5).
//!
//! The ledger only asks. Whoever buys answers with a payment or a failure that names the request;
//! a request that nobody answers lapses. Every guard is kept in [`Asking`], beside the balance.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::amount::{Credits, Number};
use super::money::Money;
use super::names::{Name, Timestamp};
use super::settings::TopUp;

/// What was asked for one account and unit, and what keeps from asking again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// How many requests there were; numbers them.
    pub asked: u64,
    pub newest: Option<Asked>,
    /// Failures in a row.
    pub failures: u32,
    /// Nothing is asked before.
    pub paused_until: Option<Timestamp>,
    /// The month that the next two count in, by its first day.
    pub month: Option<Date>,
    pub count: u32,
    /// At the packages' list prices.
    pub money: Option<Money>,
}

/// The newest request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub id: Name,
    pub at: Timestamp,
    pub lapses_at: Timestamp,
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// None yet.
    Open,
    Paid,
    Failed,
}

/// Why it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyAsked {
    /// The balance fell below the line.
    Below,
    /// It still is, and the last request failed a while ago,
    AfterFailure,
    /// or was not answered in time.
    AfterLapse,
}

/// What one balance is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpRequest {
    pub id: Name,
    pub package: Name,
    pub quantity: Number,
    pub why: WhyAsked,
    pub below: Credits,
    pub lapses_at: Timestamp,
}

/// What asking needs to know beside what was asked before.
pub(super) struct Standing<'a> {
    pub(super) account: &'a Name,
    pub(super) unit: &'a Name,
    /// Balance and pending.
    pub(super) credits: Credits,
    pub(super) settings: &'a TopUp,
    /// Of the package, for a quantity of one.
    pub(super) price: Option<Money>,
    /// The books' clock.
    pub(super) now: Timestamp,
}

/// What came of looking at a balance.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) request: Option<TopUpRequest>,
    /// When to look again if nothing happens until then.
    pub(super) again_at: Option<Timestamp>,
}

const ASKED_AT_MOST_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Where the account does not say.
const DEADLINE: SignedDuration = SignedDuration::from_hours(1);
const RETRY_AFTER: SignedDuration = SignedDuration::from_hours(1);
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(24);

impl WhyAsked {
    pub fn code(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::AfterFailure => "after_failure",
            Self::AfterLapse => "after_lapse",
        }
    }
}

impl Asking {
    /// Asks, if the balance is too low and nothing keeps from it.
    pub(super) fn look(&mut self, standing: &Standing<'_>) -> Looked {
        if standing.credits >= standing.settings.below {
            return Looked::default();
        }
        let wait = |until| Looked { request: None, again_at: Some(until) };
        if let Some(open) = self.open(standing.now) {
            return wait(open.lapses_at);
        }
        let minute =
            self.newest.as_ref().and_then(|asked| asked.at.checked_add(ASKED_AT_MOST_EVERY).ok());
        let rested_at = self.paused_until.max(minute);
        if let Some(until) = rested_at.filter(|until| standing.now < *until) {
            return wait(until);
        }
        let Some(spending) = self.spending(standing) else { return Looked::default() };
        if spending.is_too_much(standing.settings) {
            return wait(spending.ends_at);
        }
        self.month = Some(spending.month);
        self.count = spending.count;
        self.money = spending.money;
        self.ask(standing)
    }

    fn ask(&mut self, standing: &Standing<'_>) -> Looked {
        let settings = standing.settings;
        let why = match self.newest.as_ref().map(|asked| asked.answer) {
            Some(Answer::Open) => WhyAsked::AfterLapse,
            Some(Answer::Failed) => WhyAsked::AfterFailure,
            Some(Answer::Paid) | None => WhyAsked::Below,
        };
        self.asked = self.asked.saturating_add(1);
        let id = request_id(standing.account, standing.unit, self.asked);
        let deadline = settings.deadline.unwrap_or(DEADLINE);
        let lapses_at = standing.now.checked_add(deadline).unwrap_or(Timestamp::MAX);
        self.newest =
            Some(Asked { id: id.clone(), at: standing.now, lapses_at, answer: Answer::Open });
        let request = TopUpRequest {
            id,
            package: settings.package.clone(),
            quantity: settings.quantity,
            why,
            below: settings.below,
            lapses_at,
        };
        Looked { request: Some(request), again_at: Some(lapses_at) }
    }

    /// The request that still waits for its answer.
    pub(super) fn open(&self, now: Timestamp) -> Option<&Asked> {
        self.newest.as_ref().filter(|asked| asked.answer == Answer::Open && now < asked.lapses_at)
    }

    pub(super) fn is_newest(&self, id: &Name) -> bool {
        self.newest.as_ref().is_some_and(|asked| asked.id == *id)
    }

    /// A payment names the request: it ends well, even if a failure came first. Whether it was the
    /// newest one.
    pub(super) fn paid(&mut self, id: &Name) -> bool {
        let Some(asked) = self.newest.as_mut().filter(|asked| asked.id == *id) else {
            return false;
        };
        asked.answer = Answer::Paid;
        self.failures = 0;
        self.paused_until = None;
        true
    }

    /// A failure names the request: nothing for a while, and longer after each one in a row.
    /// Whether it changed anything: a payment beats it.
    pub(super) fn failed(&mut self, id: &Name, settings: Option<&TopUp>, now: Timestamp) -> bool {
        let Some(asked) = self.newest.as_mut().filter(|asked| asked.id == *id) else {
            return false;
        };
        if asked.answer != Answer::Open {
            return false;
        }
        asked.answer = Answer::Failed;
        self.failures = self.failures.saturating_add(1);
        self.rest(settings, now);
        true
    }

    /// What was paid did not become credits, so the balance is as low as before. Asking again at
    /// once would charge again for what an operator has to look at.
    pub(super) fn rest(&mut self, settings: Option<&TopUp>, now: Timestamp) {
        let first = settings.and_then(|settings| settings.retry_after).unwrap_or(RETRY_AFTER);
        let longest = first.max(RETRY_AFTER_MAX);
        let doubled = (1..self.failures).try_fold(first, |pause, _| {
            Some(pause.checked_mul(2)?).filter(|pause| *pause < longest)
        });
        let pause = doubled.unwrap_or(longest).min(longest);
        self.paused_until = Some(now.checked_add(pause).unwrap_or(Timestamp::MAX));
    }

    /// What this month would come to with one request more, so that a limit that is set later knows
    /// what was asked before. `None` where a limit can't be kept: the package has no price any more,
    /// one in another currency, or one that no number holds.
    fn spending(&self, standing: &Standing<'_>) -> Option<Spending> {
        let today = standing.now.to_zoned(TimeZone::UTC).date();
        let month = today.first_of_month();
        let next = month.checked_add(1.month()).unwrap_or(Date::MAX);
        let ends_at = next.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |at| at.timestamp());
        let is_same = self.month == Some(month);
        let count = if is_same { self.count } else { 0 }.saturating_add(1);
        let before = self.money.filter(|_| is_same);
        let spent = standing.price.and_then(|price| spent(before, price, standing.settings));
        let money = match standing.settings.max_money {
            None => spent.or(before),
            Some(max) => Some(spent.filter(|spent| spent.currency == max.currency)?),
        };
        Some(Spending { month, ends_at, count, money })
    }
}

/// What a month's requests and one more cost. Another currency than before begins anew.
fn spent(before: Option<Money>, price: Money, settings: &TopUp) -> Option<Money> {
    let exponent = price.currency.exponent();
    let cost = settings.quantity.times_money(price.minor, exponent, exponent).ok()?;
    let before = before.filter(|before| before.currency == price.currency);
    let minor = before.map_or(0, |before| before.minor).checked_add(cost.steps())?;
    Some(Money { currency: price.currency, minor })
}

/// What a month comes to.
struct Spending {
    month: Date,
    ends_at: Timestamp,
    count: u32,
    money: Option<Money>,
}

impl Spending {
    fn is_too_much(&self, settings: &TopUp) -> bool {
        let money = self.money.zip(settings.max_money);
        settings.max_count.is_some_and(|max| max < self.count)
            || money.is_some_and(|(money, max)| max.minor < money.minor)
    }
}

/// The same for the same request, wherever the books are.
fn request_id(account: &Name, unit: &Name, number: u64) -> Name {
    let mut hash = Sha256::new();
    for part in [account.as_bytes(), unit.as_bytes(), &number.to_be_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digits: String =
        hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Name::from(format!("topup-{digits}"))
}
