"""What tests build on: facts, records of facts, a database that starts empty, a consumer process."""

from __future__ import annotations

import datetime as dt
import gc
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg

from consumers.loop import SWITCH_SECONDS_BEHIND
from consumers.topics import source_offsets
from lifecycle import app
from lifecycle.adapters.memory import MemoryGate
from lifecycle.breaker import Breaker
from lifecycle.events import Event, Fact, Outgoing, decode, encode
from lifecycle.events.account import AccountOpened, Party, TransactionPosted
from lifecycle.events.credit import (
    Allocation,
    CreditDisbursed,
    RepaymentDue,
    RepaymentMade,
    RepaymentMissed,
)
from lifecycle.intake import Prepared, prepare
from lifecycle.limits import Limits
from lifecycle.ports import Gate, Record
from lifecycle.settings import Settings

DAY = dt.date(2026, 3, 2)
TABLES = (
    "proof facility_stage risk_score client_profile publication nightly_run seal alert_delivery "
    "alert_action alert outbox quarantine client_state event_log inbox micro_batch gate_result "
    "rule_set consumer_offset nightly_turn correction parked sequence_gap gap_decision quarantine_request offset_decision "
    "inbox_horizon inbox_recalled backfill_request profile_read profile_refresh client_summary lifecycle_transition client_task model_monitoring model_change model_request model"
)


def at(day: dt.date, hour: int = 12, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), dt.UTC)


def opened(account: str = "A1", client: str = "C1", limit: str = "0", day: dt.date = DAY) -> Fact:
    return AccountOpened(
        business_date=day,
        account_id=account,
        account_type="CACC",
        currency="CNY",
        opened_date=day,
        parties=(Party(client_id=client, role="OWNER"),),
        overdraft_limit=limit,
    )


def posted(number: int = 1, *, day: dt.date = DAY, **changes: Any) -> TransactionPosted:
    fields: dict[str, Any] = {
        "business_date": day,
        "account_id": "A1",
        "transaction_id": f"T{number}",
        "amount": "100.00",
        "currency": "CNY",
        "credit_debit_indicator": "CRDT",
        "booking_datetime": at(day),
        "balance_after": "100.00",
    }
    return TransactionPosted(**(fields | changes))


def due(number: int, day: dt.date, total: str = "500.00") -> Fact:
    return RepaymentDue(
        business_date=day,
        facility_id="L1",
        instalment_no=number,
        due_date=day,
        principal=total,
        total=total,
        currency="CNY",
    )


def made(payment: str, day: dt.date, amount: str = "500.00") -> Fact:
    return RepaymentMade(
        business_date=day,
        facility_id="L1",
        payment_id=payment,
        paid_at=at(day),
        amount=amount,
        currency="CNY",
        allocation=Allocation(principal=amount),
    )


def missed(number: int, due_day: dt.date, outstanding: str = "500.00") -> Fact:
    return RepaymentMissed(
        business_date=due_day + dt.timedelta(days=1),
        facility_id="L1",
        instalment_no=number,
        due_date=due_day,
        outstanding=outstanding,
        currency="CNY",
        dpd_start=due_day,
    )


def disbursed(day: dt.date = DAY, client: str = "C1") -> Fact:
    return CreditDisbursed(
        business_date=day,
        facility_id="L1",
        client_id=client,
        tranche_no=1,
        amount="6000.00",
        currency="CNY",
    )


def outgoing(
    data: Fact,
    client: str = "C1",
    time: dt.datetime | None = None,
    sequence: int = 0,
    source: str = "/replay/test",
) -> Outgoing:
    """Of a replay of history, unless told otherwise: the days of tests are long ago."""
    return encode(
        data,
        source=source,
        client_id=client,
        time=time or at(data.business_date),
        sequence=sequence,
    )


def event(
    data: Fact, client: str = "C1", offset: int = 0, time: dt.datetime | None = None
) -> Event:
    out = outgoing(data, client, time)
    return decode(out.value, client.encode(), out.topic, 0, offset)


