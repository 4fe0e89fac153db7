"""Catch-up of a backlog: the limits of the parts, a plain pipeline and the product, in one run.

Every pipeline reads the same records from the same broker into the same database, one after the
other, round after round, because the machine's speed drifts; what counts are the ratios. A rate is
taken from the first committed batch of every process to the last commit, and only when the result
is right.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import psutil
import psycopg
from kafka import TopicPartition

from benchmarks.ingest_job import tables
from benchmarks.ingest_job.job import Job, job
from benchmarks.ingest_job.rules import Result, expected
from benchmarks.scratch import (
    calibration_us,
    consumer_process,
    go,
    machine_facts,
    peak_rss_mb,
    scratch_platform,
    start_over,
)
from consumers.publish import publish
from consumers.topics import reader
from lifecycle.events import InvalidEvent, decode
from lifecycle.events.catalogue import ACCOUNT
from lifecycle.inbox import identify
from lifecycle.platform import status
from lifecycle.ports import Record
from lifecycle.settings import ROOT, Settings

COPY_ROWS = 10_000
SECONDS_MAX = 600
SETTLE_SECONDS = 4
CLIENTS_PER_EVENT = 1 / 80

Note = Callable[[str], None]


class Rate(NamedTuple):
    """What one run of one pipeline took."""

    events_per_second: float
    cpu_us_per_event: float
    """Of the pipeline's own processes."""
    database_us_per_event: float
    broker_us_per_event: float
    peak_rss_mb: int


def measure(events: int, rounds: int, note: Note) -> dict[str, Any]:
    """Publish the job, measure the limits, then plain pipeline and product in turn."""
    with scratch_platform() as configured:
        note(f"making and publishing {events:,} records")
        work = job(events, clients=max(100, round(events * CLIENTS_PER_EVENT)))
        publish(iter(work.records), configured.kafka_bootstrap)
        right = expected(work.records)
        note("limit 1: polling raw bytes")
        records, poll = _raw_poll(configured, len(work.records))
        note("limit 2: COPY with inbox")
        copy = _copy_with_inbox(configured, records)
        del records
        runs: dict[str, list[Rate]] = {"reference": [], "product_1": [], "product_2": []}
        speed = []
        for number in range(1, rounds + 1):
            speed.append(calibration_us())
            note(f"round {number} of {rounds}: the plain pipeline, one process")
            runs["reference"].append(reference(configured, work, right))
            note(f"round {number} of {rounds}: the product, one process")
            runs["product_1"].append(product(configured, work, processes=1))
            note(f"round {number} of {rounds}: the product, two processes")
            runs["product_2"].append(product(configured, work, processes=2))
    return _report(work, poll, copy, runs, speed)


def _report(
    work: Job, poll: int, copy: int, runs: dict[str, list[Rate]], speed: list[float]
) -> dict[str, Any]:
    median = {
        name: round(statistics.median(r.events_per_second for r in rates))
        for name, rates in runs.items()
    }
    one = sorted(runs["product_1"])[len(runs["product_1"]) // 2]
    series = round(1 / (1 / poll + 1 / copy))
    ratios = {
        name: [
            round(mine.events_per_second / plain.events_per_second, 2)
            for mine, plain in zip(runs[name], runs["reference"], strict=True)
        ]
        for name in ("product_1", "product_2")
    }
    return {
        "events": work.applied,
        "records": len(work.records),
        "processes": 1,
        "events_per_second": median["product_1"],
        "events_per_second_two_processes": median["product_2"],
        "reference_events_per_second": median["reference"],
        "ratio_one_process": round(statistics.median(ratios["product_1"]), 2),
        "ratio_two_processes": round(statistics.median(ratios["product_2"]), 2),
        "ratios": ratios,
        "raw_poll_events_per_second": poll,
        "copy_inbox_events_per_second": copy,
        "limit_events_per_second": series,
        "share_of_limit": round(median["product_1"] / series, 3),
        "cpu_seconds_per_million_events": round(one.cpu_us_per_event, 1),
        "cpu_us_per_event": {name: cpu_of(rates) for name, rates in runs.items()},
        "peak_rss_mb": one.peak_rss_mb,
        "rounds": {
            name: [round(r.events_per_second) for r in rates] for name, rates in runs.items()
        },
        "calibration_us": [round(us, 2) for us in speed],
        "machine": machine_facts(),
    }


def cpu_of(rates: Sequence[Rate]) -> dict[str, float]:
    """Medians by who spent it."""
    fields = ("cpu_us_per_event", "database_us_per_event", "broker_us_per_event")
    return {
        field.removesuffix("_us_per_event").replace("cpu", "pipeline"): round(
            statistics.median(getattr(rate, field) for rate in rates), 1
        )
        for field in fields
    }


def product(configured: Settings, work: Job, processes: int) -> Rate:
    """`lifecycle consume` as users start it, so many times."""
    start_over(configured)
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(configured.database_url, autocommit=True))
        children = [
            stack.enter_context(consumer_process(configured, f"bench-{n}"))
            for n in range(processes)
        ]
        # All members have joined and own their share before the first record is read.
        time.sleep(SETTLE_SECONDS)
        go(configured)

        def received() -> int:
            active, rows = _row(
                connection,
                "SELECT (SELECT count(DISTINCT consumer) FROM micro_batch),"
                " (SELECT coalesce(sum(received), 0) FROM consumer_offset)",
            )
            return int(rows) if active >= processes else 0

        rate = watch(configured, received, len(work.records), children)
        applied, duplicates, quarantined = _row(
            connection,
            "SELECT sum(applied), sum(duplicates), sum(quarantined) FROM consumer_offset",
        )
    if (applied, duplicates, quarantined) != work[1:]:
        raise AssertionError(f"wrong result: {applied, duplicates, quarantined} is not {work[1:]}")
    return rate


