"""Counting what was found against what is true: labels, standings and checks made up here."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from benchmarks import truth
from benchmarks.profiles import DAILY_DAYS, STATES_DAYS, date_of, schedule
from lifecycle.alerts.rules import load_rules
from lifecycle.clients.lifecycle import Standing, State, Transition
from lifecycle.settings import ROOT
from lifecycle.sources.simulator import Label

FIGURES = load_rules(ROOT / "rules").parameters
DAY = dt.date(2026, 3, 2)


def client(place: int) -> str:
    """A client whose number decides its story; 0 lives quietly."""
    return f"SIM-{place:06d}"


def label(place: int, check: str = "", ratio: str = "", state: str = "") -> Label:
    return Label(truth.story_of(client(place)), client(place), "", DAY, state, check, ratio)


def standing(state: State) -> Standing:
    entered = Transition(
        from_state="NONE", to_state=state, rule_id="LC-00", on=DAY, held_days=0, evidence={}
    )
    return Standing(as_of=DAY, entered=entered)


@pytest.mark.parametrize(
    ("place", "check", "ratio", "expected"),
    [
        (32, "CV01", "0.5999", "FAIL"),
        (32, "CV01", "0.6", "WARN"),
        (32, "CV01", "0.8", "PASS"),
        (33, "CV01", "1.5", "PASS"),
        (33, "CV01", "2.0", "WARN"),
        (33, "CV01", "2.01", "FAIL"),
        (35, "CV04", "0.69", "FAIL"),
        (35, "CV04", "0.7", "WARN"),
        (35, "CV04", "0.9", "PASS"),
        (46, "CV03", "1.3", "PASS"),
        (46, "CV03", "1.6", "WARN"),
        (46, "CV03", "1.61", "FAIL"),
        (34, "CV02", "", "WARN"),
        (36, "CV05", "", "WARN"),
        (37, "CV09", "", "FAIL"),
        (38, "CV06", "", "FAIL"),
    ],
)
def test_what_a_check_has_to_say_of_a_falsehood(
    place: int, check: str, ratio: str, expected: str
) -> None:
    assert truth.planted(label(place, check, ratio), FIGURES) == expected


def test_states_against_the_truth() -> None:
    """Client 14 is ACTIVE by its label and found so, 16 is AT_RISK and not; 12 is unsure; of those
    without a story of the lifecycle one may grow, and one is dormant."""
    stood = {
        client(14): standing("ACTIVE"),
        client(16): standing("ACTIVE"),
        client(12): standing("ACTIVE"),
        client(0): standing("GROWING"),
        client(1): standing("DORMANT"),
    }
    found = truth.states([label(14, state="ACTIVE"), label(16, state="AT_RISK")], stood)
    assert (found["judged"], found["unsure"], found["right"]) == (4, 1, 2)
    assert found["confusion"] == {
        "AT_RISK": {"ACTIVE": 1},
        "ACTIVE": {"ACTIVE": 1},
        truth.IN_BUSINESS: {"DORMANT": 1, "GROWING": 1},
    }
    assert found["by_state"]["ACTIVE"] == {
        "labelled": 1,
        "found": 2,
        "precision": 0.5,
        "recall": 1.0,
    }
    assert found["by_state"]["AT_RISK"] == {
        "labelled": 1,
        "found": 0,
        "precision": None,
        "recall": 0.0,
    }
    assert found["wrong_clients"] == [client(1), client(16)]


def test_needs_by_the_greatest_strength() -> None:
    declared = [
        {"client_id": "C1", "need_code": "LIQUIDITY", "strength": strength}
        for strength in (1, 3, 2)
    ]
    assert truth.needs(declared, []) == [
        {"need": "LIQUIDITY", "strength": 3, "clients": 1, "states": {"none": 1}}
    ]


@pytest.mark.parametrize("days", [130, STATES_DAYS, 730])
def test_the_schedule_has_weeks_month_ends_and_the_days_before_states_are_judged(days: int) -> None:
    nights = schedule(days)
    assert nights == sorted(set(nights))
    assert set(range(days - DAILY_DAYS + 1, days + 1)) <= set(nights)
    assert max(late - early for early, late in itertools.pairwise(nights)) <= 7
    ends = {n for n in range(1, days + 1) if (date_of(n) + dt.timedelta(days=1)).day == 1}
    assert ends <= set(nights)


def test_a_story_follows_from_the_number() -> None:
    assert [truth.story_of(client(n)) for n in (0, 1, 51, 49)] == [
        "quiet",
        "MISSED_ONCE",
        "MISSED_ONCE",
        "quiet",
    ]
