//! A book in memory and a few words to move it: the one place here that knows the ledger's API.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use creditd::ledger::*;

pub const UNIT: &str = "CRD";

pub fn name(text: &str) -> Name {
    Name::from(text)
}

pub fn credits(steps: i64) -> Credits {
    Credits::from_steps(steps)
}

pub fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + minute * 60).unwrap()
}

/// A package that grants `credits` in mode add and takes spent credits as debt, unless changed.
#[derive(Clone, Debug)]
pub struct Package {
    pub terms: Terms,
    pub credits: i64,
    pub kinds: Vec<AccountKind>,
}

pub fn package(id: &str, credits: i64) -> Package {
    let terms = Terms {
        package: name(id),
        catalog_hash: name("test"),
        unit: name(UNIT),
        decimals: 2,
        family: name(id),
        mode: Mode::Add,
        promotional: false,
        priority: 50,
        applies_to: Vec::new(),
        when_spent: WhenSpent::Debt,
        refundable: true,
    };
    Package { terms, credits, kinds: Vec::new() }
}

impl Package {
    pub fn when_spent(mut self, when_spent: WhenSpent) -> Self {
        self.terms.when_spent = when_spent;
        self
    }

    pub fn final_sale(mut self) -> Self {
        self.terms.refundable = false;
        self
    }

    pub fn promotional(mut self) -> Self {
        self.terms.promotional = true;
        self
    }

    pub fn priority(mut self, priority: i16) -> Self {
        self.terms.priority = priority;
        self
    }

    pub fn for_meters(mut self, meters: &[&str]) -> Self {
        self.terms.applies_to = meters.iter().map(|meter| name(meter)).collect();
        self
    }

    pub fn only(mut self, kind: AccountKind) -> Self {
        self.kinds = vec![kind];
        self
    }

    pub fn reset(self, family: &str) -> Self {
        self.reset_with(family, ResetScope::Family, 0, ResetOverdraft::Repay)
    }

    pub fn reset_with(
        mut self,
        family: &str,
        scope: ResetScope,
        rollover_max_steps: i64,
        overdraft: ResetOverdraft,
    ) -> Self {
        self.terms.family = name(family);
        self.terms.mode = Mode::Reset(Reset { scope, rollover_max_steps, overdraft });
        self
    }
}

/// One line of a payment.
pub fn line(id: &str, paid_minor: i64, package: &Package) -> PaidLine {
    let facts = LineFacts {
        line_id: (!id.is_empty()).then(|| name(id)),
        product: Some(package.terms.package.clone()),
        variant: None,
        quantity: Number::ONE,
        paid_minor,
        credits: None,
        period_end: None,
    };
    let priced = Ok(Pricing::Grants {
        terms: Arc::new(package.terms.clone()),
        credits: credits(package.credits),
        account_kinds: package.kinds.clone(),
    });
    PaidLine { facts, priced }
}

pub fn fee(id: &str, paid_minor: i64) -> PaidLine {
    let mut fee = line(id, paid_minor, &package("fee", 0));
    fee.priced = Ok(Pricing::MoneyOnly { package: name("fee"), account_kinds: Vec::new() });
    fee
}

fn reference(kind: ReferenceKind, value: &str) -> Reference {
    Reference { namespace: name("shop"), kind, value: name(value) }
}

/// `in_1` is an invoice, `pay_1` a payment, `ord_1` an order, anything else another id.
pub fn references(ids: &[&str]) -> Vec<Reference> {
    let mut references: Vec<Reference> = ids
        .iter()
        .map(|id| match id.split('_').next() {
            Some("in") => reference(ReferenceKind::Invoice, id),
            Some("pay") => reference(ReferenceKind::Payment, id),
            Some("ord") => reference(ReferenceKind::Order, id),
            _ => reference(ReferenceKind::Other, id),
        })
        .collect();
    references.sort();
    references
}

pub fn payment(account: &str, ids: &[&str], lines: Vec<PaidLine>) -> Payment {
    Payment {
        account: name(account),
        account_kind: None,
        account_name: None,
        purchased_by: None,
        references: references(ids),
        order_id: None,
        currency: Currency::of("USD").unwrap(),
        lines,
        paid_minor: None,
        paid_at: None,
    }
}

pub fn pay(account: &str, id: &str, paid_minor: i64, package: &Package) -> Command {
    Command::Pay(Box::new(payment(account, &[id], vec![line("l1", paid_minor, package)])))
}

pub fn refund(id: &str, claim: RefundClaim) -> Refund {
    Refund {
        references: references(&[id]),
        order_id: None,
        name: RefundName::Event(EventName { source: name("shop"), id: name("") }),
        currency: None,
        claim,
        status: RefundStatus::Succeeded,
    }
}

pub fn amount(minor: i64) -> RefundClaim {
    RefundClaim::Amount(StatedMoney::Minor(minor))
}

pub fn total(minor: i64) -> RefundClaim {
    RefundClaim::Total(StatedMoney::Minor(minor))
}

pub fn take_back(id: &str, claim: RefundClaim) -> Command {
    Command::Refund(Box::new(refund(id, claim)))
}

