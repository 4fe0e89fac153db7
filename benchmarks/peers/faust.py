"""Faust: state and seen ids in tables, which send every change to a changelog topic."""

from __future__ import annotations

import sys
from typing import Any

import faust

from benchmarks.peers.common import (
    DUPLICATE,
    ROWS,
    WINDOW_SECONDS,
    Outcome,
    Writer,
    asked,
    from_plain,
    read,
    take,
    to_plain,
)
from lifecycle.events import Event
from lifecycle.events.catalogue import ACCOUNT

given = asked()
app = faust.App(
    given["group"],
    broker=f"kafka://{given['bootstrap']}",
    store="memory://",
    datadir=given["folder"],
    topic_partitions=given["partitions"],
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    broker_max_poll_records=ROWS,
    stream_buffer_maxsize=4 * ROWS,
    producer_linger=0.05,
    table_standby_replicas=0,
    web_enabled=False,
)
topic = app.topic(ACCOUNT, key_serializer="raw", value_serializer="raw")
clients = app.Table("clients", partitions=given["partitions"])
seen = app.Table("seen", partitions=given["partitions"])
writer = Writer(given["database"])
waiting: list[tuple[Any, Outcome]] = []


@app.agent(topic)
async def ingest(stream: Any) -> None:
    """Acknowledge by hand: by itself Faust commits offsets before the rows are written."""
    async for event in stream.noack().events():
        waiting.append((event, step(event)))
        if len(waiting) >= ROWS:
            flush()


@app.timer(WINDOW_SECONDS)
async def due() -> None:
    flush()


def step(record: Any) -> Outcome:
    """Tables can be changed only while their record is the current one."""
    message = record.message
    event = read(message.value, message.key, message.partition, message.offset)
    return event if isinstance(event, Outcome) else _fold(event, message.value)


def _fold(event: Event, value: bytes) -> Outcome:
    if event.id in seen:
        return DUPLICATE
    seen[event.id] = 1
    state = from_plain(clients.get(event.client_id))
    outcome = take(event, value, state)
    clients[event.client_id] = to_plain(state)
    return outcome


def flush() -> None:
    if waiting:
        writer.write([outcome for _, outcome in waiting])
        for record, _ in waiting:
            record.ack()
        waiting.clear()


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--loglevel=warn", "--without-web"]
    app.main()
