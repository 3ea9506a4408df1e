//! Amounts. [`Credits`] are whole steps of a unit in 64 bits; [`Number`] is a quantity or a rate.
//!
//! With `money`, the only place that meets `Decimal`: it parses and prints, the arithmetic is on integers,
//! checked, and rounded at most once, half away from zero (semantics 2.1 to 2.3).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An amount of one unit, counted in that unit's smallest step. Negative only as a movement, a
/// balance in overdraft, or an adjustment.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Credits(i64);

/// A result that does not fit the 64 (or, in between, 128) bits of an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amount does not fit 64 bits of the unit's smallest step")]
pub struct Overflow;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("is not a decimal number such as \"12.50\"")]
    NotANumber,
    #[error("has more than the {allowed} decimals allowed here")]
    TooManyDecimals { allowed: u32 },
    #[error("has more than 15 digits before the point")]
    TooManyDigits,
    #[error("must not be negative")]
    Negative,
}

/// An exact, non-negative quantity or rate: at most 15 digits before the point and 9 behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(Decimal);

const INTEGER_DIGITS_MAX: usize = 15;
const NUMBER_DECIMALS_MAX: u32 = 9;

impl Credits {
    pub const ZERO: Self = Self(0);

    pub fn from_steps(steps: i64) -> Self {
        Self(steps)
    }

    pub fn steps(self) -> i64 {
        self.0
    }

    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// # Errors
    /// [`Overflow`] when the sum does not fit.
    pub fn plus(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow)
    }

    /// # Errors
    /// [`Overflow`] when the difference does not fit.
    pub fn minus(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
    }

    /// # Errors
    /// [`Overflow`] for the one amount that has no opposite.
    pub fn negated(self) -> Result<Self, Overflow> {
        self.0.checked_neg().map(Self).ok_or(Overflow)
    }

    /// Reads a decimal text in whole units; `decimals` is the unit's. A sign is refused.
    ///
    /// # Errors
    /// [`AmountError`] when the text is no such amount; nothing is rounded.
    pub fn parse(text: &str, decimals: u32) -> Result<Self, AmountError> {
        steps(unsigned(text)?, decimals).map(Self)
    }

    /// Like [`Credits::parse`], but a leading minus is read.
    ///
    /// # Errors
    /// [`AmountError`] when the text is no such amount.
    pub fn parse_signed(text: &str, decimals: u32) -> Result<Self, AmountError> {
        steps(strict(text)?, decimals).map(Self)
    }

    /// The amount in whole units, without trailing zeros behind the point: `150`, `99.99`.
    pub fn text(self, decimals: u32) -> String {
        Decimal::from_i128_with_scale(i128::from(self.0), decimals).normalize().to_string()
    }
}

impl Number {
    pub const ONE: Self = Self(Decimal::ONE);

