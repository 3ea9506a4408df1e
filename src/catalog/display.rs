//! Text for people: amounts as a unit's `format` writes them (semantics 8.2), and links made from
//! a template (8.4).

use crate::ledger::Credits;

/// How a unit's amounts are written: a text with `{amount}`, `{name}`, `{symbol}`, `{code}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format(Vec<Piece<Word>>);

/// A text with `{account}` and `{unit}`, percent-encoded where they are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link(Vec<Piece<LinkWord>>);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("has a brace without its partner")]
    Brace,
    #[error("has the unknown placeholder {{{0}}}")]
    Unknown(String),
    #[error("has no {{amount}} in it")]
    NoAmount,
}

/// What a unit's placeholders stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'u> {
    pub(super) code: &'u str,
    pub(super) name: &'u str,
    pub(super) symbol: &'u str,
    pub(super) decimals: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<W> {
    Text(String),
    Word(W),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Amount,
    Name,
    Symbol,
    Code,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkWord {
    Account,
    Unit,
}

const WORDS: [(&str, Word); 4] = [
    ("amount", Word::Amount),
    ("name", Word::Name),
    ("symbol", Word::Symbol),
    ("code", Word::Code),
];

const LINK_WORDS: [(&str, LinkWord); 2] =
    [("account", LinkWord::Account), ("unit", LinkWord::Unit)];

impl Format {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let pieces = pieces(text, &WORDS)?;
        match pieces.contains(&Piece::Word(Word::Amount)) {
            true => Ok(Self(pieces)),
            false => Err(TemplateError::NoAmount),
        }
    }

    /// Digits are grouped in thousands. Where the format shows the unit's symbol, the amount is
    /// written like money, with all the unit's decimals (`$60.00`); elsewhere zeros at the end
    /// are left out (`1,000 credits`, `1.5 hours`). A minus stands before the symbol if that
    /// stands directly before the amount (`-$5.00`), else before the amount.
    pub(super) fn write(&self, credits: Credits, names: Names<'_>) -> String {
        let is_money = !names.symbol.is_empty() && self.0.contains(&Piece::Word(Word::Symbol));
        let digits = digits(credits, usize::from(names.decimals), is_money);
        let mut is_signed = !credits.is_negative();
        let mut text = String::new();
        for (index, piece) in self.0.iter().enumerate() {
            let next = index.checked_add(1).and_then(|next| self.0.get(next));
            let leads = *piece == Piece::Word(Word::Symbol) && is_amount(next);
            if !is_signed && (leads || is_amount(Some(piece))) {
                text.push('-');
                is_signed = true;
            }
            text.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Word(Word::Amount) => &digits,
                Piece::Word(Word::Name) => names.name,
                Piece::Word(Word::Symbol) => names.symbol,
                Piece::Word(Word::Code) => names.code,
            });
        }
        text
    }
}

impl Default for Format {
    /// `{amount} {name}`.
    fn default() -> Self {
        let space = Piece::Text(" ".to_owned());
        Self(vec![Piece::Word(Word::Amount), space, Piece::Word(Word::Name)])
    }
}

impl Link {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        pieces(text, &LINK_WORDS).map(Self)
    }

    pub(super) fn fill(&self, account: &str, unit: &str) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Word(LinkWord::Account) => percent_encode(account, &mut text),
                Piece::Word(LinkWord::Unit) => percent_encode(unit, &mut text),
            }
        }
        text
    }
}

fn is_amount(piece: Option<&Piece<Word>>) -> bool {
    piece == Some(&Piece::Word(Word::Amount))
}

