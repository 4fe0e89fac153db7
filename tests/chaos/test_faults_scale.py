"""Faults 22 to 24: topics grow, a burst meets a slow database, the gate cannot vouch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from itertools import chain
from typing import Any

import great_expectations.expectations as gxe
import pytest
from kafka import KafkaAdminClient

from expectations import raw
from expectations.gate import GreatExpectationsGate, Rule
from lifecycle import app
from lifecycle.events import SOURCE_TOPICS
from lifecycle.ports import Verdict
from tests.chaos.own import own_rig
from tests.chaos.rig import EVENTS, PATIENCE, SEED, Consumer, Rig
from tests.chaos.traffic import Produced, good, traffic
from tests.support import DAY, at, opened, outgoing, posted, query, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
BATCH = str(max(100, EVENTS // 20))
NOTICED_SECONDS_MAX = 60
"""New partitions are seen when the client next asks for metadata, every 30 s."""


# --- 22: more partitions ----------------------------------------------------------------------


@pytest.fixture
def four() -> Iterator[Rig]:
    """Topics of four partitions; made for one test, because partitions cannot be taken away."""
    with own_rig(partitions=4) as rig:
        yield rig


def test_fault_22_four_partitions_become_eight(four: Rig) -> None:
    """Inject: all source topics go from 4 to 8 partitions while two consumers read, so half of the
    clients' later facts are in another partition than their earlier ones. Expect: the new
    partitions are noticed within a minute and read from their first record; no consumer ends; the
    version of a client's state guards it; 0 lost, 0 doubled."""
    rig = four
    records = rig.traffic()
    third = len(records) // 3
    first, second = rig.consume(), rig.consume()
    rig.publish(records[:third])
    rig.wait_received()
    wait_for(lambda: len(rig.members()) == 2, 60, "both are members")
    time.sleep(5)  # until both have their partitions and nothing makes them ask for metadata
    rig.publish(records[third : 2 * third])
    admin = KafkaAdminClient(bootstrap_servers=rig.settings.kafka_bootstrap)
    try:
        admin.create_partitions(dict.fromkeys(SOURCE_TOPICS, 8))
    finally:
        admin.close()
    rig.publish(records[2 * third :])
    grown = time.monotonic()
    with rig.running(first), rig.running(second):
        rig.wait_received(seconds=NOTICED_SECONDS_MAX + PATIENCE)
        print(f"noticed and read after {time.monotonic() - grown:.0f} s")
        rig.settle()
    rows = app.offsets(replace(rig.settings, partitions=8))
    assert all(row["lag"] == 0 for row in rows)
    assert any(row["received"] for row in rows if row["partition"] >= 4)
    moved = query(
        rig.settings,
        "SELECT client_id FROM event_log GROUP BY client_id, topic "
        "HAVING count(DISTINCT partition) > 1",
    )
    assert moved, "some clients' facts are in two partitions of a topic"


# --- 23: a burst ------------------------------------------------------------------------------

MEMORY_MB_MAX = 900
SLOW_SECONDS = 0.2


def _burst() -> list[Produced]:
    """Ten times the usual events, every second one of one client's account."""
    others = good(traffic(SEED, 5 * EVENTS, "B"))
    hot = [outgoing(opened("HOT", "HOT"), "HOT")]
    for number in range(len(others) - 1):
        minute = number % 60
        fact = posted(number, account_id="HOT", booking_datetime=at(DAY, 12, minute))
        hot.append(outgoing(fact, "HOT"))
    return list(chain.from_iterable(zip(others, good(hot), strict=True)))


def _peak_mb(rig: Rig, consumer: Consumer, seconds: float) -> float:
    """Watch its memory until everything is accounted for."""
    peak, deadline = 0.0, time.monotonic() + seconds
    while rig.received() < len(rig.ledger):
        assert time.monotonic() < deadline, f"{rig.received():,} of {len(rig.ledger):,}"
        peak = max(peak, consumer.memory_mb())
        time.sleep(0.05)
    return peak


def test_fault_23_a_burst_and_a_slow_database(rig: Rig, record_property: Any) -> None:
    """Inject: ten times the events at once, every second one of one client, while each answer of
    the database takes 200 ms more. Expect: the consumer's memory stays below 900 MB, nobody leaves
    the group, all is drained; 0 lost, 0 doubled."""
    rig.publish(rig.traffic())
    consumer = rig.consume(rig.proxied)
    rig.wait_received()
    members = rig.members()
    assert len(members) == 1
    calm = consumer.memory_mb()
    rig.database.latency = SLOW_SECONDS
    rig.publish(_burst())
    started = time.monotonic()
    peak = _peak_mb(rig, consumer, 60 + 10 * EVENTS / 500)
    took = time.monotonic() - started
    print(
        f"{10 * EVENTS:,} in {took:.0f} s; memory {calm:.0f} MB before, {peak:.0f} MB at its peak"
    )
    record_property("peak_mb", round(peak))
    assert rig.members() == members, "nobody had to join again"
    assert peak < MEMORY_MB_MAX
    rig.database.latency = 0.0
    with rig.running(consumer):
        rig.settle()


# --- 24: the gate -----------------------------------------------------------------------------


def _closed(verdict: Verdict) -> bool:
    """It does not vouch: what follows is blocked."""
    return not verdict.success and bool(verdict.blocking)


