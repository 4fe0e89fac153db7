"""The simulated bank: same seed same bytes, lives independent of the bank's size, exact balances."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from lifecycle.errors import UsageError
from lifecycle.events import Outgoing, decode, minor_units
from lifecycle.events.account import TransactionPosted
from lifecycle.events.credit import RepaymentMissed
from lifecycle.sources.simulator import STORIES, SimulatorSource

FIRST = dt.date(2026, 1, 1)


def bank(clients: int = 50, seed: int = 3, days: int = 100) -> SimulatorSource:
    return SimulatorSource(
        seed=seed,
        clients=clients,
        first_day=FIRST,
        days=days,
        timezone=ZoneInfo("Asia/Shanghai"),
    )


@pytest.fixture(scope="module")
def events() -> list[Outgoing]:
    return list(bank().events(None, None))


def test_the_same_seed_gives_the_same_bytes(events: list[Outgoing]) -> None:
    assert [e.value for e in bank().events(None, None)] == [e.value for e in events]
    assert [e.value for e in bank(seed=4).events(None, None)] != [e.value for e in events]


def test_a_life_does_not_depend_on_the_size_of_the_bank(events: list[Outgoing]) -> None:
    larger = [e.value for e in bank(clients=120).events(None, None) if e.key == "SIM-000007"]
    assert larger == [e.value for e in events if e.key == "SIM-000007"]


def test_events_come_in_order_and_ids_once(events: list[Outgoing]) -> None:
    times = [e.time for e in events]
    assert times == sorted(times)
    assert len({e.id for e in events}) == len(events)


def test_balances_chain_exactly(events: list[Outgoing]) -> None:
    balance: dict[str, int] = {}
    for out in events:
        data = decode(out.value, out.key.encode(), out.topic, 0, 0).data
        if isinstance(data, TransactionPosted):
            side = 1 if data.credit_debit_indicator == "CRDT" else -1
            expected = balance.get(data.account_id, 0) + side * minor_units(data.amount)
            assert data.balance_after is not None
            assert minor_units(data.balance_after) == expected
            balance[data.account_id] = expected


def test_every_event_is_marked_and_no_label_is_told(events: list[Outgoing]) -> None:
    assert all(b'"synthetic":true' in e.value for e in events)
    assert not any(story.encode() in e.value for e in events for story in STORIES.values())


def test_planted_stories_happen(events: list[Outgoing]) -> None:
    labels = {label.story: label for label in bank().labels()}
    assert labels.keys() == set(STORIES.values())
    missed = {
        out.key
        for out in events
        if isinstance(decode(out.value, out.key.encode(), out.topic, 0, 0).data, RepaymentMissed)
    }
    planted = {label.client_id for story, label in labels.items() if story.startswith("MISSED")}
    assert missed == planted


@pytest.mark.parametrize(("clients", "days"), [(49, 10), (100_001, 10), (50, 0)])
def test_a_bank_of_another_size_is_refused(clients: int, days: int) -> None:
    with pytest.raises(UsageError):
        bank(clients=clients, days=days)


def test_the_dates_asked_for_are_given() -> None:
    day = FIRST + dt.timedelta(days=10)
    some = list(bank(days=20).events(day, day))
    assert some
    assert all(b'"business_date":"2026-01-11"' in e.value for e in some)