fn pieces<W: Copy>(text: &str, words: &[(&str, W)]) -> Result<Vec<Piece<W>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').ok_or(TemplateError::Brace)?;
        if before.contains('}') || word.contains('{') {
            return Err(TemplateError::Brace);
        }
        let known = words.iter().find(|(known, _)| *known == word);
        let (_, known) = known.ok_or_else(|| TemplateError::Unknown(word.to_owned()))?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Word(*known));
        rest = after;
    }
    if rest.contains('}') {
        return Err(TemplateError::Brace);
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// The amount without its sign, grouped in thousands.
fn digits(credits: Credits, decimals: usize, with_all_decimals: bool) -> String {
    let width = decimals.saturating_add(1);
    let steps = format!("{:0>width$}", credits.steps().unsigned_abs());
    let (whole, fraction) = steps.split_at(steps.len().saturating_sub(decimals));
    let fraction = match with_all_decimals {
        true => fraction,
        false => fraction.trim_end_matches('0'),
    };
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && whole.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// RFC 3986: everything but unreserved characters.
fn percent_encode(value: &str, text: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(format: &str, symbol: &str, decimals: u8, steps: i64) -> String {
        let names = Names { code: "CRD", name: "credits", symbol, decimals };
        Format::parse(format).unwrap().write(Credits::from_steps(steps), names)
    }

    #[test]
    fn credits_are_grouped_and_lose_their_trailing_zeros_8_2() {
        assert_eq!(shown("{amount} {name}", "", 2, 100_000), "1,000 credits");
        assert_eq!(shown("{amount} {name}", "", 0, 999), "999 credits");
        assert_eq!(shown("{amount} {name}", "", 2, 150), "1.5 credits");
        assert_eq!(shown("{amount} {name}", "", 2, 1), "0.01 credits");
        assert_eq!(shown("{amount} {name}", "", 0, 0), "0 credits");
        assert_eq!(shown("{amount} {code}", "", 9, 1_234_567_000_000_000), "1,234,567 CRD");
    }

    #[test]
    fn money_shows_all_its_decimals_8_2() {
        assert_eq!(shown("{symbol}{amount}", "$", 2, 6_000), "$60.00");
        assert_eq!(shown("{amount} {symbol}", "€", 2, 123_456_750), "1,234,567.50 €");
        assert_eq!(shown("{symbol}{amount}", "¥", 0, 1_000), "¥1,000");
    }

    #[test]
    fn a_format_whose_symbol_is_empty_is_not_money_8_2() {
        assert_eq!(shown("{symbol}{amount} {name}", "", 2, 6_000), "60 credits");
    }

    #[test]
    fn a_minus_stands_before_a_leading_symbol_8_2() {
        assert_eq!(shown("{symbol}{amount}", "$", 2, -500), "-$5.00");
        assert_eq!(shown("you have {amount} {name}", "", 2, -500), "you have -5 credits");
        assert_eq!(shown("{symbol} {amount}", "$", 2, -500), "$ -5.00");
        assert_eq!(shown("{amount}", "", 0, i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn a_format_must_show_the_amount_and_know_its_placeholders() {
        assert_eq!(Format::parse("{name}"), Err(TemplateError::NoAmount));
        assert_eq!(Format::parse("{amont}"), Err(TemplateError::Unknown("amont".to_owned())));
        for text in ["{amount", "amount}", "{amount} }", "{{amount}}", "} {amount}"] {
            assert_eq!(Format::parse(text), Err(TemplateError::Brace), "{text}");
        }
    }

    #[test]
    fn a_link_encodes_what_it_is_filled_with_8_4() {
        let link = Link::parse("https://pay.example/{account}?unit={unit}").unwrap();

        assert_eq!(
            link.fill("acme/ü & co?", "CRD"),
            "https://pay.example/acme%2F%C3%BC%20%26%20co%3F?unit=CRD"
        );
        assert_eq!(
            Link::parse("https://pay.example").unwrap().fill("a", "b"),
            "https://pay.example"
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_amount(steps: i64, decimals in 0_u8..=9) {
            let text = shown("{amount}", "", decimals, steps).replace(',', "");

            prop_assert_eq!(text, Credits::from_steps(steps).text(u32::from(decimals)));
        }

        #[test]
        fn a_filled_link_holds_only_safe_characters(account: String) {
            let text = Link::parse("{account}").unwrap().fill(&account, "");

            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        }
    }
}
