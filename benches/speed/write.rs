//! The limit of the database: the rows of a run that creditd has done, written again in sets by the
//! statements of its hot path, from two connections, without any logic. What to write is known
//! beforehand and lies ready in the form in which it is sent, so nothing is decoded, decided or
//! encoded, but where the rows lie that are written where they were read. No ledger with these
//! tables can be faster, unless it sends other statements.
//!
//! The columns of what is inserted are asked of the database. The other statements are those of
//! src/store, said again; that both leave the same rows behind is checked after every run.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnectOptions, PgTypeInfo};
use sqlx::query::Query;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Encode, Executor as _, PgConnection,
    Postgres, Row as _, Type, ValueRef as _,
};

use crate::Fallible;
use crate::nodelay::send_at_once;
use crate::world::Database;

/// As creditd has them by default: so many transactions at once, so many events in one.
const CONNECTIONS: usize = 2;
const BATCH: usize = 2_000;

/// How creditd's own connections are set up.
const SESSION: [(&str, &str); 6] = [
    ("search_path", "creditd"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

/// A parameter as it came from the server: an array, ready to be sent back.
struct Array {
    bytes: Vec<u8>,
    kind: PgTypeInfo,
}

/// A lot by account and number, or a balance by account and 0: usage is of one unit.
type Place = (i64, i32);

/// What to send with a statement.
struct Sent {
    /// The rows that it writes where they were read.
    places: Vec<Place>,
    arrays: Vec<Array>,
}

/// A statement and what to send with it, batch by batch.
struct Step {
    sql: String,
    batches: Vec<Sent>,
}

/// One connection's share: the statements of a transaction, in order.
struct Lane(Vec<Step>);

impl Lane {
    fn batches(&self) -> usize {
        self.0.first().map_or(0, |step| step.batches.len())
    }

    async fn write(&self, connection: &mut PgConnection) -> Fallible<()> {
        for batch in 0..self.batches() {
            connection.execute("BEGIN").await?;
            let mut rows_at = HashMap::new();
            for Step { sql, batches } in &self.0 {
                let sent = batches.get(batch).ok_or("a batch without its arrays")?;
                let mut statement = sqlx::query(AssertSqlSafe(sql.as_str()));
                if !sent.places.is_empty() {
                    statement.try_bind(Array::of_rows_at(&sent.places, &rows_at)?)?;
                }
                for row in bound(statement, &sent.arrays)?.fetch_all(&mut *connection).await? {
                    if let Ok(row_at) = row.try_get_raw("ctid") {
                        let place = (row.try_get(1)?, row.try_get("lot_no").unwrap_or(0));
                        rows_at.insert(place, row_at.as_bytes()?.to_vec());
                    }
                }
            }
            connection.execute("SELECT 1").await?;
            connection.execute("COMMIT").await?;
        }
        Ok(())
    }
}

/// Writes into `database`, which holds what was there before, what `done` has got since.
pub(crate) async fn run(done: &Database, database: &Database) -> Fallible<Duration> {
    let lanes = lanes(done).await?;
    let mut connections = Vec::new();
    for _ in &lanes {
        let options = database.url.as_str().parse::<PgConnectOptions>()?.options(SESSION);
        connections.push(options.disable_statement_logging().connect().await?);
    }
    send_at_once();
    let began = Instant::now();
    let writing = lanes.iter().zip(&mut connections);
    futures_util::future::try_join_all(writing.map(|(lane, connection)| lane.write(connection)))
        .await?;
    let took = began.elapsed();
    for connection in connections {
        connection.close().await?;
    }
    Ok(took)
}

async fn lanes(done: &Database) -> Fallible<Vec<Lane>> {
    let mut connection = done.connect().await?;
    connection.execute("SET search_path = creditd").await?;
    // The newest usage: that of the run. Accounts stay together, and in their order.
    let chunks = format!(
        "CREATE TEMPORARY TABLE chunk AS
         SELECT event_key, account_id, lane, place, (place - 1) / {BATCH} AS batch
         FROM (
             SELECT event_key, account_id, account_id % {CONNECTIONS} AS lane,
                 row_number() OVER (
                     PARTITION BY account_id % {CONNECTIONS}
                     ORDER BY received_at, entry_first
                 ) AS place
             FROM inbox
             WHERE type = 'usage.recorded'
         ) AS usage"
    );
    connection.execute(AssertSqlSafe(chunks)).await?;
    connection.execute("CREATE INDEX ON chunk (lane, batch); ANALYZE chunk").await?;
    let inserts =
        [insert(&mut connection, "inbox").await?, insert(&mut connection, "entry").await?];
    let [inbox, entry] = inserts;
    let steps = [PROBE, REVERSALS, LOCK, LOAD_BALANCES, LOAD_LOTS]
        .map(|(sql, from)| (sql.to_owned(), from.to_owned()))
        .into_iter()
        .chain([inbox])
        .chain([BALANCES, LOTS].map(|(sql, from)| (sql.to_owned(), from.to_owned())))
        .chain([entry])
        .collect::<Vec<_>>();
    let mut lanes = Vec::new();
    for lane in 0..CONNECTIONS {
        let mut filled = Vec::new();
        for (sql, from) in &steps {
            let batches = arrays(&mut connection, from, lane).await?;
            filled.push(Step { sql: sql.clone(), batches });
        }
        lanes.push(Lane(filled));
    }
    connection.close().await?;
    Ok(lanes)
}

/// The arrays that a query makes for one batch of one lane, for all its batches. The first two are
/// not sent where they name places.
async fn arrays(connection: &mut PgConnection, from: &str, lane: usize) -> Fallible<Vec<Sent>> {
    let of_lane = "SELECT COALESCE(max(batch) + 1, 0) FROM chunk WHERE lane = $1";
    let lane = i64::try_from(lane)?;
    let count: i64 = sqlx::query_scalar(of_lane).bind(lane).fetch_one(&mut *connection).await?;
    let mut batches = Vec::new();
    for batch in 0..count {
        let query = sqlx::query(AssertSqlSafe(from)).bind(lane).bind(batch);
        let row = query.fetch_one(&mut *connection).await?;
        let array = |at| {
            let value = row.try_get_raw(at)?;
            let kind = value.type_info().into_owned();
            Ok(Array { bytes: value.as_bytes()?.to_vec(), kind })
        };
        let (places, first) = match row.try_get::<Vec<i64>, _>("accounts") {
            Ok(accounts) => {
                let lots: Vec<i32> = row.try_get("lots")?;
                (accounts.into_iter().zip(lots).collect(), 2)
            }
            Err(_) => (Vec::new(), 0),
        };
        let arrays = (first..row.len()).map(array).collect::<Fallible<_>>()?;
        batches.push(Sent { places, arrays });
    }
    Ok(batches)
}

const PROBE: (&str, &str) = (
    "SELECT event_key, fingerprint
     FROM inbox
     WHERE event_key = ANY($1)",
    "SELECT array_agg(event_key) FROM chunk WHERE lane = $1 AND batch = $2",
);

const REVERSALS: (&str, &str) = (
    "SELECT usage_key, event_key, usage_source, usage_id, event_source, event_id, quantity,
         credits
     FROM usage_reversal
     WHERE usage_key = ANY($1) AND credits IS NULL
     FOR UPDATE",
    PROBE.1,
);

const LOCK: (&str, &str) = (
    "SELECT account_id, name, kind, kind_at, kind_source, kind_event,
         display_name, display_name_at, display_name_source, display_name_event,
         notice_sequence, declines::TEXT, settings::TEXT
     FROM account
     WHERE name = ANY($1)
     ORDER BY account_id + 0
     FOR NO KEY UPDATE",
    "SELECT array_agg(DISTINCT name)
     FROM chunk
     JOIN account USING (account_id)
     WHERE lane = $1 AND batch = $2",
);

const LOAD_BALANCES: (&str, &str) = (
    "SELECT ctid, account_id, unit, balance, overdraft, pending, entry_seq, last_lot,
         last_repayment, latched, depleted, peak, told::TEXT, asking::TEXT, look_at, held
     FROM balance
     WHERE account_id = ANY($1)",
    ACCOUNTS,
);

const LOAD_LOTS: (&str, &str) = (
    "SELECT ctid, account_id, lot_no, unit, package, family, granted, remaining, forfeited,
         counted, expired, pending, warned, promotional, priority, applies_to, expires_at,
         opened_at, paid_at, paid_by, usable_since, cost_minor, currency, purchase_id
     FROM lot
     WHERE account_id = ANY($1) AND open",
    ACCOUNTS,
);

const ACCOUNTS: &str =
    "SELECT array_agg(DISTINCT account_id) FROM chunk WHERE lane = $1 AND batch = $2";

const BALANCES: (&str, &str) = (
    "UPDATE balance
     SET balance = new.balance,
         overdraft = new.overdraft,
         entry_seq = new.entry_seq,
         last_lot = new.last_lot,
         last_repayment = new.last_repayment,
         latched = new.latched::BIGINT[],
         depleted = new.depleted,
         pending = new.pending,
         peak = new.peak,
         told = new.told::JSONB,
         asking = new.asking::JSONB,
         look_at = new.look_at,
         held = new.held,
         updated_at = now()
     FROM (
         SELECT unnest($1::TID[]) AS row_at, unnest($2::BIGINT[]) AS account_id,
             unnest($3::BIGINT[]) AS balance, unnest($4::BIGINT[]) AS overdraft,
             unnest($5::BIGINT[]) AS entry_seq, unnest($6::INTEGER[]) AS last_lot,
             unnest($7::INTEGER[]) AS last_repayment, unnest($8::TEXT[]) AS latched,
             unnest($9::BOOLEAN[]) AS depleted, unnest($10::BIGINT[]) AS pending,
             unnest($11::BIGINT[]) AS peak, unnest($12::TEXT[]) AS told,
             unnest($13::TEXT[]) AS asking, unnest($14::TIMESTAMPTZ[]) AS look_at,
             unnest($15::BOOLEAN[]) AS held
     ) AS new
     WHERE balance.ctid = new.row_at AND balance.account_id + 0 = new.account_id",
    "SELECT array_agg(account_id) AS accounts, array_agg(0) AS lots,
         array_agg(account_id), array_agg(balance), array_agg(overdraft),
         array_agg(entry_seq), array_agg(last_lot), array_agg(last_repayment),
         array_agg(latched::TEXT), array_agg(depleted), array_agg(pending), array_agg(peak),
         array_agg(told::TEXT), array_agg(asking::TEXT), array_agg(look_at), array_agg(held)
     FROM (
         SELECT *
         FROM balance
         WHERE (account_id, unit) IN (
             SELECT inbox.account_id, inbox.unit
             FROM chunk
             JOIN inbox USING (event_key)
             WHERE lane = $1 AND batch = $2
         )
         ORDER BY account_id
     ) AS balance",
);

const LOTS: (&str, &str) = (
    "UPDATE lot
     SET remaining = new.remaining,
         forfeited = new.forfeited,
         counted = new.counted,
         expired = new.expired,
         pending = new.pending,
         warned = new.warned,
         usable_since = new.usable_since,
         open = 0 < new.remaining
     FROM (
         SELECT unnest($1::TID[]) AS row_at, unnest($2::BIGINT[]) AS account_id,
             unnest($3::INTEGER[]) AS lot_no, unnest($4::BIGINT[]) AS remaining,
             unnest($5::BIGINT[]) AS forfeited, unnest($6::BIGINT[]) AS counted,
             unnest($7::BIGINT[]) AS expired, unnest($8::BOOLEAN[]) AS pending,
             unnest($9::BOOLEAN[]) AS warned, unnest($10::BIGINT[]) AS usable_since
     ) AS new
     WHERE lot.ctid = new.row_at
         AND lot.account_id + 0 = new.account_id
         AND lot.lot_no + 0 = new.lot_no",
    "SELECT array_agg(account_id) AS accounts, array_agg(lot_no) AS lots,
         array_agg(account_id), array_agg(lot_no), array_agg(remaining), array_agg(forfeited),
         array_agg(counted), array_agg(expired), array_agg(pending), array_agg(warned),
         array_agg(usable_since)
     FROM (
         SELECT *
         FROM lot
         WHERE (account_id, unit, lot_no) IN (
             SELECT entry.account_id, entry.unit, entry.lot_no
             FROM chunk
             JOIN entry USING (event_key)
             WHERE lane = $1 AND batch = $2
         )
         ORDER BY account_id
     ) AS lot",
);

/// Inserts all columns of a table; and the query for their arrays, in the order in which creditd
/// sends them: the inbox by its key, entries as they came about.
async fn insert(connection: &mut PgConnection, table: &str) -> Fallible<(String, String)> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT attname::TEXT, format_type(atttypid, atttypmod)
         FROM pg_attribute
         WHERE attrelid = $1::REGCLASS AND attnum > 0 AND NOT attisdropped
         ORDER BY attnum",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    let parameter =
        |(at, (_, kind)): (usize, &(String, String))| format!("unnest(${}::{kind}[])", at + 1);
    let parameters: Vec<String> = columns.iter().enumerate().map(parameter).collect();
    let parameters = parameters.join(", ");
    let sql = format!("INSERT INTO {table} ({names}) SELECT {parameters}");
    let aggregates: Vec<String> =
        columns.iter().map(|(name, _)| format!("array_agg({name})")).collect();
    let order = if table == "inbox" { "event_key" } else { "place, seq" };
    let from = format!(
        "SELECT {}
         FROM (
             SELECT {table}.*
             FROM chunk
             JOIN {table} USING (event_key)
             WHERE lane = $1 AND batch = $2
             ORDER BY {order}
         ) AS {table}",
        aggregates.join(", ")
    );
    Ok((sql, from))
}

fn bound<'q>(
    statement: Query<'q, Postgres, PgArguments>,
    arrays: &'q [Array],
) -> Fallible<Query<'q, Postgres, PgArguments>> {
    let mut statement = statement;
    for array in arrays {
        statement.try_bind(array)?;
    }
    Ok(statement)
}

impl Array {
    /// Where the rows of `places` were read, in Postgres' own form of `tid[]`.
    fn of_rows_at(places: &[Place], rows_at: &HashMap<Place, Vec<u8>>) -> Fallible<Self> {
        const TID: u32 = 27;
        const TID_ARRAY: u32 = 1010;
        let mut bytes = Vec::new();
        for word in [1, 0, TID, u32::try_from(places.len())?, 1] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        for place in places {
            let row_at = rows_at.get(place).ok_or("a row is written that was not read")?;
            bytes.extend_from_slice(&u32::try_from(row_at.len())?.to_be_bytes());
            bytes.extend_from_slice(row_at);
        }
        Ok(Self { bytes, kind: PgTypeInfo::with_oid(Oid(TID_ARRAY)) })
    }
}

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("unknown")
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.kind.clone())
    }
}
