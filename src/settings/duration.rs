//! Durations as people write them: a whole number and a unit, `5s`, `250ms`, `10 minutes`, `1 day`.
//!
//! A bare number is refused: nobody remembers whether it meant seconds. So are fractions, signs
//! and sums (`1h 30m`): one way to write each value keeps a diff readable.

use std::time::Duration;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Reads `250ms` or `10 minutes`; the error says what is wrong, as the end of a sentence.
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("does not begin with a whole number");
    }
    let factor = match unit.strip_prefix(' ').unwrap_or(unit) {
        "" => return Err("has no unit"),
        "ms" | "millisecond" | "milliseconds" => 1,
        "s" | "second" | "seconds" => SECOND_MS,
        "m" | "min" | "minute" | "minutes" => MINUTE_MS,
        "h" | "hour" | "hours" => HOUR_MS,
        "d" | "day" | "days" => DAY_MS,
        _ => return Err("is not a whole number and one of ms, s, minutes, hours, days"),
    };
    number
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(factor))
        .map(Duration::from_millis)
        .ok_or("is too long")
}

/// The shortest way to write a duration of whole milliseconds so that [`parse`] reads it back.
pub(super) fn text(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let units = [
        (DAY_MS, " day", " days"),
        (HOUR_MS, "h", "h"),
        (MINUTE_MS, " minute", " minutes"),
        (SECOND_MS, "s", "s"),
    ];
    for (factor, one, many) in units {
        if let (Some(count), Some(0)) = (ms.checked_div(factor), ms.checked_rem(factor))
            && count > 0
        {
            return format!("{count}{}", if count == 1 { one } else { many });
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        let cases = [
            ("0s", 0),
            ("250ms", 250),
            ("1 millisecond", 1),
            ("5s", 5_000),
            ("1 second", 1_000),
            ("10 minutes", 600_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("1 day", 86_400_000),
        ];

        for (text, ms) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn a_duration_without_a_unit_or_with_a_strange_one_is_refused() {
        let cases = [
            ("", "does not begin with a whole number"),
            ("fast", "does not begin with a whole number"),
            ("-5s", "does not begin with a whole number"),
            ("+5s", "does not begin with a whole number"),
            ("5", "has no unit"),
            ("5 ", "has no unit"),
            ("1.5s", "is not a whole number and one of ms, s, minutes, hours, days"),
            ("5  s", "is not a whole number and one of ms, s, minutes, hours, days"),
            ("5s ", "is not a whole number and one of ms, s, minutes, hours, days"),
            ("5S", "is not a whole number and one of ms, s, minutes, hours, days"),
            ("1h 30m", "is not a whole number and one of ms, s, minutes, hours, days"),
            ("99999999999999999999s", "is too long"),
            ("999999999999999999 days", "is too long"),
        ];

        for (text, problem) in cases {
            assert_eq!(parse(text), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_reads_back_as_itself() {
        let cases = [
            (0, "0ms"),
            (250, "250ms"),
            (1_000, "1s"),
            (1_500, "1500ms"),
            (90_000, "90s"),
            (60_000, "1 minute"),
            (600_000, "10 minutes"),
            (3_600_000, "1h"),
            (86_400_000, "1 day"),
            (172_800_000, "2 days"),
        ];

        for (ms, printed) in cases {
            assert_eq!(text(Duration::from_millis(ms)), printed);
            assert_eq!(parse(printed), Ok(Duration::from_millis(ms)));
        }
    }
}
