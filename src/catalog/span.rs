//! How long something lasts, as people write it: a whole number and a unit, `36h`, `30 days`,
//! `1 year`. Months and years are the calendar's, a day has 24 hours (semantics 7.3).
//!
//! As with the settings' durations, a bare number, a fraction and a sum are refused: one way to
//! write each value keeps a diff readable.

use jiff::SignedDuration;

use super::raw::At;
use super::reader::Fields;
use crate::ledger::After;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// No credits and no policy wait for longer; what does is a slip of the pen.
const YEARS_MAX: u64 = 1_000;

/// What a unit counts.
#[derive(Clone, Copy)]
enum Counts {
    Months(u64),
    Millis(u64),
}

impl Fields<'_, '_> {
    /// A time by the calendar, such as "30 days" or "1 month".
    pub(super) fn span(&self, key: &str) -> Option<After> {
        self.said(key, parse, "\"36h\", \"30 days\" or \"1 month\"")
    }

    /// A time that is always as long, such as "1h".
    pub(super) fn duration(&self, key: &str) -> Option<SignedDuration> {
        self.said(key, parse_exact, "\"90s\", \"1h\" or \"2 days\"")
    }

    fn said<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, &'static str>,
        such_as: &str,
    ) -> Option<T> {
        let At { value, at } = self.text(key)?;
        let wrong = |problem| {
            let remedy = format!("write a whole number and a unit, such as {such_as}");
            self.report().mistake(at, &self.path_of(key), format!("{value:?} {problem}"), remedy);
        };
        read(value).map_err(wrong).ok()
    }
}

/// Reads `36h` or `1 month`; the error says what is wrong, as the end of a sentence.
fn parse(text: &str) -> Result<After, &'static str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("does not begin with a whole number");
    }
    let counts = match unit.strip_prefix(' ').unwrap_or(unit) {
        "" => return Err("has no unit"),
        "ms" | "millisecond" | "milliseconds" => Counts::Millis(1),
        "s" | "second" | "seconds" => Counts::Millis(SECOND_MS),
        "m" | "min" | "minute" | "minutes" => Counts::Millis(MINUTE_MS),
        "h" | "hour" | "hours" => Counts::Millis(HOUR_MS),
        "d" | "day" | "days" => Counts::Millis(DAY_MS),
        "week" | "weeks" => Counts::Millis(7 * DAY_MS),
        "month" | "months" => Counts::Months(1),
        "year" | "years" => Counts::Months(12),
        _ => {
            return Err("is not a whole number and one of s, minutes, hours, days, weeks, \
            months, years");
        }
    };
    let times = |each: u64, max: u64| {
        let count = number.parse::<u64>().ok().and_then(|number| number.checked_mul(each));
        count.filter(|count| *count <= max).ok_or("is too long")
    };
    match counts {
        Counts::Millis(each) => {
            times(each, YEARS_MAX * 366 * DAY_MS).map(|millis| After { months: 0, millis })
        }
        Counts::Months(each) => {
            let months = u32::try_from(times(each, YEARS_MAX * 12)?).map_err(|_| "is too long")?;
            Ok(After { months, millis: 0 })
        }
    }
}

/// Like [`parse`], for what must last the same whenever it begins.
fn parse_exact(text: &str) -> Result<SignedDuration, &'static str> {
    let After { months, millis } = parse(text)?;
    if months > 0 {
        return Err("is not always the same length");
    }
    i64::try_from(millis).map(SignedDuration::from_millis).map_err(|_| "is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_whole_number_and_a_unit_4_5() {
        let cases = [
            ("0s", 0, 0),
            ("36h", 0, 36 * HOUR_MS),
            ("30 days", 0, 30 * DAY_MS),
            ("2 weeks", 0, 14 * DAY_MS),
            ("1 month", 1, 0),
            ("1 year", 12, 0),
            ("18months", 18, 0),
        ];
        for (text, months, millis) in cases {
            assert_eq!(parse(text), Ok(After { months, millis }), "{text}");
        }
    }

    #[test]
    fn a_span_that_is_none_is_refused() {
        let cases = [
            ("", "does not begin with a whole number"),
            ("-1 day", "does not begin with a whole number"),
            ("30", "has no unit"),
            ("1001 years", "is too long"),
            ("99999999999999999999s", "is too long"),
        ];
        for (text, problem) in cases {
            assert_eq!(parse(text), Err(problem), "{text:?}");
        }
        for text in ["1.5h", "1h 30m", "1 fortnight", "1  day"] {
            assert!(parse(text).unwrap_err().starts_with("is not a whole number"), "{text:?}");
        }
        assert_eq!(parse_exact("1 month"), Err("is not always the same length"));
        assert_eq!(parse_exact("1h"), Ok(SignedDuration::from_hours(1)));
    }
}