def reference(configured: Settings, work: Job, right: Result) -> Rate:
    """The plain pipeline, one process on all partitions."""
    asked = {
        "bootstrap": configured.kafka_bootstrap,
        "database": configured.database_url,
        "partitions": list(range(configured.partitions)),
        "stop": len(work.records),
    }
    command = [sys.executable, "-m", "benchmarks.ingest_job.reference", json.dumps(asked)]
    with (
        plain_tables(configured) as connection,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        process = psutil.Process(child.pid)
        rate = watch(configured, partial(plain_progress, connection), len(work.records), [process])
        child.stdout.read()  # what it has to say, before the pipe is closed
        check(connection, right)
    return rate


@contextmanager
def plain_tables(configured: Settings) -> Iterator[psycopg.Connection[Any]]:
    """Empty tables for a plain pipeline, dropped when the block ends."""
    with psycopg.connect(configured.database_url, autocommit=True) as connection:
        tables.prepare(connection, configured.partitions)
        try:
            yield connection
        finally:
            connection.execute("DROP SCHEMA plain CASCADE")


def plain_progress(connection: psycopg.Connection[Any]) -> int:
    """How many records a plain pipeline has committed."""
    return int(_row(connection, "SELECT sum(off) FROM plain.offsets")[0])


def check(connection: psycopg.Connection[Any], right: Result) -> None:
    """A rate counts only when the result is right."""
    found = tables.found(connection)
    if found != right:
        raise AssertionError(f"wrong result: {found} is not {right}")


def watch(
    configured: Settings,
    received: Callable[[], int],
    records: int,
    children: Sequence[psutil.Process],
) -> Rate:
    """From the first commit to the last one, seen every few milliseconds."""
    deadline = time.monotonic() + SECONDS_MAX
    first = seen = received()
    while not first and time.monotonic() < deadline:
        time.sleep(0.01)
        first = seen = received()
    if first >= records:
        raise AssertionError("everything came in one commit, so no time passed: take more events")
    watched = [children, *(_family(configured, part) for part in ("database", "broker"))]
    started, before = time.perf_counter(), [_cpu(processes) for processes in watched]
    while seen < records and time.monotonic() < deadline:
        time.sleep(0.01)
        after = [_cpu(processes) for processes in watched]
        seen = received()
    if seen < records:
        raise AssertionError(f"only {seen:,} of {records:,} records after {SECONDS_MAX} s")
    seconds = time.perf_counter() - started
    done = records - first
    spent = [(now - then) / done * 1e6 for now, then in zip(after, before, strict=True)]
    return Rate(done / seconds, *spent, max(peak_rss_mb(child.pid) for child in children))


def _family(configured: Settings, part: str) -> list[psutil.Process]:
    """The processes of a part of the platform."""
    parent = psutil.Process(status(configured.home).parts[part]["pid"])
    return [parent, *parent.children(recursive=True)]


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(p.cpu_times()[:2]) for p in processes if p.is_running())


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def _raw_poll(configured: Settings, records: int) -> tuple[list[Record], int]:
    consumer = reader(configured.kafka_bootstrap, max_poll_records=5_000)
    consumer.assign([TopicPartition(ACCOUNT, p) for p in range(configured.partitions)])
    consumer.seek_to_beginning()
    found: list[Record] = []
    started = time.perf_counter()
    while len(found) < records:
        for batch in consumer.poll(timeout_ms=500, max_records=5_000).values():
            found += [Record(r.topic, r.partition, r.offset, r.key, r.value) for r in batch]
    seconds = time.perf_counter() - started
    consumer.close()
    return found, round(records / seconds)


def _copy_with_inbox(configured: Settings, records: list[Record]) -> int:
    """Binary COPY into an inbox with a unique key and into a log with our indexes; no Python work."""
    rows = []
    for r in records:
        try:
            e = decode(r.value, r.key, r.topic, r.partition, r.offset)
        except InvalidEvent:
            continue
        identity = identify(e)
        rows.append((
            identity.event_key,
            identity.digest,
            e.client_id,
            e.time,
            e.business_date,
            r.topic,
            r.value,
        ))
    with psycopg.connect(configured.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE stage (event_key bytea, data_sha256 bytea) ON COMMIT DELETE ROWS;"
            "CREATE TABLE limit_inbox (event_key bytea PRIMARY KEY, data_sha256 bytea);"
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