    /// # Errors
    /// [`AmountError`] when the text is negative, no number, or finer than nine decimals.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let value = unsigned(text)?;
        if value.scale() > NUMBER_DECIMALS_MAX {
            return Err(AmountError::TooManyDecimals { allowed: NUMBER_DECIMALS_MAX });
        }
        Ok(Self(value.normalize()))
    }

    /// A whole number, as a JSON integer gives it.
    ///
    /// # Errors
    /// [`AmountError`] when it is negative or has more than 15 digits.
    pub fn whole(value: i64) -> Result<Self, AmountError> {
        Self::parse(&value.to_string())
    }

    /// From a column that a [`Number`] was written to.
    pub fn from_decimal(value: Decimal) -> Self {
        Self(value.normalize())
    }

    /// The number as an amount of a unit with `decimals`.
    ///
    /// # Errors
    /// [`AmountError`] when it is finer than the unit's step or too large.
    pub fn credits(self, decimals: u32) -> Result<Credits, AmountError> {
        steps(self.0, decimals).map(Credits)
    }

    pub fn decimal(self) -> Decimal {
        self.0
    }

    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Digits without the point, and how many of them stand behind it.
    pub fn parts(self) -> (i128, u32) {
        (self.0.mantissa(), self.0.scale())
    }

    /// The number in billionths, the finest that it can have.
    ///
    /// # Errors
    /// [`Overflow`] when it does not fit.
    pub fn billionths(self) -> Result<i128, Overflow> {
        let (digits, scale) = self.parts();
        let missing = NUMBER_DECIMALS_MAX.checked_sub(scale).ok_or(Overflow)?;
        digits.checked_mul(power_of_ten(missing)?).ok_or(Overflow)
    }

    /// Rate × quantity in steps of a unit with `decimals`, rounded once, half away from zero
    /// (semantics 2.3).
    ///
    /// # Errors
    /// [`Overflow`] when the product does not fit.
    pub fn times(self, quantity: Self, decimals: u32) -> Result<Credits, Overflow> {
        let ((left, left_scale), (right, right_scale)) = (self.parts(), quantity.parts());
        let product = left.checked_mul(right).ok_or(Overflow)?;
        let scale = left_scale.checked_add(right_scale).ok_or(Overflow)?;
        scaled(product, scale, decimals)
    }

    /// This rate × `minor` units of money with `exponent` decimals, in steps of a unit with
    /// `decimals`, rounded once, half away from zero.
    ///
    /// # Errors
    /// [`Overflow`] when the product does not fit.
    pub fn times_money(
        self,
        minor: i64,
        exponent: u32,
        decimals: u32,
    ) -> Result<Credits, Overflow> {
        let (rate, rate_scale) = self.parts();
        let product = rate.checked_mul(i128::from(minor)).ok_or(Overflow)?;
        scaled(product, rate_scale.checked_add(exponent).ok_or(Overflow)?, decimals)
    }

    /// The number as text, without trailing zeros.
    pub fn text(self) -> String {
        self.0.to_string()
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// `numerator ÷ denominator`, rounded half away from zero. The only rounding in the books.
///
/// # Errors
/// [`Overflow`] when the denominator is zero or the result does not fit.
pub fn divided(numerator: i128, denominator: i128) -> Result<i128, Overflow> {
    let twice = numerator.checked_mul(2).ok_or(Overflow)?;
    let half = match (numerator < 0) == (denominator < 0) {
        true => denominator,
        false => denominator.checked_neg().ok_or(Overflow)?,
    };
    let moved = twice.checked_add(half).ok_or(Overflow)?;
    moved.checked_div(denominator.checked_mul(2).ok_or(Overflow)?).ok_or(Overflow)
}

fn scaled(product: i128, scale: u32, decimals: u32) -> Result<Credits, Overflow> {
    let steps = match scale.checked_sub(decimals) {
        Some(drop) => divided(product, power_of_ten(drop)?)?,
        None => product.checked_mul(power_of_ten(decimals.abs_diff(scale))?).ok_or(Overflow)?,
    };
    i64::try_from(steps).map(Credits).map_err(|_| Overflow)
}

fn power_of_ten(exponent: u32) -> Result<i128, Overflow> {
    10_i128.checked_pow(exponent).ok_or(Overflow)
}

/// A decimal in steps of `10^-decimals`, refusing what does not fit exactly.
pub(crate) fn steps(value: Decimal, decimals: u32) -> Result<i64, AmountError> {
    let Some(missing) = decimals.checked_sub(value.scale()) else {
        return Err(AmountError::TooManyDecimals { allowed: decimals });
    };
    power_of_ten(missing)
        .ok()
        .and_then(|factor| value.mantissa().checked_mul(factor))
        .and_then(|steps| i64::try_from(steps).ok())
        .ok_or(AmountError::TooManyDigits)
}

/// A non-negative decimal, by the strict grammar of semantics 2.1.
pub(crate) fn unsigned(text: &str) -> Result<Decimal, AmountError> {
    match strict(text)? {
        value if value.is_sign_negative() && !value.is_zero() => Err(AmountError::Negative),
        _ if text.starts_with('-') => Err(AmountError::Negative),
        value => Ok(value),
    }
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?` with at most 15 digits before the point, and nothing else:
/// `Decimal`'s own parser takes `1_000`, `+1` and rounds past 28 digits.
fn strict(text: &str) -> Result<Decimal, AmountError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return Err(AmountError::NotANumber);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(AmountError::NotANumber);
    }
    if whole.len() > INTEGER_DIGITS_MAX {
        return Err(AmountError::TooManyDigits);
    }
    if fraction.is_some_and(|fraction| fraction.len() > 12) {
        return Err(AmountError::TooManyDecimals { allowed: NUMBER_DECIMALS_MAX });
    }
    Decimal::from_str_exact(text).map_err(|_| AmountError::NotANumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn an_amount_is_read_exactly_or_refused_2_1() {
        assert_eq!(Credits::parse("150", 2), Ok(Credits(15_000)));
        assert_eq!(Credits::parse("99.9", 2), Ok(Credits(9_990)));
        assert_eq!(Credits::parse("0.00", 2), Ok(Credits(0)));
        for text in ["", "+1", "1e3", "1_000", ".5", "5.", "01", "NaN", " 1", "1,5", "٣"] {
            assert_eq!(Credits::parse(text, 2), Err(AmountError::NotANumber), "{text}");
        }
        assert_eq!(Credits::parse("-1", 2), Err(AmountError::Negative));
        assert_eq!(Credits::parse("-0", 2), Err(AmountError::Negative));
        assert_eq!(Credits::parse("1.234", 2), Err(AmountError::TooManyDecimals { allowed: 2 }));
        assert_eq!(Credits::parse("999999999999999", 2), Ok(Credits(99_999_999_999_999_900)));
        assert_eq!(Credits::parse("1000000000000000", 0), Err(AmountError::TooManyDigits));
        assert_eq!(Credits::parse("999999999999999", 9), Err(AmountError::TooManyDigits));
    }

    #[test]
    fn an_amount_is_printed_without_trailing_zeros() {
        assert_eq!(Credits(15_000).text(2), "150");
        assert_eq!(Credits(-1).text(2), "-0.01");
        assert_eq!(Credits(0).text(2), "0");
    }

    #[test]
    fn a_price_is_rounded_once_half_away_from_zero_2_3() {
        assert_eq!(number("0.01").times(number("1"), 2), Ok(Credits(1)));
        assert_eq!(number("0.001").times(number("5"), 2), Ok(Credits(1)));
        assert_eq!(number("0.001").times(number("4.999999999"), 2), Ok(Credits(0)));
        assert_eq!(number("2").times(number("3"), 9), Ok(Credits(6_000_000_000)));
        assert_eq!(number("999999999999999").times(number("999999999999999"), 0), Err(Overflow));
        assert_eq!(number("1.5").times_money(10_001, 2, 2), Ok(Credits(15_002)));
        assert_eq!(divided(5, 10), Ok(1));
        assert_eq!(divided(-5, 10), Ok(-1));
        assert_eq!(divided(4, 10), Ok(0));
        assert_eq!(divided(1, 0), Err(Overflow));
    }
}
