//! A few words for saying events to the ledger, by hand. The one place in the tests that spells out
//! the ledger's commands; nothing here is read from a wire.
//!
//! Use it with `#[path = "../common/words.rs"] mod words;`.

#![allow(dead_code, reason = "each test crate uses its own part of it")]

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
        available_after: After::default(),
        expires: Expires::Never,
        when_spent: WhenSpent::Debt,
        refundable: true,
        revoke_on_dispute: RevokeOnDispute::Opened,
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

    pub fn revoked_when_lost(mut self) -> Self {
        self.terms.revoke_on_dispute = RevokeOnDispute::Lost;
        self
    }

    /// A reset that gives back what it forfeited when it is fully reversed.
    pub fn restoring(mut self) -> Self {
        if let Mode::Reset(reset) = &mut self.terms.mode {
            reset.restore_forfeited = true;
        }
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

    /// Pending for so many minutes.
    pub fn pending(mut self, minutes: u64) -> Self {
        self.terms.available_after = After { months: 0, millis: minutes * 60_000 };
        self
    }

    /// Expires so many minutes after it was paid.
    pub fn expiring(mut self, minutes: u64) -> Self {
        self.terms.expires = Expires::After(After { months: 0, millis: minutes * 60_000 });
        self
    }

    pub fn family(mut self, family: &str) -> Self {
        self.terms.family = name(family);
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
        self.terms.mode =
            Mode::Reset(Reset { scope, rollover_max_steps, overdraft, restore_forfeited: false });
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
        topup_request: None,
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

pub fn void(id: &str) -> Command {
    take_back(id, RefundClaim::Void)
}

/// A word on the dispute `dispute_id`; without an amount it is about everything.
pub fn dispute(
    id: &str,
    dispute_id: &str,
    status: DisputeStatus,
    minor: impl Into<Option<i64>>,
) -> Command {
    take_back(
        id,
        RefundClaim::Dispute(DisputeReport {
            dispute_id: name(dispute_id),
            status,
            amount: minor.into().map(StatedMoney::Minor),
            said_at: None,
        }),
    )
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

/// Usage of a quantity other than 1.
pub fn consume_quantity(account: &str, quantity: &str, cost: i64) -> Usage {
    Usage {
        account: name(account),
        unit: name(UNIT),
        meter: Some(name("api")),
        quantity: Number::parse(quantity).unwrap(),
        cost: credits(cost),
        when_short: WhenShort::Overdraft,
    }
}

/// A payment that answers a top-up request.
pub fn answering(mut payment: Payment, request: Name) -> Command {
    payment.topup_request = Some(request);
    Command::Pay(Box::new(payment))
}

/// A payment of which nothing can be read but what it answers.
pub fn unread(account: &str, topup_request: Name) -> Command {
    let rejection = Reason::Malformed.because("data.currency is missing");
    let account = name(account);
    Command::Unread(Box::new(UnreadPayment { account, topup_request, rejection }))
}

pub fn fails(account: &str, topup_request: Name) -> Command {
    Command::Fail(PaymentFailure { account: name(account), topup_request })
}

/// What the ledger calls an account's top-up request of that number.
pub fn topup_request(account: &str, number: u64) -> Name {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for part in [account.as_bytes(), UNIT.as_bytes(), &number.to_be_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap().to_be_bytes());
        hash.update(part);
    }
    let digits: String =
        hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    name(&format!("topup-{digits}"))
}

/// Reverses the event called `usage`: a quantity of it, or all.
pub fn unuse(usage: &str, quantity: Option<&str>) -> Command {
    Command::ReverseUsage(UsageReversal {
        usage: EventKey(bytes(usage)),
        usage_name: EventName { source: name("shop"), id: name(usage) },
        quantity: quantity.map(|quantity| Number::parse(quantity).unwrap()),
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

/// Promotional, and never below zero.
pub fn adjustment(account: &str, steps: i64) -> Adjustment {
    Adjustment {
        account: name(account),
        unit: name(UNIT),
        credits: credits(steps),
        reason: name("goodwill"),
        actor: name("ann"),
        promotional: true,
        expires_at: None,
        allow_overdraft: false,
    }
}

pub fn adjust(account: &str, steps: i64) -> Command {
    Command::Adjust(Box::new(adjustment(account, steps)))
}

/// What an update says of the one unit.
pub fn settings(account: &str, said: UnitUpdate) -> Command {
    Command::Update(Box::new(AccountUpdate {
        account: name(account),
        kind: None,
        name: Said::Nothing,
        units: vec![(name(UNIT), said)],
    }))
}

pub fn thresholds(steps: &[i64]) -> UnitUpdate {
    let low_balance = Said::Value(steps.iter().map(|steps| credits(*steps)).collect());
    UnitUpdate { low_balance, ..UnitUpdate::default() }
}

pub fn opening(steps: i64) -> UnitUpdate {
    UnitUpdate { opening_balance: Some(credits(steps)), ..UnitUpdate::default() }
}

pub fn overdraft_limit(steps: i64) -> UnitUpdate {
    UnitUpdate { overdraft_limit: Said::Value(credits(steps)), ..UnitUpdate::default() }
}
