//! What was asked for one balance, and what keeps from asking again, kept as a plain list (semantics
//! 8.5). Use it beside `implied`.

use creditd::ledger::*;
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::implied::Seen;

/// A balance below its line.
pub struct Low<'a> {
    pub topup: &'a TopUp,
    pub price: Option<Money>,
    pub now: Timestamp,
}

#[derive(Debug, Default)]
pub struct Asked {
    requests: Vec<Requested>,
    /// In a row.
    failures: u32,
    paused_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Requested {
    id: Name,
    at: Timestamp,
    lapses_at: Timestamp,
    is_answered: bool,
    has_failed: bool,
    minor: i64,
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Asked {
    /// An answer to the newest request, if the event is one.
    pub fn hears(&mut self, account: &Account, topup: Option<&TopUp>, seen: &Seen<'_>) {
        let (whose, named, failed) = match &seen.request.asks {
            Asks::Command(Command::Pay(payment)) => {
                let Some(named) = &payment.topup_request else { return };
                (&payment.account, named, false)
            }
            Asks::Command(Command::Unread(payment)) => {
                (&payment.account, &payment.topup_request, false)
            }
            Asks::Command(Command::Fail(failure)) => {
                (&failure.account, &failure.topup_request, true)
            }
            _ => return,
        };
        let newest = self.requests.last_mut().filter(|newest| newest.id == *named);
        // What came before in the same words says nothing new.
        let Some(newest) = newest.filter(|_| *whose == account.name && seen.record.is_new) else {
            return;
        };
        let is_applied = matches!(seen.record.verdict, Verdict::Applied(_));
        // A payment answers whatever becomes of it, a failure only if nobody has answered.
        if failed && (newest.is_answered || !is_applied) {
            return;
        }
        (newest.is_answered, newest.has_failed) = (true, failed);
        self.failures = if failed { self.failures + 1 } else { 0 };
        self.paused_until = (failed || !is_applied).then(|| {
            let first = topup.and_then(|topup| topup.retry_after).unwrap_or(HOUR);
            let pause = first * 2_i32.pow(self.failures.saturating_sub(1).min(20));
            seen.now + pause.min(DAY.max(first))
        });
    }

    /// Whether nothing keeps from asking.
    pub fn permits(&self, low: &Low<'_>) -> bool {
        let Low { topup, price, now } = low;
        let is_outstanding =
            self.requests.last().is_some_and(|one| !one.is_answered && *now < one.lapses_at);
        let is_recent =
            self.requests.last().is_some_and(|one| now.duration_since(one.at).as_secs() < 60);
        let is_paused = self.paused_until.is_some_and(|until| *now < until);
        let of_month = || self.requests.iter().filter(|one| month(one.at) == month(*now));
        let too_many =
            topup.max_count.is_some_and(|max| usize::try_from(max).unwrap() <= of_month().count());
        let too_much = topup.max_money.is_some_and(|max| {
            let spent: i64 = of_month().map(|one| one.minor).sum();
            price.is_none_or(|price| max.minor < spent + cost(topup, price))
        });
        !(is_outstanding || is_recent || is_paused || too_many || too_much)
    }

    pub fn add(&mut self, request: &TopUpRequest, low: &Low<'_>) {
        let Low { topup, price, now } = low;
        let why = match self.requests.last() {
            Some(last) if !last.is_answered => WhyAsked::AfterLapse,
            Some(last) if last.has_failed => WhyAsked::AfterFailure,
            _ => WhyAsked::Below,
        };
        assert_eq!(request.why, why, "{request:?}");
        assert_eq!((&request.package, request.quantity), (&topup.package, topup.quantity));
        assert_eq!(request.lapses_at, *now + topup.deadline.unwrap_or(HOUR));
        assert!(self.requests.iter().all(|one| one.id != request.id), "{request:?} twice");
        self.requests.push(Requested {
            id: request.id.clone(),
            at: *now,
            lapses_at: request.lapses_at,
            is_answered: false,
            has_failed: false,
            minor: price.map_or(0, |price| cost(topup, price)),
        });
    }
}

/// Quantities are whole in these streams.
fn cost(topup: &TopUp, price: Money) -> i64 {
    price.minor * topup.quantity.text().parse::<i64>().unwrap()
}

fn month(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date().first_of_month()
}
