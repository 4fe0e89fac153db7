"""The judged numbers: what is good, what is bad, and that nothing unread is ever shown as good."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lifecycle.alerts.rules import load_rules
from lifecycle.offsets import cut, damaged
from lifecycle.operations import Readings, Tile, duration, snapshot, trouble
from lifecycle.settings import ROOT

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
ZONE = ZoneInfo("Asia/Shanghai")
FIGURES = {
    name: parameter.value
    for name, parameter in load_rules(ROOT / "rules" / "operations").parameters.items()
}
LAG = {"bank.account.v1": {"0": 0, "1": 0}}


def ago(**span: float) -> dt.datetime:
    return NOW - dt.timedelta(**span)


def numbers(**changes: Any) -> dict[str, Any]:
    """A healthy bank: 12 records in, nothing waits, last night published and proved."""
    healthy: dict[str, Any] = {
        "counters": {
            "received": 12,
            "applied": 10,
            "quarantined": 1,
            "duplicates": 1,
            "parked": 0,
            "logged": 10,
            "held": 1,
            "waiting": 0,
            "last_batch_at": ago(seconds=30),
        },
        "facts": {
            "last_at": ago(seconds=30),
            "day": dt.date(2026, 3, 2),
            "topics": [{"topic": "bank.account.v1", "facts": 10}],
        },
        "quarantine": [],
        "parked": [],
        "gaps": [],
        "stopped": [],
        "gates": [{"stage": "raw", "runs": 5, "passed": 5, "blocked": 0}],
        "alerts": [],
        "deliveries": [],
        "outbox": {"waiting": 0, "oldest": None},
        "nightly": {
            "business_date": dt.date(2026, 3, 1),
            "status": "PUBLISHED",
            "reason": None,
            "started_at": ago(hours=2),
            "finished_at": ago(hours=1),
        },
        "published_at": ago(hours=1),
        "proof": {
            "equal": True,
            "clients": 3,
            "events": 10,
            "alerts": 0,
            "proved_at": ago(hours=1),
        },
        "backfills": [],
        "publications": [{"product": "risk_score", "as_of": dt.date(2026, 3, 1), "stale": False}],
    }
    return copy.deepcopy(healthy) | changes


def look(
    read: dict[str, Any] | None = None,
    lag: dict[str, dict[str, int]] | None = LAG,
    unavailable: dict[str, str] | None = None,
) -> dict[str, Any]:
    return snapshot(Readings(NOW, ZONE, read, lag, unavailable or {}), FIGURES)


def tile(shown: dict[str, Any], name: str) -> Tile:
    (found,) = [t for t in shown["tiles"] if t.id == name]
    return found


def test_a_healthy_bank_is_good_everywhere() -> None:
    shown = look(numbers())
    assert {t.id: t.state for t in shown["tiles"] if t.state != "good"} == {}
    assert shown["state"] == "good"
    assert trouble(shown) == []
    assert shown["reconciliation"] == {
        "in": 12, "applied": 10, "quarantined": 1, "duplicates": 1, "parked": 0, "balanced": True,
    }  # fmt: skip


@pytest.mark.parametrize("counter", ["received", "applied", "quarantined", "logged", "held"])
def test_one_record_too_many_anywhere_is_not_balanced(counter: str) -> None:
    read = numbers()
    read["counters"][counter] += 1
    shown = look(read)
    assert not shown["reconciliation"]["balanced"]
    assert tile(shown, "books").state == "bad"
    assert trouble(shown)[0].startswith("Books: ")


def test_without_the_database_everything_is_unknown_and_says_why() -> None:
    shown = look(None, None, {"database": "The database does not answer."})
    assert {t.state for t in shown["tiles"]} == {"unknown"}
    assert {t.value for t in shown["tiles"]} == {None}
    assert {t.note for t in shown["tiles"]} == {"The database does not answer."}
    assert shown["reconciliation"] == {}
    assert shown["lag_total"] is None


def test_without_the_broker_only_its_numbers_are_unknown() -> None:
    shown = look(numbers(), None, {"broker": "The broker does not answer."})
    unknown = {t.id for t in shown["tiles"] if t.state == "unknown"}
    assert unknown == {"lag", "ingest"}
    assert shown["state"] == "unknown"
    assert len(trouble(shown)) == 2


@pytest.mark.parametrize(("behind", "state"), [(999, "good"), (1_000, "warn"), (10_000, "bad")])
def test_lag_by_its_thresholds(behind: int, state: str) -> None:
    shown = look(numbers(), {"bank.account.v1": {"0": behind, "1": 0}})
    assert tile(shown, "lag").state == state
    assert tile(shown, "lag").value == shown["lag_total"] == behind
    assert "1 of 2 partitions" in tile(shown, "lag").note


@pytest.mark.parametrize(
    ("minutes", "value", "state"),
    [(0.5, "moving", "good"), (2, "slow", "warn"), (6, "stuck", "bad")],
)
def test_records_that_wait_while_nothing_is_committed_are_stuck(
    minutes: float, value: str, state: str
) -> None:
    read = numbers()
    read["counters"]["last_batch_at"] = ago(minutes=minutes)
    shown = look(read, {"bank.account.v1": {"0": 5}})
    assert (tile(shown, "ingest").value, tile(shown, "ingest").state) == (value, state)


def test_a_quiet_stream_is_not_stuck() -> None:
    read = numbers()
    read["counters"]["last_batch_at"] = ago(days=3)
    assert tile(look(read), "ingest").state == "good"


def test_facts_of_another_day_are_not_todays() -> None:
    read = numbers()
    read["facts"]["day"] = dt.date(2026, 3, 1)
    shown = look(read)
    assert tile(shown, "facts").value == 0
    assert "2026-03-01, had 10" in tile(shown, "facts").note
    assert shown["facts_today"] == []
    assert shown["facts_last_day"]["topics"]


def test_today_is_the_banks_today() -> None:
    """At 16:30 UTC it is already tomorrow in Shanghai."""
    readings = Readings(NOW.replace(hour=16, minute=30), ZONE, numbers(), LAG)
    assert snapshot(readings, FIGURES)["facts_today"] == []


@pytest.mark.parametrize(
    ("severity", "hours", "state"),
    [
        ("P1", 0.2, "good"),
        ("P1", 0.3, "bad"),
        ("P2", 1, "good"),
        ("P2", 3, "bad"),
        ("P3", 30, "warn"),
    ],
)
def test_an_alert_nobody_acknowledges_turns_the_tile(
    severity: str, hours: float, state: str
) -> None:
    row = {"severity": severity, "open": 2, "new": 1, "oldest_new": ago(hours=hours)}
    shown = look(numbers(alerts=[row]))
    assert (tile(shown, "alerts").value, tile(shown, "alerts").state) == (2, state)


def test_acknowledged_alerts_are_not_late() -> None:
    row = {"severity": "P1", "open": 2, "new": 0, "oldest_new": None}
    assert tile(look(numbers(alerts=[row])), "alerts").state == "good"


def test_undelivered_alerts_turn_with_age_and_name_the_channel() -> None:
    row = {"channel": "RM:mail", "waiting": 3, "failing": 3, "oldest": ago(minutes=12)}
    late = tile(look(numbers(deliveries=[row])), "deliveries")
    assert (late.value, late.state) == (3, "warn")
    assert "RM:mail" in late.note


@pytest.mark.parametrize(
    ("gate", "state"),
    [
        ({"runs": 5, "passed": 5, "blocked": 0}, "good"),
        ({"runs": 5, "passed": 4, "blocked": 0}, "warn"),
        ({"runs": 5, "passed": 4, "blocked": 1}, "bad"),
        ({"runs": 0, "passed": 0, "blocked": 0}, "idle"),
    ],
)
def test_gates(gate: dict[str, int], state: str) -> None:
    assert tile(look(numbers(gates=[{"stage": "raw"} | gate])), "gates").state == state


@pytest.mark.parametrize("status", ["BLOCKED", "FAILED"])
def test_a_night_that_did_not_end_says_why(status: str) -> None:
    night = numbers()["nightly"] | {"status": status, "reason": "Gate staged blocks 2026-03-01."}
    shown = tile(look(numbers(nightly=night)), "nightly")
    assert shown.state == "bad"
    assert "Gate staged blocks 2026-03-01." in shown.note


@pytest.mark.parametrize(("hours", "state"), [(25, "good"), (27, "warn"), (51, "bad")])
def test_a_night_that_was_not_run_is_missed(hours: float, state: str) -> None:
    assert tile(look(numbers(published_at=ago(hours=hours))), "nightly").state == state


def test_what_is_stale_or_differs_is_bad() -> None:
    stale = numbers()["publications"][0] | {"stale": True}
    assert tile(look(numbers(publications=[stale])), "served").state == "bad"
    different = numbers()["proof"] | {"equal": False}
    assert tile(look(numbers(proof=different)), "proof").state == "bad"


def test_a_new_bank_is_idle_not_good() -> None:
    fresh = numbers(nightly=None, proof=None, publications=[], gates=[], published_at=None)
    fresh["facts"] = {"last_at": None, "day": None, "topics": []}
    fresh["counters"] = dict.fromkeys(fresh["counters"], 0) | {"last_batch_at": None}
    shown = look(fresh)
    idle = {t.id for t in shown["tiles"] if t.state == "idle"}
    assert idle == {"ingest", "facts", "gates", "nightly", "proof", "served"}


def test_every_number_says_how_long_it_may_be_shown() -> None:
    for shown in look(numbers())["tiles"]:
        assert shown.measured_at == NOW
        assert shown.fresh_seconds == FIGURES["fresh_seconds"]


def test_a_stopped_partition_is_advised_by_its_reason() -> None:
    place = {"topic": "bank.account.v1", "partition": 3, "next_offset": 1_010, "stopped_at": NOW}
    bad = tile(look(numbers(stopped=[place | {"reason": "1,000 bad records in a row"}])), "stopped")
    assert "mend its producer, then `lifecycle offsets resume bank.account.v1 3" in bad.note
    for reason in (damaged(("bank.account.v1", 3), 1_010, 1_020), cut(("t", 3), 1_010, 40)):
        note = tile(look(numbers(stopped=[place | {"reason": reason}])), "stopped").note
        assert "lifecycle offsets set" in note
        assert "offsets resume" not in note
        assert "mend its producer" not in note


def test_durations_as_people_say_them() -> None:
    spans = [dt.timedelta(seconds=90), dt.timedelta(minutes=90), dt.timedelta(days=3)]
    assert [duration(span) for span in spans] == ["90 s", "90 min", "3 d"]
