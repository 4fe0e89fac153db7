"""Produce-to-alert latency at a steady rate: from the send to the alert seen committed."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from benchmarks.scratch import consumer_process, machine_facts, scratch_platform
from consumers.publish import publish
from consumers.relay import producer_for
from lifecycle.events import encode
from lifecycle.events.account import AccountOpened, Party, TransactionPosted
from lifecycle.settings import Settings

ALERT_EVERY = 20
"""One event in twenty overdraws an account of its own."""
CLIENTS = 2_000
WARM_UP_SECONDS = 5
LOOK_SECONDS = 0.01


def measure(rate: int, seconds: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Send `rate` events a second for `seconds`; report the latency of the alerts they raise."""
    with scratch_platform() as configured, consumer_process(configured):
        sent: dict[str, float] = {}
        seen: dict[str, float] = {}
        stop = threading.Event()
        watcher = threading.Thread(target=_watch, args=(configured, seen, stop))
        watcher.start()
        _open_accounts(configured, rate * (seconds + WARM_UP_SECONDS))
        note(f"{rate} events/s for {seconds} s after {WARM_UP_SECONDS} s of warm-up")
        _send(configured, rate, seconds + WARM_UP_SECONDS, sent)
        time.sleep(3)
        stop.set()
        watcher.join()
    cut = min(sent.values()) + WARM_UP_SECONDS
    waits = sorted((seen[k] - at) * 1000 for k, at in sent.items() if at >= cut and k in seen)
    lost = sum(1 for k in sent if k not in seen)
    return {
        "rate": rate,
        "seconds": seconds,
        "alerts": len(waits),
        "alerts_not_seen": lost,
        "p50_ms": round(_quantile(waits, 0.50), 1),
        "p99_ms": round(_quantile(waits, 0.99), 1),
        "max_ms": round(waits[-1], 1),
        "machine": machine_facts(),
    }


def _send(configured: Settings, rate: int, seconds: int, sent: dict[str, float]) -> None:
    producer = producer_for(configured.kafka_bootstrap)
    started = time.monotonic()
    for number in range(rate * seconds):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        record = _event(number, overdrawn=number % ALERT_EVERY == 0)
        producer.send(record.topic, key=record.key.encode(), value=record.value)
        if number % ALERT_EVERY == 0:
            sent[f"account/LAT-{number}"] = time.monotonic()
    producer.flush()
    producer.close()


def _open_accounts(configured: Settings, accounts: int) -> None:
    """Every posting refers to an account; all are known before the clock starts."""
    now = dt.datetime.now(dt.UTC)
    facts = (
        AccountOpened(
            business_date=now.date(),
            account_id=f"LAT-{number}",
            account_type="CACC",
            currency="CNY",
            opened_date=now.date(),
            parties=(Party(client_id=f"LAT-{number % CLIENTS}", role="OWNER"),),
        )
        for number in range(accounts)
    )
    publish(
        (
            encode(fact, source="/bench", client_id=fact.parties[0].client_id, time=now)
            for fact in facts
        ),
        configured.kafka_bootstrap,
    )
    with psycopg.connect(configured.database_url, autocommit=True) as connection:
        taken = 0
        while taken < accounts:
            time.sleep(0.1)
            row = connection.execute("SELECT sum(received) FROM consumer_offset").fetchone()
            taken = int(row[0]) if row else 0


def _event(number: int, *, overdrawn: bool) -> Any:
    now = dt.datetime.now(dt.UTC)
    data = TransactionPosted(
        business_date=now.date(),
        account_id=f"LAT-{number}",
        transaction_id=f"LAT-{number}",
        amount="10.00",
        currency="CNY",
        credit_debit_indicator="DBIT",
        booking_datetime=now,
        balance_after="-10.00" if overdrawn else "10.00",
    )
    return encode(data, source="/bench", client_id=f"LAT-{number % CLIENTS}", time=now)


def _watch(configured: Settings, seen: dict[str, float], stop: threading.Event) -> None:
    """An alert is seen when its outbox row is visible to another connection."""
    last = 0
    with psycopg.connect(configured.database_url, autocommit=True) as connection:
        while not stop.wait(LOOK_SECONDS):
            rows = connection.execute(
                "SELECT outbox_id, value FROM outbox WHERE outbox_id > %s ORDER BY outbox_id",
                (last,),
            ).fetchall()
            now = time.monotonic()
            for outbox_id, value in rows:
                last = outbox_id
                seen[json.loads(value)["data"]["entity"]] = now


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
