"""The simulated bank tells the stories that its labels promise, and no others."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import consent as cs
from lifecycle.events import credit as cr
from lifecycle.events import decode, minor_units
from lifecycle.events import interaction as it
from lifecycle.sources.simulator import STORIES, Label, SimulatorSource

FIRST = dt.date(2026, 1, 1)
CLIENTS = 150
"""Three of every story."""
DAYS = 150
YUAN = 10_000

Life = list[tuple[dt.datetime, Any]]
"""Times and data of one client's events."""


def bank(days: int = DAYS, clients: int = CLIENTS, seed: int = 11) -> SimulatorSource:
    zone = ZoneInfo("Asia/Shanghai")
    return SimulatorSource(seed=seed, clients=clients, first_day=FIRST, days=days, timezone=zone)


def lives_of(source: SimulatorSource) -> dict[str, Life]:
    lives: dict[str, Life] = defaultdict(list)
    for out in source.events(None, None):
        event = decode(out.value, out.key.encode(), out.topic, 0, 0)
        lives[out.key].append((event.time, event.data))
    return lives


@pytest.fixture(scope="module")
def lives() -> dict[str, Life]:
    return lives_of(bank())


def only(life: Life, kind: type) -> list[Any]:
    return [data for _, data in life if isinstance(data, kind)]


def entries(life: Life, **fields: Any) -> list[Any]:
    return [
        data
        for data in only(life, ac.TransactionPosted)
        if all(getattr(data, name) == value for name, value in fields.items())
    ]


def unpaid_days(life: Life, on: dt.date) -> int:
    """Days past due when payments settle the oldest instalment first."""
    due = sorted(d.due_date for d in only(life, cr.RepaymentDue) if d.due_date <= on)
    paid = [d for d in only(life, cr.RepaymentMade) if d.business_date <= on]
    return (on - due[len(paid)]).days if len(due) > len(paid) else 0


def worst_delay(life: Life) -> int:
    return max(unpaid_days(life, FIRST + dt.timedelta(days=n)) for n in range(DAYS))


# --- what each story looks like in the events -------------------------------------------------


def missed_once(life: Life, day: dt.date) -> bool:
    missed = [d.due_date for d in only(life, cr.RepaymentMissed)]
    return missed == [day] and worst_delay(life) == 9  # paid on the tenth


def missed_twice(life: Life, day: dt.date) -> bool:
    missed = [d.due_date for d in only(life, cr.RepaymentMissed)]
    return len(missed) == 2 and missed[0] == day and 30 < worst_delay(life) < 60


def missed_over_90_days(life: Life, day: dt.date) -> bool:
    return only(life, cr.RepaymentMissed)[0].due_date == day and worst_delay(life) > 90


def overdraft(life: Life, day: dt.date) -> bool:
    below = [d.business_date for d in entries(life) if d.balance_after.startswith("-")]
    penalties = [d.business_date for d in only(life, cr.PenaltyInterestCharged)]
    return below[0] == day and set(penalties) <= {day + dt.timedelta(days=1)}


def structuring(life: Life, day: dt.date) -> bool:
    cash = entries(life, is_cash=True, credit_debit_indicator="CRDT")
    near = all(30_000 * YUAN <= minor_units(d.amount) < 50_000 * YUAN for d in cash)
    within_a_week = cash[-1].business_date - day < dt.timedelta(days=7)
    return len(cash) == 3 and cash[0].business_date == day and near and within_a_week


def large_cash(life: Life, day: dt.date) -> bool:
    cash = entries(life, is_cash=True, credit_debit_indicator="CRDT", business_date=day)
    return sum(minor_units(d.amount) for d in cash) >= 50_000 * YUAN


def dormant_wakes(life: Life, day: dt.date) -> bool:
    statuses = [(d.to_status, d.business_date) for d in only(life, ac.AccountStatusChanged)]
    slept_since, asleep = statuses[0][1], statuses[0][0] == "DORMANT"
    silent = not any(slept_since <= d.business_date < day for d in entries(life))
    return asleep and silent and statuses[1:] == [("ENABLED", day)]


def consent_withdrawn(life: Life, day: dt.date) -> bool:
    (taken_back,) = only(life, cs.ConsentWithdrawn)
    granted = {d.consent_id for d in only(life, cs.ConsentGranted) if d.business_date < day}
    return taken_back.business_date == day and taken_back.consent_id in granted


def complaint(life: Life, day: dt.date) -> bool:
    (raised,), (resolved,) = only(life, it.ComplaintRaised), only(life, it.ComplaintResolved)
    return raised.business_date == day < resolved.business_date <= raised.due_at


