//! Money is only recorded, for revenue and cost basis: a currency and whole minor units.

use rust_decimal::Decimal;

use super::amount::{AmountError, steps, unsigned};

/// An ISO 4217 currency with its own minor unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

/// An amount of one currency in its minor units (cents).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Money {
    pub currency: Currency,
    pub minor: i64,
}

/// Money as an event stated it. Without a currency, how many minor units it is can only be said
/// once the purchase is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatedMoney {
    /// Major units, as a decimal text had them.
    Major(MajorUnits),
    Minor(i64),
}

/// A non-negative decimal of major units, normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MajorUnits(Decimal);

/// Active ISO 4217 codes by the number of their minor digits, each list sorted, every code followed
/// by one blank.
const EXPONENTS: [(u8, &str); 4] = [
    (2, TWO_DIGITS),
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "),
    (3, "BHD IQD JOD KWD LYD OMR TND "),
    (4, "CLF UYW "),
];

/// The active ISO 4217 codes with two minor digits.
const TWO_DIGITS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV \
    BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN \
    ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR \
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN \
    NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP \
    SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES \
    WST XCD XCG YER ZAR ZMW ZWG ";

impl Currency {
    /// Looks a code up; `None` when ISO 4217 has no such active currency.
    pub fn of(code: &str) -> Option<Self> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        let (exponent, _) = EXPONENTS.iter().find(|(_, list)| is_listed(list, code))?;
        Some(Self { code, exponent: *exponent })
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("???")
    }

    /// How many digits the minor unit has behind the point.
    pub fn exponent(&self) -> u32 {
        u32::from(self.exponent)
    }
}

/// Every lot that is loaded asks this, so it reads no more of a list than it must.
fn is_listed(list: &str, code: [u8; 3]) -> bool {
    let (codes, _) = list.as_bytes().as_chunks::<4>();
    codes.binary_search_by(|[first, second, third, _]| [*first, *second, *third].cmp(&code)).is_ok()
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::of(&code).ok_or_else(|| serde::de::Error::custom("no currency"))
    }
}

impl Money {
    /// The amount in major units with all the currency's digits: `19.90`.
    pub fn text(&self) -> String {
        Decimal::from_i128_with_scale(i128::from(self.minor), self.currency.exponent()).to_string()
    }
}

impl StatedMoney {
    /// # Errors
    /// [`AmountError`] when the text is no non-negative amount of money.
    pub fn major(text: &str) -> Result<Self, AmountError> {
        unsigned(text).map(|value| Self::Major(MajorUnits(value)))
    }

    /// In minor units of `currency`.
    ///
    /// # Errors
    /// [`AmountError`] when it has more decimals than the currency.
    pub fn minor_units(self, currency: Currency) -> Result<i64, AmountError> {
        match self {
            Self::Major(MajorUnits(value)) => steps(value, currency.exponent()),
            Self::Minor(minor) => Ok(minor),
        }
    }

    /// Whether both may be the same money, in a currency that nobody has named yet.
    pub fn may_be(self, other: Self) -> bool {
        match (self, other) {
            (Self::Major(MajorUnits(major)), Self::Minor(minor))
            | (Self::Minor(minor), Self::Major(MajorUnits(major))) => {
                [0, 2, 3, 4].into_iter().any(|exponent| steps(major, exponent) == Ok(minor))
            }
            (mine, theirs) => mine == theirs,
        }
    }

    /// The amount as a normal form in which equal numbers are equal texts.
    pub fn text(self) -> String {
        match self {
            Self::Major(MajorUnits(value)) => value.normalize().to_string(),
            Self::Minor(minor) => format!("{minor} minor"),
        }
    }
}

impl serde::Serialize for MajorUnits {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for MajorUnits {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        unsigned(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_have_their_own_minor_unit() {
        let exponent = |code| Currency::of(code).map(|currency| currency.exponent());
        assert_eq!(exponent("USD"), Some(2));
        assert_eq!(exponent("JPY"), Some(0));
        assert_eq!(exponent("KWD"), Some(3));
        assert_eq!(exponent("CLF"), Some(4));
        assert_eq!(exponent("usd"), None);
        assert_eq!(exponent("XYZ"), None);
        assert_eq!(exponent("USD EUR"), None);
    }

    #[test]
    fn every_listed_currency_is_found_2_1() {
        for (exponent, list) in EXPONENTS {
            for code in list.split_ascii_whitespace() {
                let found = Currency::of(code).map(|currency| (currency.exponent, currency.code));
                assert_eq!(found, Some((exponent, code.as_bytes().try_into().unwrap())), "{code}");
            }
        }
    }

    #[test]
    fn money_finer_than_its_currency_is_refused_2_1() {
        let usd = Currency::of("USD").unwrap();
        let jpy = Currency::of("JPY").unwrap();
        let stated = StatedMoney::major("19.99").unwrap();

        assert_eq!(stated.minor_units(usd), Ok(1999));
        assert_eq!(stated.minor_units(jpy), Err(AmountError::TooManyDecimals { allowed: 0 }));
        assert_eq!(StatedMoney::Minor(1999).minor_units(jpy), Ok(1999));
        assert_eq!(StatedMoney::major("-1"), Err(AmountError::Negative));
        assert_eq!(Money { currency: usd, minor: 1990 }.text(), "19.90");
    }
}