pub fn named(mut refund: Refund, id: &str) -> Refund {
    refund.name = RefundName::Id(name(id));
    refund
}

pub fn consume(account: &str, cost: i64) -> Command {
    consume_with(account, cost, "api", WhenShort::Overdraft)
}

pub fn consume_with(account: &str, cost: i64, meter: &str, when_short: WhenShort) -> Command {
    Command::Use(Usage {
        account: name(account),
        unit: name(UNIT),
        meter: Some(name(meter)),
        quantity: Number::ONE,
        cost: credits(cost),
        when_short,
    })
}

/// 16 bytes from any text, unlike for unlike texts.
fn bytes(text: &str) -> [u8; 16] {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, text).hash(&mut hasher);
        hasher.finish().to_be_bytes()
    };
    [half(1), half(2)].concat().try_into().unwrap()
}

/// An event called `id` that asks for `command`; its meaning is the command.
pub fn event(id: &str, command: Command) -> Request {
    let command = match command {
        Command::Refund(mut refund) => {
            if let RefundName::Event(event) = &mut refund.name {
                event.id = name(id);
            }
            Command::Refund(refund)
        }
        other => other,
    };
    let fingerprint = bytes(&format!("{command:?}"));
    Request {
        key: EventKey(bytes(id)),
        conflict_key: EventKey(bytes(&format!("{id}{command:?}"))),
        fingerprint: Fingerprint(fingerprint),
        name: EventName { source: name("shop"), id: name(id) },
        kind: name("test"),
        occurred_at: None,
        traceparent: None,
        asks: Asks::Command(command),
    }
}

/// Balance and overdraft by account and unit; granted and reversed of each purchase's lines.
pub type State = (BTreeMap<String, (i64, i64)>, BTreeMap<String, Vec<(i64, i64)>>);

#[derive(Default)]
pub struct World {
    pub book: Book,
    pub rules: Rules,
    pub minute: i64,
    events: usize,
}

impl World {
    pub fn watching(thresholds: &[i64], recovered_at: Option<i64>) -> Self {
        let watch = Watch {
            thresholds: thresholds.iter().map(|steps| credits(*steps)).collect(),
            recovered_at: recovered_at.map(credits),
        };
        let rules = Rules { units: HashMap::from([(name(UNIT), watch)]) };
        Self { rules, ..Self::default() }
    }

    /// Lets a minute pass and decides an event of its own name; "applied", "parked spent" …
    pub fn does(&mut self, command: Command) -> String {
        self.events += 1;
        let request = event(&format!("e{}", self.events), command);
        self.decides(&request)
    }

    pub fn decides(&mut self, request: &Request) -> String {
        self.minute += 1;
        let record = decide(&mut self.book, &self.rules, request, at(self.minute));
        crate::properties::books_are_right(&self.book);
        match record.verdict.reason() {
            Some(reason) => format!("{} {reason}", record.verdict.outcome()),
            None => record.verdict.outcome().to_owned(),
        }
    }

    pub fn balance(&self, account: &str) -> i64 {
        self.book.balance(account, UNIT).map_or(0, |balance| balance.balance.steps())
    }

    pub fn overdraft(&self, account: &str) -> i64 {
        self.book.balance(account, UNIT).map_or(0, |balance| balance.overdraft.steps())
    }

    /// Open lots in draw order: package and what remains.
    pub fn lots(&self, account: &str) -> Vec<(String, i64)> {
        let Some(balance) = self.book.balance(account, UNIT) else { return Vec::new() };
        let open = balance.lots.iter().filter(|lot| lot.is_open());
        open.map(|lot| (lot.package.to_string(), lot.remaining.steps())).collect()
    }

    /// Kinds and amounts of all entries so far.
    pub fn entries(&self) -> Vec<(&'static str, i64)> {
        let entries = self.book.journal.entries.iter();
        entries.map(|entry| (entry.kind.code(), entry.credits.steps())).collect()
    }

    /// Types of the notices since the last call.
    pub fn told(&mut self) -> Vec<&'static str> {
        let told = std::mem::take(&mut self.book.journal.notices);
        told.iter().map(|notice| notice.tells.kind()).collect()
    }

    /// What the world outside could compare: per account and unit, and per purchase line.
    pub fn state(&self) -> State {
        let mut balances = BTreeMap::new();
        for account in self.book.accounts.values() {
            for balance in account.balances.values() {
                let key = format!("{}/{}", account.name, balance.unit);
                balances.insert(key, (balance.balance.steps(), balance.overdraft.steps()));
            }
        }
        let mut purchases = BTreeMap::new();
        for purchase in self.book.purchases.values() {
            let references: Vec<String> =
                purchase.references.iter().map(ToString::to_string).collect();
            let mut lines: Vec<(i64, i64)> = purchase
                .sale
                .iter()
                .flat_map(|sale| &sale.lines)
                .map(|line| (line.granted.steps(), line.reversed.steps()))
                .collect();
            lines.sort_unstable();
            purchases.insert(references.join(","), lines);
        }
        (balances, purchases)
    }
}
