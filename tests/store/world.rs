//! The store driven through its own doors, and requests written by hand.

use std::sync::Arc;
use std::time::Duration;

use creditd::ledger::{
    After, Asks, Book, Command, Credits, Currency, EventKey, EventName, Expires, Fingerprint,
    LineFacts, Mode, Name, Number, PaidLine, Payment, Pricing, Record, Reference, ReferenceKind,
    Refund, RefundClaim, RefundName, RefundStatus, Request, Reset, ResetOverdraft, ResetScope,
    RevokeOnDispute, Rules, StatedMoney, Terms, Timestamp, Usage, UsageReversal, Watch, WhenShort,
    WhenSpent, decide,
};
use creditd::notice::Wire;
use creditd::settings::Secret;
use creditd::store::{Arrival, Batch, DatabaseSettings, Store, StoreError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool};

use crate::database::TestDatabase;

pub(crate) struct World {
    pub(crate) store: Store,
    /// For looking at tables, and for what only an intruder would do.
    pub(crate) tables: PgPool,
    pub(crate) settings: DatabaseSettings,
    pub(crate) rules: Rules,
    pub(crate) database: TestDatabase,
}

pub(crate) fn settings(database: &TestDatabase) -> DatabaseSettings {
    DatabaseSettings {
        url: Secret::new(database.url()),
        pool_max: 4,
        connect_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(10),
        writer_role: None,
        reader_role: None,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let settings = settings(&database);
        Store::migrate(&settings).await.unwrap();
        let store = Store::connect(&settings).await.unwrap();
        let options: PgConnectOptions = database.url().parse().unwrap();
        let tables = PgPool::connect_lazy_with(options.options([("search_path", "creditd")]));
        Self { store, tables, settings, rules: rules(), database }
    }

    /// Opens, decides and commits one batch.
    pub(crate) async fn run(&self, requests: &[Request]) -> Result<Vec<Record>, StoreError> {
        let arrivals = arrivals(requests);
        let mut batch = self.store.open_batch(&arrivals).await?;
        let records = self.decide(&mut batch, requests);
        let wires = wires(&batch.book);
        batch.commit(&arrivals, &wires).await?;
        Ok(records)
    }

    pub(crate) fn decide(&self, batch: &mut Batch, requests: &[Request]) -> Vec<Record> {
        let now = batch.now;
        requests.iter().map(|request| decide(&mut batch.book, &self.rules, request, now)).collect()
    }

    /// One number from the tables.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT ({sql})::BIGINT")))
            .fetch_one(&self.tables)
            .await
            .unwrap()
    }

    /// Runs a statement that names this database as `{}`.
    pub(crate) async fn alter(&self, sql: &str) {
        let sql = sql.replace("{}", self.database.name());
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.tables).await.unwrap();
    }

    /// A role of its own, which may log in.
    pub(crate) async fn role(&self) -> String {
        let role = format!("{}_writer", self.database.name());
        self.alter("CREATE ROLE {}_writer LOGIN PASSWORD 'secret'").await;
        role
    }

    pub(crate) async fn drop_role(&self, role: &str) {
        self.alter(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    }

    /// Outcomes and reasons in the inbox, by event.
    pub(crate) async fn outcomes(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT concat_ws(' ', id, outcome, reason) FROM inbox ORDER BY 1")
            .fetch_all(&self.tables)
            .await
            .unwrap()
    }
}

