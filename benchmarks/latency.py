"""Produce-to-alert latency at a steady rate: from the send to the alert seen committed.

The same facts go through the limit, a plain pipeline and the product, each on a platform of its own,
one after the other in one run. One event in twenty raises an alert in all of them.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import psycopg

from benchmarks.ingest_job import tables
from benchmarks.scratch import consumer_process, machine_facts, scratch_platform
from consumers.publish import publish
from consumers.relay import producer_for
from lifecycle.events import Outgoing, encode
from lifecycle.events.account import AccountOpened, Party, TransactionPosted
from lifecycle.settings import ROOT, Settings

ALERT_EVERY = 20
"""One event in twenty overdraws an account of its own, with an amount over the plain threshold."""
CLIENTS = 2_000
WARM_UP_SECONDS = 5
LOOK_SECONDS = 0.005
STOP_AFTER = 10**9

Note = Callable[[str], None]


class _Pipeline(NamedTuple):
    """One way from the topic to the alert."""

    name: str
    running: Callable[[Settings], Any]
    """A context in which it runs."""
    received: str
    """How many records it has taken in."""
    alerts: str
    """(number, event id or account) of its alerts with a number above the one given."""


def measure(rates: Sequence[int], seconds: int, note: Note) -> dict[str, Any]:
    """At each rate of events a second, `seconds` long: the latency of limit, plain and product."""
    found = []
    for rate in rates:
        row: dict[str, Any] = {"rate": rate}
        for pipeline in _PIPELINES:
            note(f"{pipeline.name}: {rate} events/s for {seconds} s after {WARM_UP_SECONDS} s")
            row[pipeline.name] = _latency(pipeline, rate, seconds)
        product, plain = row["product"]["p99_ms"], row["reference"]["p99_ms"]
        row["ratio_p99"] = round(plain / product, 2)
        found.append(row)
    return {"seconds": seconds, "rates": found, "machine": machine_facts()}


def _latency(pipeline: _Pipeline, rate: int, seconds: int) -> dict[str, Any]:
    """Milliseconds from send to commit; an alert that was not seen is counted."""
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    stop = threading.Event()
    with scratch_platform() as configured, pipeline.running(configured):
        watcher = threading.Thread(target=_watch, args=(configured, pipeline.alerts, seen, stop))
        watcher.start()
        _open_accounts(configured, rate * (seconds + WARM_UP_SECONDS), pipeline.received)
        _send(configured, rate, seconds + WARM_UP_SECONDS, sent)
        time.sleep(3)
        stop.set()
        watcher.join()
    cut = min(sent.values()) + WARM_UP_SECONDS
    waits = sorted((seen[k] - at) * 1000 for k, at in sent.items() if at >= cut and k in seen)
    if not waits:
        raise AssertionError(f"{pipeline.name}: no alert was seen of {len(sent)}")
    return {
        "alerts": len(waits),
        "alerts_not_seen": sum(1 for k in sent if k not in seen),
        "p50_ms": round(_quantile(waits, 0.50), 1),
        "p99_ms": round(_quantile(waits, 0.99), 1),
        "max_ms": round(waits[-1], 1),
    }


@contextmanager
def _plain(module: str, configured: Settings) -> Iterator[None]:
    """A process of benchmarks.ingest_job on all partitions."""
    with psycopg.connect(configured.database_url, autocommit=True) as connection:
        tables.prepare(connection, configured.partitions)
    asked = {
        "bootstrap": configured.kafka_bootstrap,
        "database": configured.database_url,
        "partitions": list(range(configured.partitions)),
        "stop": STOP_AFTER,
    }
    command = [sys.executable, "-m", f"benchmarks.ingest_job.{module}", json.dumps(asked)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield
        finally:
            child.terminate()


_PLAIN = (
    "SELECT sum(off) FROM plain.offsets",
    "SELECT number, event_id FROM plain.alerts WHERE number > %s ORDER BY number",
)
_PIPELINES = (
    _Pipeline("limit", partial(_plain, "floor"), *_PLAIN),
    _Pipeline("reference", partial(_plain, "reference"), *_PLAIN),
    _Pipeline(
        "product",
        consumer_process,
        "SELECT sum(received) FROM consumer_offset",
        "SELECT outbox_id, convert_from(value, 'UTF8')::json -> 'data' -> 'evidence' -> -1 ->> "
        "'event_id' FROM outbox WHERE outbox_id > %s ORDER BY outbox_id",
    ),
)


def _send(configured: Settings, rate: int, seconds: int, sent: dict[str, float]) -> None:
    producer = producer_for(configured.kafka_bootstrap)
    started = time.monotonic()
    for number in range(rate * seconds):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        record = _event(number)
        producer.send(record.topic, key=record.key.encode(), value=record.value)
        if number % ALERT_EVERY == 0:
            sent[record.id] = time.monotonic()
    producer.flush()
    producer.close()


def _open_accounts(configured: Settings, postings: int, received: str) -> None:
    """Every posting refers to an account; all are known before the clock starts."""
    now = dt.datetime.now(dt.UTC)
    first = dict(map(_account, range(postings)))
    accounts = len(first)
    opened = (_opened(account, client, now) for account, client in first.items())
    publish(opened, configured.kafka_bootstrap)
    with psycopg.connect(configured.database_url, autocommit=True) as connection:
        taken = 0
        while taken < accounts:
            time.sleep(0.1)
            row = connection.execute(received).fetchone()
            taken = int(row[0]) if row else 0


def _account(number: int) -> tuple[str, str]:
    """Account and client of a posting: the client's one, or one of its own to be overdrawn."""
    client = number % CLIENTS
    account = CLIENTS + number if number % ALERT_EVERY == 0 else client
    return f"B{account}", f"C{client}"


def _opened(account: str, client: str, now: dt.datetime) -> Outgoing:
    data = AccountOpened(
        business_date=now.date(),
        account_id=account,
        account_type="CACC",
        currency="CNY",
        opened_date=now.date(),
        parties=(Party(client_id=client, role="OWNER"),),
    )
    return encode(data, source="/bench", client_id=client, time=now)


def _event(number: int) -> Outgoing:
    now = dt.datetime.now(dt.UTC)
    account, client = _account(number)
    overdrawn = number % ALERT_EVERY == 0
    data = TransactionPosted(
        business_date=now.date(),
        account_id=account,
        transaction_id=f"T{number}",
        amount="25000.01" if overdrawn else "10.00",
        currency="CNY",
        credit_debit_indicator="DBIT",
        booking_datetime=now,
        balance_after="-10.00" if overdrawn else "10.00",
    )
    return encode(data, source="/bench", client_id=client, time=now)


def _watch(
    configured: Settings, alerts: str, seen: dict[str, float], stop: threading.Event
) -> None:
    """An alert is seen when its row is visible to another connection."""
    last = 0
    with psycopg.connect(configured.database_url, autocommit=True) as connection:
        while not stop.wait(LOOK_SECONDS):
            rows = connection.execute(alerts, (last,)).fetchall()
            now = time.monotonic()
            for number, event_id in rows:
                last = number
                seen.setdefault(event_id, now)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