TOLD: dict[str, Callable[[Life, dt.date], bool]] = {
    "MISSED_ONCE": missed_once,
    "MISSED_TWICE": missed_twice,
    "MISSED_OVER_90_DAYS": missed_over_90_days,
    "OVERDRAFT": overdraft,
    "STRUCTURING": structuring,
    "LARGE_CASH": large_cash,
    "DORMANT_WAKES": dormant_wakes,
    "CONSENT_WITHDRAWN": consent_withdrawn,
    "COMPLAINT": complaint,
}


@pytest.mark.parametrize("story", STORIES.values())
def test_a_label_is_true_of_its_client(lives: dict[str, Life], story: str) -> None:
    labels = [label for label in bank().labels() if label.story == story]
    assert len(labels) == CLIENTS // 50
    for label in labels:
        assert TOLD[story](lives[label.client_id], label.day), label


def test_clients_without_a_story_live_quietly(lives: dict[str, Life]) -> None:
    labelled = {label.client_id for label in bank().labels()}
    quiet = [life for client, life in lives.items() if client not in labelled]
    assert len(quiet) == CLIENTS - len(labelled)
    for life in quiet:
        assert not only(life, cr.RepaymentMissed)
        assert not only(life, it.ComplaintRaised)
        assert not any(d.balance_after.startswith("-") for d in entries(life))


@pytest.mark.parametrize(
    ("days", "stories"),
    [(20, set()), (60, set(STORIES.values()) - {"MISSED_ONCE", "MISSED_TWICE"})],
)
def test_what_has_not_happened_yet_is_not_labelled(days: int, stories: set[str]) -> None:
    labels = bank(days).labels()
    assert {label.story for label in labels} == stories
    assert all(label.day < FIRST + dt.timedelta(days=days) for label in labels)


def test_labels_do_not_depend_on_the_size_of_the_bank() -> None:
    def of(labels: list[Label]) -> list[Label]:
        return [label for label in labels if label.client_id < "SIM-000050"]

    assert of(bank(clients=150).labels()) == bank(clients=50).labels()


# --- an ordinary bank -------------------------------------------------------------------------


def test_people_companies_cards_and_consents(lives: dict[str, Life]) -> None:
    registered = [d for life in lives.values() for d in only(life, cl.ClientRegistered)]
    assert {d.client_type for d in registered} == {"INDIVIDUAL", "CORPORATE"}
    purposes = {d.purpose for life in lives.values() for d in only(life, cs.ConsentGranted)}
    assert purposes == {"P2_PROFILE", "P3_BUREAU", "P4_AUTOMATED"}
    cards = sum(len(only(life, ac.CardIssued)) for life in lives.values())
    assert CLIENTS // 2 < cards < CLIENTS
    for life in lives.values():
        assert only(life, cl.KycUpdated)
        assert only(life, cl.ProfileDeclared)


def test_nobody_is_asked_about_before_they_allow_it(lives: dict[str, Life]) -> None:
    """The consent to ask the credit bureau stands before the application that needs it."""
    asked = 0
    for life in lives.values():
        allowed = [t for t, d in life if getattr(d, "purpose", None) == "P3_BUREAU"]
        applied = [t for t, d in life if isinstance(d, cr.ApplicationSubmitted)]
        assert [min(allowed) < time for time in applied] == [True] * len(applied)
        asked += len(applied)
    assert asked > CLIENTS // 10


def test_times_inside_a_fact_are_the_time_of_the_fact(lives: dict[str, Life]) -> None:
    names = ("booking_datetime", "paid_at", "granted_at", "withdrawn_at", "reviewed_at")
    for life in lives.values():
        for time, data in life:
            inside = [getattr(data, name) for name in names if hasattr(data, name)]
            if not isinstance(data, cr.RepaymentMade):  # told a second after its entry
                assert inside in ([], [time])
            else:
                assert dt.timedelta(0) <= time - inside[0] <= dt.timedelta(seconds=1)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**63))
def test_balances_chain_and_close_in_every_bank(seed: int) -> None:
    """To the fen: each entry follows from the one before, each day ends with the last of them."""
    for life in lives_of(bank(days=70, clients=50, seed=seed)).values():
        balance, days, closed = 0, set(), {}
        for _, data in life:
            if isinstance(data, ac.TransactionPosted):
                sign = 1 if data.credit_debit_indicator == "CRDT" else -1
                balance += sign * minor_units(data.amount)
                assert minor_units(data.balance_after) == balance
                assert balance % 100 == 0
                days.add(data.business_date)
            elif isinstance(data, ac.BalanceSnapshot):
                sign = 1 if data.credit_debit_indicator == "CRDT" else -1
                closed[data.business_date] = sign * minor_units(data.amount) == balance
        assert closed == dict.fromkeys(days, True)
