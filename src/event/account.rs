//! `account.updated`. The one event in which a member that is null says something else than one
//! that is missing: back to what the catalog says.

use jiff::SignedDuration;

use super::Context;
use super::fields::Fields;
use super::meaning::Meaning;
use crate::catalog::Catalog;
use crate::ledger::{
    AccountKind, AccountUpdate, Command, Credits, Currency, Money, Name, Number, Reason, Rejection,
    Said, TopUp, UnitUpdate,
};

pub(super) const KIND: &str = "account.updated";

const UNITS_MAX: usize = 50;
const THRESHOLDS_MAX: usize = 20;

pub(super) struct AccountUpdated {
    account: Name,
    kind: Option<AccountKind>,
    name: Said<Name>,
    /// By code.
    units: Vec<(Name, UnitSaid)>,
}

/// What the event says of one unit, before the catalog tells how fine its amounts are.
struct UnitSaid {
    /// Highest first, each once.
    low_balance: Said<Vec<Number>>,
    recovered_at: Said<Number>,
    overdraft_limit: Said<Number>,
    topup: Said<TopUpSaid>,
    opening_balance: Option<Number>,
}

struct TopUpSaid {
    below: Number,
    package: Name,
    quantity: Number,
    deadline: Option<SignedDuration>,
    retry_after: Option<SignedDuration>,
    max_count: Option<u32>,
    max_money: Option<Money>,
}

impl AccountUpdated {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let kind = match data.text("kind")? {
            // The kind of whoever says none.
            None => data.is_null("kind").then(AccountKind::default),
            Some(code) => {
                let kind = AccountKind::from_code(&code);
                Some(kind.ok_or_else(|| data.wrong("kind", "is neither member nor company"))?)
            }
        };
        let mut units = Vec::new();
        for (unit, fields) in data.members("units", UNITS_MAX)? {
            units.push((unit, UnitSaid::read(&fields)?));
        }
        units.sort_by(|(left, _), (right, _)| left.cmp(right));
        let name = said(data, "name", Fields::text)?;
        Ok(Self { account: context.account(data)?, kind, name, units })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        meaning.text(&self.account);
        match self.kind {
            Some(kind) => meaning.text(kind.code()),
            None => meaning.nothing(),
        };
        mean(&mut meaning, &self.name, |meaning, name| {
            meaning.text(name);
        });
        meaning.count(self.units.len());
        for (unit, said) in &self.units {
            meaning.text(unit);
            said.mean(&mut meaning);
        }
        meaning
    }

    pub(super) fn command(self, catalog: &Catalog) -> Result<Command, Rejection> {
        let mut units = Vec::with_capacity(self.units.len());
        for (unit, said) in self.units {
            let update = said.update(&unit, catalog)?;
            units.push((unit, update));
        }
        Ok(Command::Update(Box::new(AccountUpdate {
            account: self.account,
            kind: self.kind,
            name: self.name,
            units,
        })))
    }
}

impl UnitSaid {
    fn read(fields: &Fields<'_>) -> Result<Self, Rejection> {
        let mut low_balance =
            said(fields, "low_balance", |fields, member| fields.numbers(member, THRESHOLDS_MAX))?;
        if let Said::Value(lines) = &mut low_balance {
            lines.sort_unstable_by(|left, right| right.cmp(left));
            lines.dedup();
        }
        Ok(Self {
            low_balance,
            recovered_at: said(fields, "recovered_at", Fields::number)?,
            overdraft_limit: said(fields, "overdraft_limit", Fields::number)?,
            topup: said(fields, "topup", |fields, member| {
                fields.object(member)?.map(|topup| TopUpSaid::read(&topup)).transpose()
            })?,
            opening_balance: fields.number("opening_balance")?,
        })
    }

    fn mean(&self, meaning: &mut Meaning) {
        mean(meaning, &self.low_balance, |meaning, lines| {
            meaning.count(lines.len());
            for line in lines {
                meaning.number(*line);
            }
        });
        for amount in [&self.recovered_at, &self.overdraft_limit] {
            mean(meaning, amount, |meaning, amount| {
                meaning.number(*amount);
            });
        }
        mean(meaning, &self.topup, |meaning, topup| topup.mean(meaning));
        match self.opening_balance {
            Some(amount) => meaning.number(amount),
            None => meaning.nothing(),
        };
    }