pub(crate) fn arrivals(requests: &[Request]) -> Vec<Arrival> {
    requests
        .iter()
        .map(|request| Arrival {
            request: request.clone(),
            body: Some(format!("body of {}", request.name.id).into_bytes()),
            properties: Some(r#"{"content_type":"application/json"}"#.to_owned()),
        })
        .collect()
}

/// Notices as `notice` would render them, with nothing in them.
pub(crate) fn wires(book: &Book) -> Vec<Wire> {
    let told = book.journal.notices.iter().map(|notice| Wire {
        id: digest(&format!("{}#{}", notice.account_name, notice.sequence)),
        account: Some((notice.account, notice.account_name.clone())),
        sequence: notice.sequence,
        kind: notice.tells.kind(),
        unit: Some(notice.unit.clone()),
        event: notice.event,
        event_name: notice.event_name.clone(),
        traceparent: notice.traceparent.clone(),
        occurred_at: notice.occurred_at,
        data: "{}".to_owned(),
    });
    let parked = book.journal.parked_notices.iter().map(|notice| Wire {
        id: digest(&format!("parked {:?}", notice.event)),
        account: None,
        sequence: 0,
        kind: "event.parked",
        unit: None,
        event: notice.event,
        event_name: notice.event_name.clone(),
        traceparent: notice.traceparent.clone(),
        occurred_at: notice.occurred_at,
        data: "{}".to_owned(),
    });
    told.chain(parked).collect()
}

/// Thresholds at 50 credits, for every unit that the tests use.
pub(crate) fn rules() -> Rules {
    let watch = Watch { thresholds: vec![credits("50")], recovered_at: None, ..Watch::default() };
    let offers = Arc::new([(name("p"), None)].into_iter().collect());
    Rules { units: [(name("CRD"), watch)].into_iter().collect(), offers, ..Rules::default() }
}

pub(crate) fn name(text: &str) -> Name {
    Name::from(text)
}

pub(crate) fn credits(text: &str) -> Credits {
    Credits::parse(text, 2).unwrap()
}

pub(crate) fn usd() -> Currency {
    Currency::of("USD").unwrap()
}

/// Minute `minute` of the day on which everything in these tests happens.
pub(crate) fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + minute * 60).unwrap()
}

pub(crate) fn digest(text: &str) -> [u8; 16] {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    std::array::from_fn(|index| digest[index])
}

pub(crate) fn request(id: &str, kind: &str, asks: Asks) -> Request {
    let fingerprint = digest(&format!("{kind} {asks:?}"));
    Request {
        key: EventKey(digest(&format!("shop/{id}"))),
        conflict_key: EventKey(digest(&format!("shop/{id}/{fingerprint:?}"))),
        fingerprint: Fingerprint(fingerprint),
        name: EventName { source: name("shop"), id: name(id) },
        kind: name(kind),
        occurred_at: Some(minute(1_000)),
        traceparent: None,
        asks,
    }
}

pub(crate) fn invoice(value: &str) -> Reference {
    Reference { namespace: name("shop"), kind: ReferenceKind::Invoice, value: name(value) }
}

pub(crate) fn other(value: &str) -> Reference {
    Reference { namespace: name("shop"), kind: ReferenceKind::Other, value: name(value) }
}

pub(crate) fn terms(mode: Mode) -> Terms {
    Terms {
        package: name("starter"),
        catalog_hash: name("hash"),
        unit: name("CRD"),
        decimals: 2,
        family: name("starter"),
        mode,
        promotional: false,
        priority: 50,
        applies_to: Vec::new(),
        available_after: After::default(),
        expires: Expires::Never,
        when_spent: WhenSpent::Debt,
        refundable: true,
        revoke_on_dispute: RevokeOnDispute::Opened,
    }
}

pub(crate) fn reset() -> Mode {
    Mode::Reset(Reset {
        scope: ResetScope::Family,
        rollover_max_steps: 1_000,
        overdraft: ResetOverdraft::Repay,
        restore_forfeited: true,
    })
}

/// A payment of one line: `paid` dollars for `granted` credits.
pub(crate) struct Pays {
    pub(crate) account: String,
    pub(crate) references: Vec<Reference>,
    pub(crate) line_id: Option<String>,
    pub(crate) paid_minor: i64,
    pub(crate) granted: Credits,
    pub(crate) terms: Terms,
    pub(crate) minute: i64,
}

