//! A kind of credit: what it is called, how fine it is, and when its balance is worth a word.

use jiff::SignedDuration;

use crate::ledger::{Credits, Name, Watch, WhenShort};
use crate::mistake::nearest;

use super::display::{Format, Link, Names, TemplateError};
use super::reader::{Fields, Keys};

/// One unit of the catalog.
#[derive(Clone, Debug)]
pub struct Unit {
    pub code: Name,
    /// For people: `credits`.
    pub name: String,
    /// For people: `$`; empty when it has none.
    pub symbol: String,
    pub format: Format,
    /// How many decimals its smallest step has, 0 to 9.
    pub decimals: u8,
    /// Whether usage may name the unit and its credits instead of a meter (semantics 5.1).
    pub direct_usage: bool,
    /// For direct usage.
    pub when_short: WhenShort,
    /// Highest first.
    pub low_balance: Vec<Credits>,
    pub recovered_at: Option<Credits>,
    /// How long before a lot's time is over its account is told; `None`: not at all.
    pub expiring_notice: Option<SignedDuration>,
    /// The template, as it is written.
    pub topup_url: Option<String>,
    topup_link: Option<Link>,
}

pub(super) const KEYS: Keys = &[
    "name",
    "symbol",
    "format",
    "decimals",
    "direct_usage",
    "when_short",
    "low_balance",
    "recovered_at",
    "topup_url",
    "expiring_notice",
];

pub(super) const WHEN_SHORT: [(&str, WhenShort); 3] = [
    ("overdraft", WhenShort::Overdraft),
    ("partial", WhenShort::Partial),
    ("decline", WhenShort::Decline),
];

pub(super) const DECIMALS_MAX: u8 = 9;

const CODE_LENGTH_MAX: usize = 16;

impl Unit {
    /// The amount as the unit's `format` writes it: `1,000 credits`, `$60.00`. All decimals are
    /// shown where the format shows a symbol, else zeros at the end are left out.
    pub fn display(&self, credits: Credits) -> String {
        let names = Names {
            code: &self.code,
            name: &self.name,
            symbol: &self.symbol,
            decimals: self.decimals,
        };
        self.format.write(credits, names)
    }

    /// Where this account buys more of this unit; `None` when the unit says no place.
    pub fn topup_link(&self, account: &str) -> Option<String> {
        self.topup_link.as_ref().map(|link| link.fill(account, &self.code))
    }

    pub(super) fn watch(&self, notify_interval: SignedDuration) -> Watch {
        Watch {
            thresholds: self.low_balance.clone(),
            recovered_at: self.recovered_at,
            notify_interval,
            expiring_notice: self.expiring_notice,
        }
    }

    /// `None` when it has no decimals, without which none of its amounts can be read.
    pub(super) fn read(code: &str, fields: &Fields<'_, '_>) -> Option<Self> {
        refuse_code(code, fields);
        fields.missing("decimals", "write how many decimals its smallest step has, 0 to 9");
        let decimals =
            fields.integer("decimals", 0..=9).and_then(|number| u8::try_from(number).ok());
        let topup_url = fields.text("topup_url");
        let direct_usage = fields.flag("direct_usage", false);
        if !direct_usage {
            fields.warn_without_effect(&["when_short"], "direct_usage is false");
        }
        // Without decimals the amounts are still checked, as if of the finest unit.
        let scale = decimals.unwrap_or(DECIMALS_MAX);
        let mut low_balance = fields.credits_list("low_balance", scale).unwrap_or_default();
        low_balance.sort_unstable_by(|left, right| right.cmp(left));
        let unit = Self {
            code: code.into(),
            name: fields.name("name").map_or(code.to_owned(), |name| name.value.to_string()),
            symbol: symbol(fields),
            format: format(fields).unwrap_or_default(),
            decimals: scale,
            direct_usage,
            when_short: fields.choice("when_short", &WHEN_SHORT).unwrap_or(WhenShort::Overdraft),
            low_balance,
            recovered_at: fields.credits("recovered_at", scale),
            expiring_notice: fields.duration("expiring_notice"),
            topup_url: topup_url.map(|url| url.value.to_owned()),
            topup_link: topup_url.and_then(|url| link(fields, url.value)),
        };
        decimals.map(|_| unit)
    }
}

fn refuse_code(code: &str, fields: &Fields<'_, '_>) {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=CODE_LENGTH_MAX).contains(&code.len()) && code.bytes().all(is_plain) {
        return;
    }
    let problem = format!("{code:?} is no unit code");
    let remedy = "write 1 to 16 of A to Z, 0 to 9 and _, such as \"CRD\"";
    fields.report().mistake(fields.at(), "units", problem, remedy);
}

fn symbol(fields: &Fields<'_, '_>) -> String {
    let Some(text) = fields.text("symbol") else { return String::new() };
    if text.value.is_empty() {
        return String::new();
    }
    let name = fields.name("symbol");
    name.map(|name| name.value.to_string()).unwrap_or_default()
}

fn format(fields: &Fields<'_, '_>) -> Option<Format> {
    let text = fields.name("format")?;
    let placeholders = ["amount", "name", "symbol", "code"];
    match Format::parse(&text.value) {
        Ok(format) => Some(format),
        Err(error) => {
            let remedy = template_remedy(&error, &placeholders);
            fields.wrong("format", error.to_string(), remedy);
            None
        }
    }
}

fn link(fields: &Fields<'_, '_>, url: &str) -> Option<Link> {
    if url.is_empty() || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let remedy = "write an address without spaces, such as \"https://example.com/{account}\"";
        fields.wrong("topup_url", format!("{url:?} is no address"), remedy);
        return None;
    }
    match Link::parse(url) {
        Ok(link) => Some(link),
        Err(error) => {
            fields.wrong(
                "topup_url",
                error.to_string(),
                template_remedy(&error, &["account", "unit"]),
            );
            None
        }
    }
}

fn template_remedy(error: &TemplateError, known: &[&str]) -> String {
    let all = || known.iter().map(|word| format!("{{{word}}}")).collect::<Vec<_>>().join(", ");
    match error {
        TemplateError::Brace => format!("braces are only for {}", all()),
        TemplateError::NoAmount => "write {amount} where the amount belongs".to_owned(),
        TemplateError::Unknown(word) => match nearest(word, known.iter().copied()) {
            Some(meant) => format!("did you mean {{{meant}}}?"),
            None => format!("known here: {}", all()),
        },
    }
}