    fn update(self, unit: &Name, catalog: &Catalog) -> Result<UnitUpdate, Rejection> {
        let Some(found) = catalog.unit(unit) else {
            return Err(Reason::UnknownUnit.because(format!("no unit {unit:?}")));
        };
        let decimals = u32::from(found.decimals);
        let credits = |member: &str, amount: Number| {
            amount.credits(decimals).map_err(|error| {
                Reason::Malformed.because(format!("data.units.{unit}.{member} {error}"))
            })
        };
        let lines = |lines: Vec<Number>| {
            let lines = lines.into_iter().map(|line| credits("low_balance", line));
            lines.collect::<Result<Vec<Credits>, _>>()
        };
        let topup = |topup: TopUpSaid| -> Result<TopUp, Rejection> {
            let below = credits("topup.below", topup.below)?;
            let topup = topup.settings(below);
            catalog.check_topup(unit, &topup)?;
            Ok(topup)
        };
        Ok(UnitUpdate {
            low_balance: self.low_balance.try_map(lines)?,
            recovered_at: self.recovered_at.try_map(|amount| credits("recovered_at", amount))?,
            overdraft_limit: self
                .overdraft_limit
                .try_map(|amount| credits("overdraft_limit", amount))?,
            topup: self.topup.try_map(topup)?,
            opening_balance: self
                .opening_balance
                .map(|amount| credits("opening_balance", amount))
                .transpose()?,
        })
    }
}

impl TopUpSaid {
    fn read(fields: &Fields<'_>) -> Result<Self, Rejection> {
        let quantity = fields.number("quantity")?.unwrap_or(Number::ONE);
        if quantity.is_zero() {
            return Err(fields.wrong("quantity", "is 0, must be greater"));
        }
        let money = fields.object("max_money")?;
        Ok(Self {
            below: fields.number("below")?.ok_or_else(|| fields.missing("below"))?,
            package: fields.required_text("package")?,
            quantity,
            deadline: fields.duration("deadline")?,
            retry_after: fields.duration("retry_after")?,
            max_count: fields.whole("max_count")?,
            max_money: money.map(|money| max_money(&money)).transpose()?,
        })
    }

    fn mean(&self, meaning: &mut Meaning) {
        meaning.number(self.below).text(&self.package).number(self.quantity);
        for duration in [self.deadline, self.retry_after] {
            meaning.maybe_integer(duration.map(|duration| duration.as_secs()));
            meaning.maybe_integer(duration.map(|duration| duration.subsec_nanos().into()));
        }
        meaning.maybe_integer(self.max_count.map(i64::from));
        match &self.max_money {
            Some(money) => meaning.text(money.currency.code()).integer(money.minor),
            None => meaning.nothing(),
        };
    }

    fn settings(self, below: Credits) -> TopUp {
        let Self { package, quantity, deadline, retry_after, max_count, max_money, .. } = self;
        TopUp { below, package, quantity, deadline, retry_after, max_count, max_money }
    }
}

fn max_money(fields: &Fields<'_>) -> Result<Money, Rejection> {
    let currency: Currency =
        fields.currency("currency")?.ok_or_else(|| fields.missing("currency"))?;
    let minor = fields.minor_units("amount", currency)?.ok_or_else(|| fields.missing("amount"))?;
    Ok(Money { currency, minor })
}

/// Reads a member of which null says something.
fn said<'a, T>(
    fields: &Fields<'a>,
    member: &str,
    read: impl FnOnce(&Fields<'a>, &str) -> Result<Option<T>, Rejection>,
) -> Result<Said<T>, Rejection> {
    Ok(match read(fields, member)? {
        Some(value) => Said::Value(value),
        None if fields.is_null(member) => Said::Default,
        None => Said::Nothing,
    })
}

fn mean<T>(meaning: &mut Meaning, said: &Said<T>, value: impl FnOnce(&mut Meaning, &T)) {
    match said {
        Said::Nothing => {
            meaning.nothing();
        }
        Said::Default => {
            meaning.flag(false);
        }
        Said::Value(known) => {
            meaning.flag(true);
            value(meaning, known);
        }
    }
}
