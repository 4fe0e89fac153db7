"""Deliveries: one suite, in memory and on PostgreSQL."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lifecycle.adapters.delivery_store import DeliveryStore
from lifecycle.adapters.memory_deliveries import MemoryDeliveries
from lifecycle.alerts.dispatch import Deliveries, Due
from lifecycle.settings import Settings
from tests.support import DAY, at, insert_alert

NOW = at(DAY)
RETRY_MINUTES = (1, 5)
CHANNELS = ["RM:file", "RM:mail"]

Open = Callable[..., Deliveries]
"""Called with alert rows, gives deliveries over them."""


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.integration)])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    if request.param == "memory":
        yield lambda *alerts: MemoryDeliveries(alerts)
        return
    configured: Settings = request.getfixturevalue("clean")
    stores = []

    def over(*alerts: dict[str, Any]) -> Deliveries:
        for alert in alerts:
            insert_alert(configured, **alert)
        stores.append(DeliveryStore(configured.database_url))
        return stores[-1]

    yield over
    for store in stores:
        store.close()


def alert(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "alert_id": f"00000000-0000-0000-0000-{number:012d}",
        "alert_key": f"RT-03|account/{number}|1",
        "rule_id": "RT-03",
        "severity": "P2",
        "owner": "RM",
        "status": "NEW",
        "client_id": f"C{number}",
        "entity": f"account/{number}",
        "message_zh": "余额为负",
        "message_en": "overdrawn",
        "event_time": NOW,
        "detected_at": NOW + dt.timedelta(seconds=number),
    } | changes


def due(deliveries: Deliveries, minutes: float = 0, limit: int = 10) -> list[Due]:
    now = NOW + dt.timedelta(minutes=minutes)
    return deliveries.due(now, CHANNELS, RETRY_MINUTES, limit)


def plan(deliveries: Deliveries, *numbers: int, channels: tuple[str, ...] = ("RM:mail",)) -> None:
    deliveries.plan([(alert(n)["alert_id"], channel) for n in numbers for channel in channels])


def settle(deliveries: Deliveries, one: Due, error: str | None, minutes: float = 0) -> None:
    with deliveries.claim(one) as row:
        assert row is not None
        deliveries.settle(one, NOW + dt.timedelta(minutes=minutes), error)


def test_open_alerts_without_a_plan(opened: Open) -> None:
    deliveries = opened(alert(1), alert(2, owner="CO"), alert(3, status="CLOSED"))
    plan(deliveries, 1)
    assert deliveries.unplanned() == [(alert(2)["alert_id"], "CO")]


def test_planning_twice_is_planning_once(opened: Open) -> None:
    deliveries = opened(alert(1))
    plan(deliveries, 1)
    settle(deliveries, due(deliveries)[0], None)
    plan(deliveries, 1)
    assert due(deliveries, 60) == []


def test_the_gravest_then_the_oldest_first_up_to_the_limit(opened: Open) -> None:
    deliveries = opened(alert(1), alert(2), alert(3, severity="P1"))
    plan(deliveries, 2, 1, 3)
    found = [one.alert_id[-1] for one in due(deliveries)]
    assert found == ["3", "1", "2"]
    assert len(due(deliveries, limit=2)) == 2


def test_the_limit_is_for_each_channel(opened: Open) -> None:
    deliveries = opened(alert(1, severity="P1"), alert(2, severity="P1"), alert(3))
    plan(deliveries, 1, 2)
    plan(deliveries, 3, channels=("RM:file",))
    found = [(one.alert_id[-1], one.channel) for one in due(deliveries, limit=1)]
    assert found == [("1", "RM:mail"), ("3", "RM:file")]


def test_channels_that_are_not_asked_for_stay(opened: Open) -> None:
    deliveries = opened(alert(1))
    plan(deliveries, 1, channels=("RM:mail", "RM:OLD"))
    assert [one.channel for one in due(deliveries)] == ["RM:mail"]


def test_a_claim_gives_the_alert(opened: Open) -> None:
    deliveries = opened(alert(1))
    plan(deliveries, 1)
    with deliveries.claim(due(deliveries)[0]) as row:
        assert row is not None
        wanted = ("alert_id", "rule_id", "severity", "client_id", "entity", "owner", "event_time")
        assert {k: row[k] for k in wanted} == {k: alert(1)[k] for k in wanted}
        assert row["degraded"] is False


def test_failures_wait_longer_each_time(opened: Open) -> None:
    deliveries = opened(alert(1))
    plan(deliveries, 1)
    settle(deliveries, due(deliveries)[0], "down", 0)
    assert due(deliveries, 0.9) == []
    (again,) = due(deliveries, 1)
    assert again.attempts == 1
    settle(deliveries, again, "down", 1)
    assert due(deliveries, 5.9) == []
    (third,) = due(deliveries, 6)
    settle(deliveries, third, "down", 6)
    assert due(deliveries, 10.9) == []
    assert len(due(deliveries, 11)) == 1, "the last pause repeats"


def test_an_old_claim_is_refused(opened: Open) -> None:
    deliveries = opened(alert(1))
    plan(deliveries, 1)
    (one,) = due(deliveries)
    settle(deliveries, one, "down")
    with deliveries.claim(one) as row:
        assert row is None, "somebody tried it since"
    (one,) = due(deliveries, 5)
    settle(deliveries, one, None, 5)
    with deliveries.claim(one) as row:
        assert row is None, "it is delivered"


@pytest.mark.integration
def test_two_dispatchers_never_hold_the_same_delivery(clean: Settings) -> None:
    insert_alert(clean, **alert(1))
    first, second = DeliveryStore(clean.database_url), DeliveryStore(clean.database_url)
    plan(first, 1)
    (one,) = due(first)
    with first.claim(one) as row:
        assert row is not None
        with second.claim(one) as other:
            assert other is None
        first.settle(one, NOW, None)
    assert due(second, 60) == []
    first.close()
    second.close()


@pytest.mark.integration
def test_what_a_dead_dispatcher_held_is_free_again(clean: Settings) -> None:
    """The connection goes with its process; the row was never marked, so it is due again."""
    insert_alert(clean, **alert(1))
    dying, next_one = DeliveryStore(clean.database_url), DeliveryStore(clean.database_url)
    plan(dying, 1)
    (one,) = due(dying)
    with contextlib.suppress(ConnectionError), dying.claim(one) as row:
        assert row is not None
        raise ConnectionError("killed after sending, before the mark")
    assert due(next_one) == [one]
    dying.close()
    next_one.close()