STAGES = ("raw", "raw_hour", "staged", "profile", "score", "alert")
PLACES = [
    (stage, rule.expectation.column)
    for stage in STAGES
    for rule in import_module(f"expectations.{stage}").RULES
]
"""Every column that a stage judges."""


def _good(stage: str, rows: int) -> dict[str, Any]:
    """Columns that a stage vouches for."""
    special: dict[str, Any] = {
        **{name: list(range(rows)) for name in ("key", "event_key", "digest")},
        "purpose": ["P1_SERVICE"] * rows,
    }
    columns = {column for where, column in PLACES if where == stage}
    return {column: special.get(column, [True] * rows) for column in columns}


@pytest.fixture(scope="module")
def gate() -> GreatExpectationsGate:
    return GreatExpectationsGate()


@pytest.mark.parametrize("stage", STAGES)
def test_fault_24_the_gate_is_open_for_what_is_good(
    gate: GreatExpectationsGate, stage: str
) -> None:
    """Inject: nothing. Expect: the gate is open, so that the other tests of it say something."""
    assert gate.check(stage, _good(stage, 1_000), 1_000).success


def test_fault_24_an_empty_batch(gate: GreatExpectationsGate) -> None:
    """Inject: no rows. Expect: closed, where the library says success."""
    assert _closed(gate.check("raw", _good("raw", 0), 0))


def test_fault_24_rows_that_did_not_arrive(gate: GreatExpectationsGate) -> None:
    """Inject: columns hold fewer rows than the batch has. Expect: closed."""
    assert _closed(gate.check("raw", _good("raw", 999), 1_000))


def test_fault_24_no_expectation(
    gate: GreatExpectationsGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inject: a suite without expectations. Expect: closed, where the library says success."""
    monkeypatch.setattr(raw, "RULES", ())
    assert _closed(gate.check("raw", _good("raw", 10), 10))


@pytest.mark.parametrize(("stage", "column"), PLACES)
@pytest.mark.parametrize("value", [None, math.nan], ids=["null", "nan"])
def test_fault_24_all_null(
    gate: GreatExpectationsGate, stage: str, column: str, value: Any
) -> None:
    """Inject: a column holds only missing values. Expect: the stage is blocked, or every row is
    named."""
    rows = 1_000
    verdict = gate.check(stage, _good(stage, rows) | {column: [value] * rows}, rows)
    assert not verdict.success
    assert _closed(verdict) or len(verdict.quarantined()) == rows


@pytest.mark.parametrize(("stage", "column"), [p for p in PLACES if p[1].startswith("ck_")])
def test_fault_24_infinity(gate: GreatExpectationsGate, stage: str, column: str) -> None:
    """Inject: a check column holds infinity, which passes every lower bound. Expect: the row is
    named, or the stage is blocked."""
    values: list[Any] = [True] * 10
    values[3] = math.inf
    verdict = gate.check(stage, _good(stage, 10) | {column: values}, 10)
    assert not verdict.success
    assert _closed(verdict) or set(verdict.quarantined()) == {3}


def test_fault_24_an_expectation_raises(
    gate: GreatExpectationsGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inject: an expectation that cannot be evaluated, because its column is not there or because
    it raises. Expect: closed, with what could not be evaluated."""
    absent = Rule("raw-x", "X", "warn", "", "", gxe.ExpectColumnValuesToNotBeNull(column="absent"))
    uneven = gxe.ExpectColumnValuesToMatchRegex(column="is_on_time", regex="(")
    for rule in (absent, Rule("raw-y", "Y", "warn", "", "", uneven)):
        monkeypatch.setattr(raw, "RULES", (*raw.RULES[:3], rule))
        verdict = GreatExpectationsGate().check("raw", _good("raw", 10), 10)
        assert _closed(verdict), rule.id
        assert any(rule.id in failure.reason_en for failure in verdict.failures)
        monkeypatch.undo()


def test_fault_24_the_gate_closes_in_a_consumer(rig: Rig) -> None:
    """Inject: the gate does not vouch for the second batch. Expect: the consumer ends and says so;
    no offset is moved for that batch, nothing of it is stored; the next consumer takes it."""
    rig.publish(rig.traffic())
    consumer = rig.faulty("--batch", BATCH, "--closed-gate", "--after", "2")
    assert consumer.wait(PATIENCE) == 1, consumer.said()[-2000:]
    assert "Gate raw could not vouch" in consumer.said(), consumer.said()[-2000:]
    assert rig.received() == rig.ask("SELECT count(*) FROM event_log")
    assert 0 < rig.received() <= int(BATCH)
    rig.finish()


def test_fault_24_the_gate_does_not_answer(rig: Rig) -> None:
    """Inject: the gate takes longer than the watchdog's time for the second batch. Expect: the
    watchdog ends the consumer with all stacks; no offset is moved for that batch; the next consumer
    takes it."""
    rig.publish(rig.traffic())
    slow = ["--slow-gate", "600", "--after", "2", "--watchdog", "8"]
    consumer = rig.faulty("--batch", BATCH, *slow)
    assert consumer.wait(60) == 1, consumer.said()[-2000:]
    assert "Timeout" in consumer.said(), consumer.said()[-2000:]
    assert "in check" in consumer.said(), "the stack says where it was stuck"
    wait_for(lambda: 0 < rig.received() <= int(BATCH), 5, "the first batch stands, no other")
    rig.finish()