def records(outs: list[Outgoing]) -> list[Record]:
    """Records of partition 0 of each topic, with offsets in order."""
    offsets: dict[str, int] = {}
    found = []
    for out in outs:
        offset = offsets.get(out.topic, 0)
        offsets[out.topic] = offset + 1
        found.append(Record(out.topic, 0, offset, out.key.encode(), out.value))
    return found


LIMITS = Limits(
    earliest=dt.datetime(1990, 1, 1, tzinfo=dt.UTC),
    future=dt.timedelta(minutes=5),
    book_ahead=dt.timedelta(days=15),
    late=dt.timedelta(hours=24),
    history=("/replay/",),
    orphan_age=dt.timedelta(hours=72),
    bad_run=100,
    bad_share=0.5,
    bad_window=1_000,
)


UNBREAKABLE = msgspec.structs.replace(LIMITS, bad_run=10**9, bad_share=1.0)
"""For a test that feeds more bad records than a partition may bring."""


def prepared(batch: Sequence[Record], now: dt.datetime, gate: Gate | None = None) -> Prepared:
    """A batch as a consumer prepares it, with a breaker of its own."""
    return prepare(
        batch, gate=gate or MemoryGate(), limits=LIMITS, breaker=Breaker(LIMITS), now=now
    )


def reset(configured: Settings) -> None:
    """Empty all tables and the lake; offset rows at the end of every topic, so that old records stay unread."""
    shutil.rmtree(configured.lake, ignore_errors=True)
    ends = source_offsets(configured.kafka_bootstrap, configured.partitions, "end")
    with psycopg.connect(configured.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES.split())} RESTART IDENTITY CASCADE")
        cursor.executemany(
            "INSERT INTO consumer_offset (consumer_group, topic, partition, next_offset) "
            "VALUES (%s, %s, %s, %s)",
            [(configured.consumer_group, t, p, offset) for (t, p), offset in ends.items()],
        )


def query(configured: Settings, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(configured.database_url) as connection:
        return connection.execute(text, parameters).fetchall()


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


def received(configured: Settings) -> int:
    return int(query(configured, "SELECT coalesce(sum(received), 0) FROM consumer_offset")[0][0])


@contextmanager
def consumer(configured: Settings) -> Iterator[None]:
    """What `lifecycle consume` runs, on a thread: a process of its own would load Great Expectations
    again, for seconds. The faults use processes."""
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        consuming = pool.submit(app.consume, configured, stop)
        try:
            yield
        finally:
            stop.set()
            consuming.result(60)
            # A consumer has a process to itself and sets it up for speed.
            gc.unfreeze()
            gc.enable()
            sys.setswitchinterval(SWITCH_SECONDS_BEHIND)


def insert_alert(configured: Settings, **columns: Any) -> None:
    """One row of the alert table, with what a test does not care about filled in."""
    row = {
        "alert_id": str(uuid.uuid4()),
        "alert_key": f"RT-03|{uuid.uuid4()}",
        "origin": "STREAM",
        "rule_id": "RT-03",
        "rule_version": 1,
        "rules_hash": "test",
        "severity": "P2",
        "client_id": "C1",
        "entity": "account/A1",
        "owner": "RM",
        "status": "NEW",
        "event_time": at(DAY),
        "detected_at": at(DAY),
        "value": "-1.00",
        "unit": "CNY",
        "hit_count": 1,
        "last_seen": at(DAY),
        "max_value": "-1.00",
        "message_zh": "余额为负",
        "message_en": "overdrawn",
        "evidence": "[]",
        "decision": b"{}",
        "gate_result_id": 1,
        "code_version": "test",
    } | columns
    names = ", ".join(row)
    with psycopg.connect(configured.database_url) as connection:
        connection.execute(
            "INSERT INTO rule_set (rules_hash, content) VALUES ('test', '{}') ON CONFLICT DO NOTHING"
        )
        connection.execute(
            f"INSERT INTO alert ({names}) VALUES ({', '.join(['%s'] * len(row))})",
            tuple(row.values()),
        )
