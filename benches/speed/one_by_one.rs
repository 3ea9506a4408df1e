//! The consumer that most teams would write, written well: many messages at once, each in a
//! transaction of its own that claims the event, locks the account, moves the credits and commits,
//! then an acknowledgement. No message waits for another, no statement is planned twice, and no
//! connection is asked for.
//!
//! It reads and prices events with creditd's own code and writes the same rows, so that the two
//! differ in the shape of their writing and in nothing else. It does less: no thresholds, no
//! notices, no parking; what it does not understand is an error.

use std::path::Path;
use std::sync::Arc;

use creditd::catalog::Catalog;
use creditd::event::{self, Message, Sources};
use creditd::ledger::{Asks, Command, EventKey, Request, Usage};
use futures_util::StreamExt as _;
use jiff_sqlx::ToSqlx as _;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use crate::world::{CONFIG, Database, World, connect};
use crate::{Fallible, Options};

/// Ended if it is dropped before it was stopped.
pub(crate) struct OneByOne {
    consumer: JoinSet<Fallible<()>>,
    stop: watch::Sender<bool>,
}

#[derive(Clone)]
struct Handler {
    pool: PgPool,
    catalog: Arc<Catalog>,
    sources: Arc<Sources>,
}

const PAYLOAD_MAX_BYTES: usize = 65_536;

impl OneByOne {
    pub(crate) fn start(world: &World, database: &Database, options: &Options) -> Fallible<Self> {
        let connect = database.url.as_str().parse::<PgConnectOptions>()?;
        let connect = connect.options([("search_path", "creditd")]).disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(options.parallel)
            .test_before_acquire(false)
            .connect_lazy_with(connect);
        let catalog = Catalog::load(&Path::new(CONFIG).join("catalog.toml"))
            .map_err(|mistakes| format!("{mistakes:?}"))?;
        let handler = Handler { pool, catalog: catalog.into(), sources: Arc::default() };
        let (stop, stopped) = watch::channel(false);
        let (amqp, queue) = (world.amqp.clone(), world.queue_name());
        let mut consumer = JoinSet::new();
        consumer.spawn(consume(amqp, queue, handler, options.clone(), stopped));
        Ok(Self { consumer, stop })
    }