impl Pays {
    pub(crate) fn new(account: &str, invoice_id: &str, granted: &str) -> Self {
        Self {
            account: account.to_owned(),
            references: vec![invoice(invoice_id)],
            line_id: None,
            paid_minor: 5_000,
            granted: credits(granted),
            terms: terms(Mode::Add),
            minute: 0,
        }
    }

    pub(crate) fn asks(self) -> Asks {
        let facts = LineFacts {
            line_id: self.line_id.as_deref().map(name),
            product: Some(name("credits")),
            variant: Some(name("a \"quoted\" one")),
            quantity: Number::ONE,
            paid_minor: self.paid_minor,
            credits: Some((name("CRD"), Number::parse("1.5").unwrap())),
            period_end: Some(minute(40_000)),
        };
        let pricing = Pricing::Grants {
            terms: Arc::new(self.terms),
            credits: self.granted,
            account_kinds: Vec::new(),
        };
        Asks::Command(Command::Pay(Box::new(Payment {
            account: name(&self.account),
            account_kind: None,
            account_name: Some(name("Ada")),
            purchased_by: Some(name("bob")),
            references: self.references,
            order_id: Some(name("order-7")),
            currency: usd(),
            lines: vec![PaidLine { facts, priced: Ok(pricing) }],
            paid_minor: Some(self.paid_minor + 250),
            topup_request: None,
            paid_at: Some(minute(self.minute)),
        })))
    }

    pub(crate) fn request(self, id: &str) -> Request {
        request(id, "payment.succeeded", self.asks())
    }
}

pub(crate) fn pays(id: &str, account: &str, invoice_id: &str, granted: &str) -> Request {
    Pays::new(account, invoice_id, granted).request(id)
}

pub(crate) fn refunds(
    id: &str,
    references: Vec<Reference>,
    refund_id: &str,
    claim: RefundClaim,
    status: RefundStatus,
) -> Request {
    let refund = Refund {
        references,
        order_id: None,
        name: RefundName::Id(name(refund_id)),
        currency: Some(usd()),
        claim,
        status,
    };
    request(id, "invoice.refunded", Asks::Command(Command::Refund(Box::new(refund))))
}

/// A void, or a word on a dispute: kept under its own event.
pub(crate) fn claims(id: &str, invoice_id: &str, claim: RefundClaim) -> Request {
    let refund = Refund {
        references: vec![invoice(invoice_id)],
        order_id: None,
        name: RefundName::Event(EventName { source: name("shop"), id: name(id) }),
        currency: None,
        claim,
        status: RefundStatus::Succeeded,
    };
    request(id, "payment.disputed", Asks::Command(Command::Refund(Box::new(refund))))
}

/// One refund of some dollars, named after its event.
pub(crate) fn refund_of(id: &str, invoice_id: &str, amount: &str) -> Request {
    let claim = RefundClaim::Amount(StatedMoney::major(amount).unwrap());
    refunds(id, vec![invoice(invoice_id)], id, claim, RefundStatus::Succeeded)
}

/// Reverses usage: a quantity of it, or all.
pub(crate) fn reverses(id: &str, usage: &str, quantity: Option<&str>) -> Request {
    let usage = uses(usage, "nobody", "0");
    let reversal = UsageReversal {
        usage: usage.key,
        usage_name: usage.name,
        quantity: quantity.map(|quantity| Number::parse(quantity).unwrap()),
    };
    request(id, "usage.reversed", Asks::Command(Command::ReverseUsage(reversal)))
}

pub(crate) fn uses(id: &str, account: &str, cost: &str) -> Request {
    let usage = Usage {
        account: name(account),
        unit: name("CRD"),
        meter: Some(name("api")),
        quantity: Number::parse("2.5").unwrap(),
        cost: credits(cost),
        when_short: WhenShort::Overdraft,
    };
    request(id, "usage.recorded", Asks::Command(Command::Use(usage)))
}
