"""What many teams have today: FastStream and asyncpg, a transaction a message, written well.

Reads usage events from a queue, 16 transactions at a time, and writes the rows that creditd
writes. Started by `make bench`; ends with SIGTERM, after what it has in hand.

    one_by_one.py AMQP_URL POSTGRES_URL QUEUE PARALLEL PREFETCH
"""

import asyncio
import hashlib
import json
import logging
import signal
import sys
import uuid
from datetime import datetime
from decimal import Decimal

import asyncpg
from faststream import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

AMQP, POSTGRES, QUEUE, PARALLEL, PREFETCH = sys.argv[1:]

# Unit and steps of it for a quantity of 1: what the catalog says of this meter.
METERS = {"api_calls": ("CRD", 1)}

LOCK_ACCOUNT = "SELECT account_id FROM account WHERE name = $1 FOR NO KEY UPDATE"
BALANCE = "SELECT balance, entry_seq FROM balance WHERE account_id = $1 AND unit = $2"
OPEN_LOTS = """
    SELECT lot_no, remaining
    FROM lot
    WHERE account_id = $1 AND unit = $2 AND open
        AND (applies_to = '{}' OR $3 = ANY(applies_to))
    ORDER BY applies_to = '{}', cardinality(applies_to), priority, expires_at NULLS LAST,
        promotional DESC, opened_at, lot_no
"""
CLAIM = """
    INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, occurred_at, received_at,
        account_id, unit, meter, quantity, cost, uncovered, entry_first, entry_last)
    VALUES ($1, $2, $3, $4, $5, 'applied', least($6, now()), now(), $7, $8, $9, $10, $11, 0,
        $12, $13)
    ON CONFLICT (event_key) DO NOTHING
"""
WRITE_ENTRY = """
    INSERT INTO entry (account_id, unit, seq, kind, lot_no, credits, balance_after, event_key,
        occurred_at, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, least($9, now()), now())
"""
DRAW_LOT = """
    UPDATE lot
    SET remaining = remaining - $4, open = remaining > $4
    WHERE account_id = $1 AND unit = $2 AND lot_no = $3
"""
WRITE_BALANCE = """
    UPDATE balance
    SET balance = $3, overdraft = overdraft + $4, entry_seq = $5, updated_at = now()
    WHERE account_id = $1 AND unit = $2
"""

broker = RabbitBroker(
    AMQP, default_channel=Channel(prefetch_count=int(PREFETCH)), log_level=logging.DEBUG
)
queue = RabbitQueue(QUEUE, queue_type=QueueType.QUORUM, durable=True, declare=False)


class Pool:
    """Opened before the first message comes."""

    connections: asyncpg.Pool


def key(*texts: str) -> uuid.UUID:
    """As creditd makes the key of an event whose id carries no time."""
    encoded = [text.encode() for text in ("event", *texts)]
    parts = [b"\x01" + len(text).to_bytes(8, "big") + text for text in encoded]
    return uuid.UUID(bytes=hashlib.sha256(b"".join(parts)).digest()[:16])


@broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR)
async def handle(message: RabbitMessage) -> None:
    event = json.loads(message.body)
    async with Pool.connections.acquire() as connection, connection.transaction():
        await post(connection, event)


async def post(connection: asyncpg.Connection, event: dict) -> None:
    data = event["data"]
    unit, rate = METERS[data["meter"]]
    cost = int(Decimal(data["quantity"]) * rate)
    occurred_at = datetime.fromisoformat(event["time"])
    event_key = key(event["source"], event["id"])
    account = await connection.fetchval(LOCK_ACCOUNT, data["account"])
    balance, seq = await connection.fetchrow(BALANCE, account, unit)
    first, owed, draws = seq + 1, cost, []
    lots = await connection.fetch(OPEN_LOTS, account, unit, data["meter"])
    for lot, remaining in [*lots, (None, cost)]:
        credits = min(owed, remaining)
        if credits > 0:
            owed, balance, seq = owed - credits, balance - credits, seq + 1
            draws.append((lot, credits, balance, seq))
    claimed = await connection.execute(
        CLAIM, event_key, key(json.dumps(data, sort_keys=True)), event["source"], event["id"],
        event["type"], occurred_at, account, unit, data["meter"], Decimal(data["quantity"]), cost,
        first, seq,
    )
    if claimed == "INSERT 0 0":
        return  # handled already
    for lot, credits, after, number in draws:
        kind = "overdrawn" if lot is None else "used"
        await connection.execute(
            WRITE_ENTRY, account, unit, number, kind, lot, -credits, after, event_key, occurred_at
        )
        if lot is not None:
            await connection.execute(DRAW_LOT, account, unit, lot, credits)
    overdrawn = sum(credits for lot, credits, _, _ in draws if lot is None)
    await connection.execute(WRITE_BALANCE, account, unit, balance, overdrawn, seq)


async def main() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    Pool.connections = await asyncpg.create_pool(
        POSTGRES,
        min_size=int(PARALLEL),
        max_size=int(PARALLEL),
        server_settings={"search_path": "creditd"},
    )
    await broker.start()
    await stopped.wait()
    await broker.stop()
    await Pool.connections.close()


asyncio.run(main())