    pub(crate) async fn still_runs(&mut self) -> Fallible<()> {
        match self.consumer.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended??;
                Err("the consumer ended by itself".into())
            }
        }
    }

    pub(crate) async fn stop(mut self) -> Fallible<()> {
        self.stop.send_replace(true);
        while let Some(ended) = self.consumer.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn consume(
    amqp: Url,
    queue: String,
    handler: Handler,
    options: Options,
    mut stopped: watch::Receiver<bool>,
) -> Fallible<()> {
    let connection = connect(&amqp).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(options.prefetch, BasicQosOptions::default()).await?;
    let consume = BasicConsumeOptions::default();
    let mut deliveries = channel
        .basic_consume(queue.into(), "one-by-one".into(), consume, FieldTable::default())
        .await?;
    let parallel = usize::try_from(options.parallel)?;
    let mut handling = JoinSet::new();
    loop {
        while handling.len() >= parallel
            && let Some(handled) = handling.join_next().await
        {
            handled??;
        }
        let delivery = tokio::select! {
            delivery = deliveries.next() => delivery.ok_or("the consumer was cancelled")??,
            Some(handled) = handling.join_next() => {
                handled??;
                continue;
            }
            _ = stopped.changed() => break,
        };
        let handler = handler.clone();
        handling.spawn(async move { handler.handle(delivery).await });
    }
    while let Some(handled) = handling.join_next().await {
        handled??;
    }
    handler.pool.close().await;
    channel.close(200, "done".into()).await?;
    Ok(connection.close(200, "done".into()).await?)
}

impl Handler {
    async fn handle(self, delivery: Delivery) -> Fallible<()> {
        let message = Message {
            body: delivery.data,
            routing_key: delivery.routing_key.to_string(),
            ..Message::default()
        };
        let request = event::read(&message, &self.catalog, &self.sources, PAYLOAD_MAX_BYTES);
        let Asks::Command(Command::Use(usage)) = &request.asks else {
            return Err(format!("{} is no usage: {:?}", request.name, request.asks).into());
        };
        self.post(&request, usage).await?;
        delivery.acker.ack(BasicAckOptions::default()).await?;
        Ok(())
    }

    async fn post(&self, request: &Request, usage: &Usage) -> Fallible<()> {
        let mut tx = self.pool.begin().await?;
        let account = lock_account(&mut tx, usage).await?;
        let held = balance(&mut tx, account, usage).await?;
        let draws = draws(&mut tx, account, usage, &held).await?;
        let Some(last) = draws.last() else { return Err("usage that costs nothing".into()) };
        let run = (held.entry_seq + 1, last.seq);
        if !claim(&mut tx, request, usage, account, run).await? {
            tx.rollback().await?; // handled already
            return Ok(());
        }
        for draw in &draws {
            write_entry(&mut tx, request, usage, account, draw).await?;
            if let Some(lot) = draw.lot {
                draw_lot(&mut tx, account, usage, lot, draw.credits).await?;
            }
        }
        let overdrawn: i64 =
            draws.iter().filter(|draw| draw.lot.is_none()).map(|draw| draw.credits).sum();
        write_balance(&mut tx, account, usage, last, overdrawn).await?;
        Ok(tx.commit().await?)
    }
}

#[derive(Clone, Copy)]
struct Held {
    balance: i64,
    entry_seq: i64,
}

/// Credits taken from a lot, or into the overdraft.
struct Draw {
    seq: i64,
    lot: Option<i32>,
    credits: i64,
    balance_after: i64,
}

async fn lock_account(tx: &mut PgConnection, usage: &Usage) -> Fallible<i64> {
    let account = sqlx::query_scalar(
        "SELECT account_id
         FROM account
         WHERE name = $1
         FOR NO KEY UPDATE",
    );
    Ok(account.bind(&*usage.account).fetch_one(tx).await?)
}

async fn balance(tx: &mut PgConnection, account: i64, usage: &Usage) -> Fallible<Held> {
    let held = sqlx::query_as(
        "SELECT balance, entry_seq
         FROM balance
         WHERE account_id = $1 AND unit = $2",
    );
    let (balance, entry_seq) = held.bind(account).bind(&*usage.unit).fetch_one(tx).await?;
    Ok(Held { balance, entry_seq })
}

/// Open lots in draw order; what they do not cover becomes overdraft.
async fn draws(
    tx: &mut PgConnection,
    account: i64,
    usage: &Usage,
    held: &Held,
) -> Fallible<Vec<Draw>> {
    let lots: Vec<(i32, i64)> = sqlx::query_as(
        "SELECT lot_no, remaining
         FROM lot
         WHERE account_id = $1 AND unit = $2 AND open
             AND (applies_to = '{}' OR $3 = ANY(applies_to))
         ORDER BY applies_to = '{}', cardinality(applies_to), priority, expires_at NULLS LAST,
             promotional DESC, opened_at, lot_no",
    )
    .bind(account)
    .bind(&*usage.unit)
    .bind(usage.meter.as_deref())
    .fetch_all(tx)
    .await?;
    let (mut owed, mut after) = (usage.cost.steps(), *held);
    let mut draws = Vec::with_capacity(1);
    let overdraft = (None, i64::MAX);
    for (lot, remaining) in lots.into_iter().map(|(lot, left)| (Some(lot), left)).chain([overdraft])
    {
        let credits = owed.min(remaining);
        if credits > 0 {
            owed -= credits;
            after = Held { balance: after.balance - credits, entry_seq: after.entry_seq + 1 };
            draws.push(Draw { seq: after.entry_seq, lot, credits, balance_after: after.balance });
        }
    }
    Ok(draws)
}

/// Whether this is the first time; the insert is the question.
async fn claim(
    tx: &mut PgConnection,
    request: &Request,
    usage: &Usage,
    account: i64,
    (first, last): (i64, i64),
) -> Fallible<bool> {
    let claimed = sqlx::query(
        "INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, occurred_at,
             received_at, account_id, unit, meter, quantity, cost, uncovered, entry_first,
             entry_last)
         VALUES ($1, $2, $3, $4, $5, 'applied', least($6, now()), now(), $7, $8, $9, $10, $11, 0,
             $12, $13)
         ON CONFLICT (event_key) DO NOTHING",
    )
    .bind(uuid(request.key))
    .bind(uuid(EventKey(request.fingerprint.0)))
    .bind(&*request.name.source)
    .bind(&*request.name.id)
    .bind(&*request.kind)
    .bind(request.occurred_at.map(|at| at.to_sqlx()))
    .bind(account)
    .bind(&*usage.unit)
    .bind(usage.meter.as_deref())
    .bind(usage.quantity.decimal())
    .bind(usage.cost.steps())
    .bind(first)
    .bind(last)
    .execute(tx)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

async fn write_entry(
    tx: &mut PgConnection,
    request: &Request,
    usage: &Usage,
    account: i64,
    draw: &Draw,
) -> Fallible<()> {
    sqlx::query(
        "INSERT INTO entry (account_id, unit, seq, kind, lot_no, credits, balance_after,
             event_key, occurred_at, recorded_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, least($9, now()), now())",
    )
    .bind(account)
    .bind(&*usage.unit)
    .bind(draw.seq)
    .bind(if draw.lot.is_some() { "used" } else { "overdrawn" })
    .bind(draw.lot)
    .bind(-draw.credits)
    .bind(draw.balance_after)
    .bind(uuid(request.key))
    .bind(request.occurred_at.map(|at| at.to_sqlx()))
    .execute(tx)
    .await?;
    Ok(())
}

async fn draw_lot(
    tx: &mut PgConnection,
    account: i64,
    usage: &Usage,
    lot: i32,
    credits: i64,
) -> Fallible<()> {
    sqlx::query(
        "UPDATE lot
         SET remaining = remaining - $4, open = remaining > $4
         WHERE account_id = $1 AND unit = $2 AND lot_no = $3",
    )
    .bind(account)
    .bind(&*usage.unit)
    .bind(lot)
    .bind(credits)
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_balance(
    tx: &mut PgConnection,
    account: i64,
    usage: &Usage,
    last: &Draw,
    overdrawn: i64,
) -> Fallible<()> {
    sqlx::query(
        "UPDATE balance
         SET balance = $3, overdraft = overdraft + $4, entry_seq = $5, updated_at = now()
         WHERE account_id = $1 AND unit = $2",
    )
    .bind(account)
    .bind(&*usage.unit)
    .bind(last.balance_after)
    .bind(overdrawn)
    .bind(last.seq)
    .execute(tx)
    .await?;
    Ok(())
}

fn uuid(key: EventKey) -> Uuid {
    Uuid::from_bytes(key.0)
}
