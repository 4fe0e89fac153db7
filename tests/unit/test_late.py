"""Late facts: which are, and what the night raises on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
import pytest

from lifecycle.adapters.memory import MemoryGate
from lifecycle.alerts.alert import Alert, canonical
from lifecycle.alerts.decide import Decider, decide, is_behind
from lifecycle.alerts.late import (
    LateFact,
    decide_late,
    decode_late_fact,
    encode_late_fact,
    known_before,
)
from lifecycle.breaker import Breaker
from lifecycle.clients.state import ClientState
from lifecycle.events import Event, event_key
from lifecycle.intake import prepare
from lifecycle.ports import LiveAlert
from lifecycle.proof import replay_late
from tests.support import DAY, LIMITS, at, due, event, opened, outgoing, posted, prepared, records

NOW = at(DAY)
HOUR, SECOND = dt.timedelta(hours=1), dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("source", "age", "late"),
    [
        ("/core", 0 * HOUR, False),
        ("/core", 24 * HOUR, False),
        ("/core", 24 * HOUR + SECOND, True),
        ("/core", 24 * 365 * HOUR, True),
        ("/core", -SECOND, False),
        ("/replay/berka", 24 * 365 * HOUR, False),
        ("/core/replay/", 25 * HOUR, True),
    ],
)
def test_a_fact_is_late_by_the_clock_unless_it_is_history(
    source: str, age: dt.timedelta, late: bool
) -> None:
    batch = records([outgoing(posted(), time=NOW - age, source=source)])
    assert prepared(batch, NOW).events[0].late is late


def test_time_in_quarantine_makes_no_fact_late() -> None:
    batch = records([outgoing(posted(), time=NOW - HOUR, source="/core")])
    for came, late in ((None, True), (NOW, False), (NOW + 24 * HOUR, True)):
        released = prepare(
            batch,
            gate=MemoryGate(),
            limits=LIMITS,
            breaker=Breaker(LIMITS),
            now=NOW + 72 * HOUR,
            came=came,
        )
        assert released.events[0].late is late


@pytest.mark.parametrize(
    ("days", "waited", "behind"),
    [(0, False, False), (1, False, False), (2, False, True), (2, True, False)],
)
def test_a_fact_is_late_when_its_topic_has_moved_on(
    rules: Decider, days: int, waited: bool, behind: bool
) -> None:
    state, _ = decide(ClientState("C1"), event(posted(day=DAY)), rules)
    older = event(posted(2, day=DAY - dt.timedelta(days=days)))
    older = msgspec.structs.replace(older, waited=waited)
    assert is_behind(state, older, rules) is behind
    credit = event(due(1, DAY - dt.timedelta(days=90)))
    assert not is_behind(state, credit, rules), "topics are not ordered among each other"


def test_nothing_is_decided_on_a_late_fact_but_it_is_folded(rules: Decider) -> None:
    overdrawn = event(posted(balance_after="-1.00"))
    state, found = decide(ClientState("C1"), overdrawn, rules)
    late = msgspec.structs.replace(overdrawn, late=True)
    folded, nothing = decide(ClientState("C1"), late, rules)
    assert len(found) == 1
    assert nothing == []
    assert msgspec.structs.replace(state, raised={}) == folded


# --- the twin -----------------------------------------------------------------------------------


def overdrawn(number: int, days_ago: int, balance: str = "-100.00") -> Event:
    day = DAY - dt.timedelta(days=days_ago)
    return event(posted(number, day=day, balance_after=balance), offset=number)


def late_facts(*events: Event) -> list[LateFact]:
    return [LateFact("C1", 9, event_key(e.source, e.id).hex()) for e in events]


def raised(rules: Decider, log: Sequence[Event], *late: Event) -> list[Alert]:
    found = decide_late(late_facts(*late), lambda client, through: log, rules)
    return [alert for alert, _ in found]


OPENED = event(opened(day=DAY - dt.timedelta(days=60)), offset=0)


def test_a_late_fact_raises_what_it_would_have_raised_in_time(rules: Decider) -> None:
    late = overdrawn(1, days_ago=5)
    (alert,) = raised(rules, [OPENED, overdrawn(2, 0, "9.00"), late], late)
    in_time = decide(ClientState("C1"), late, rules)[1][0]
    assert isinstance(in_time, Alert)
    assert (alert.alert_id, alert.alert_key) == (in_time.alert_id, in_time.alert_key)
    assert (alert.severity, alert.owner) == (in_time.severity, in_time.owner)
    assert alert.late
    assert alert.message_zh == f"迟到事实：{in_time.message_zh}"
    assert alert.message_en == f"Late fact: {in_time.message_en}"
    assert b'"late":true' in canonical(alert)
    assert b"late" not in canonical(in_time), "what was stored before there were late ones stays"


def test_what_an_earlier_fact_raised_suppresses_a_late_one(rules: Decider) -> None:
    first, late = overdrawn(1, days_ago=5), overdrawn(2, days_ago=4)
    assert raised(rules, [OPENED, first, late], late) == []
    assert len(raised(rules, [OPENED, first, late], first)) == 1
    assert len(raised(rules, [OPENED, late, first], first, late)) == 1, "in order of events"


def test_only_the_named_facts_raise(rules: Decider) -> None:
    log = [OPENED, overdrawn(1, days_ago=20), overdrawn(2, days_ago=10), overdrawn(3, days_ago=0)]
    (alert,) = raised(rules, log, log[2])
    assert alert.evidence[0].offset == 2


def test_the_order_of_arrival_changes_nothing(rules: Decider) -> None:
    log = [OPENED, *(overdrawn(n, days_ago=4 * n) for n in range(1, 6))]
    assert raised(rules, log, *log[1:]) == raised(rules, log[::-1], *log[1:])


def test_it_is_decided_again_from_what_is_stored(rules: Decider) -> None:
    late = overdrawn(1, days_ago=5)
    log = [OPENED, overdrawn(2, 0, "9.00"), late]
    ((alert, fact),) = decide_late(late_facts(late), lambda client, through: log, rules)
    stored = LiveAlert(
        alert.alert_id, canonical(alert), encode_late_fact(fact), 1, alert.event_time, alert.value
    )
    assert decode_late_fact(stored.state_before) == fact
    again = replay_late(
        [(stored, rules.rules_hash)], lambda client, through: log, {rules.rules_hash: rules}
    )
    assert again == {alert.alert_id: stored}
    before = known_before(fact, lambda client, through: log, rules)
    assert before.facts == 1, "the account was open, the younger entry had not happened"
