"""Catch-up of a backlog through the complete path, with the limits of the parts in the same run."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import psycopg
from kafka import TopicPartition

from benchmarks.scratch import consumer_process, machine_facts, scratch_platform
from consumers.publish import publish
from consumers.topics import reader
from lifecycle.events import decode
from lifecycle.ports import Record
from lifecycle.settings import Settings
from lifecycle.sources.simulator import SimulatorSource

COPY_ROWS = 10_000
SECONDS_MAX = 300


def measure(events: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Publish a simulated backlog, read it raw, copy it raw, ingest it; report all three rates."""
    with scratch_platform() as configured:
        note(f"publishing {events:,} simulated events")
        source = SimulatorSource(
            seed=7,
            clients=max(50, min(100_000, events // 150)),
            first_day=dt.date(2026, 1, 1),
            days=180,
            timezone=configured.timezone,
        )
        publish(islice(source.events(None, None), events), configured.kafka_bootstrap)
        note("limit 1: polling raw bytes")
        records, poll_rate = _raw_poll(configured, events)
        note("limit 2: COPY with inbox")
        copy_rate = _copy_with_inbox(configured, records)
        del records
        note("the complete path, one consumer process")
        result = _ingest(configured, events)
    limit = min(poll_rate, copy_rate)
    return {
        **result,
        "limit_events_per_second": limit,
        "raw_poll_events_per_second": poll_rate,
        "copy_inbox_events_per_second": copy_rate,
        "share_of_limit": round(result["events_per_second"] / limit, 3),
        "machine": machine_facts(),
    }


def _raw_poll(configured: Settings, events: int) -> tuple[list[Record], int]:
    topics = configured.partitions
    consumer = reader(configured.kafka_bootstrap, max_poll_records=5_000)
    names = (
        "bank.client.v1",
        "bank.consent.v1",
        "bank.account.v1",
        "bank.credit.v1",
        "bank.interaction.v1",
    )
    places = [TopicPartition(topic, p) for topic in names for p in range(topics)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    records: list[Record] = []
    started = time.perf_counter()
    while len(records) < events:
        for batch in consumer.poll(timeout_ms=500, max_records=5_000).values():
            records += [Record(r.topic, r.partition, r.offset, r.key, r.value) for r in batch]
    seconds = time.perf_counter() - started
    consumer.close()
    return records, round(events / seconds)


def _copy_with_inbox(configured: Settings, records: list[Record]) -> int:
    """Binary COPY into an inbox with a unique key and into a log with our indexes; no Python work."""
    rows = []
    for r in records:
        e = decode(r.value, r.key, r.topic, r.partition, r.offset)
        digest = hashlib.sha256(r.value or b"").digest()
        rows.append((e.key, digest, e.client_id, e.time, e.business_date, r.topic, r.value))
    with psycopg.connect(configured.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE stage (event_key bytea, payload_sha256 bytea) ON COMMIT DELETE ROWS;"
            "CREATE TABLE limit_inbox (event_key bytea PRIMARY KEY, payload_sha256 bytea);"
            "CREATE TABLE limit_log (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " client_id text, time timestamptz, business_date date, topic text, payload bytea);"
            "CREATE INDEX ON limit_log (client_id, position)"
        )
        connection.commit()
        started = time.perf_counter()
        for first in range(0, len(rows), COPY_ROWS):
            chunk = rows[first : first + COPY_ROWS]
            with cursor.copy("COPY stage FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["bytea", "bytea"])
                for row in chunk:
                    copy.write_row(row[:2])
            cursor.execute("INSERT INTO limit_inbox SELECT * FROM stage ON CONFLICT DO NOTHING")
            with cursor.copy(
                "COPY limit_log (client_id, time, business_date, topic, payload) "
                "FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.set_types(["text", "timestamptz", "date", "text", "bytea"])
                for row in chunk:
                    copy.write_row(row[2:])
            connection.commit()
        seconds = time.perf_counter() - started
        cursor.execute("DROP TABLE limit_inbox, limit_log")
    return round(len(rows) / seconds)


def _ingest(configured: Settings, events: int) -> dict[str, Any]:
    with (
        psycopg.connect(configured.database_url, autocommit=True) as connection,
        consumer_process(configured) as consumer,
    ):
        deadline = time.monotonic() + SECONDS_MAX
        received = 0
        while received < events and time.monotonic() < deadline:
            time.sleep(0.05)
            received = _one(connection, "SELECT coalesce(sum(received), 0) FROM consumer_offset")
        finished = dt.datetime.now(dt.UTC)
        first = _one(connection, "SELECT min(run_at) FROM gate_result")
        times = consumer.cpu_times()
        peak = _peak_rss_mb(consumer.pid)
        facts = _one(connection, "SELECT count(*) FROM event_log")
    # The clock starts with the first batch in hand and ends when the last one was seen committed.
    seconds = (finished - first).total_seconds()
    return {
        "events": facts,
        "processes": 1,
        "seconds": round(seconds, 2),
        "events_per_second": round(facts / seconds),
        "cpu_seconds_per_million_events": round((times.user + times.system) / facts * 1e6, 1),
        "peak_rss_mb": peak,
    }


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _peak_rss_mb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        line = next(text for text in status if text.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
