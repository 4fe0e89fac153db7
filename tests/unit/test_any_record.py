"""Whatever bytes a record holds: it is taken or held, and what is taken can be lived with."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.adapters.memory import MemoryGate
from lifecycle.alerts.alert import Alert, canonical, evidence_rows
from lifecycle.alerts.decide import Decider, decide
from lifecycle.breaker import Breaker
from lifecycle.clients.state import ClientState, decode_state, encode_state
from lifecycle.events import CATALOGUE, Event, Outgoing
from lifecycle.events import fields as f
from lifecycle.intake import prepare
from lifecycle.ports import Quarantined, Record
from tests.samples import client_life
from tests.support import UNBREAKABLE

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
SAMPLES = [good for seed in (1, 2, 3) for good in client_life("C1", seed)]
FIRST = {good.type: good for good in reversed(SAMPLES)}
LARGEST = "9999999999999.99"


def survives(value: bytes | None, topic: str, rules: Decider, times: int = 1) -> bool:
    """Whether the record is taken; fails when it is neither taken nor held, or breaks a step."""
    found = prepare(
        [Record(topic, 0, 0, b"C1", value)],
        gate=MemoryGate(),
        limits=UNBREAKABLE,
        breaker=Breaker(UNBREAKABLE),
        now=NOW,
    )
    assert len(found.events) + len(found.held) == 1
    for held in found.held.values():
        _can_be_stored(held)
    for event in found.events.values():
        _can_be_lived_with(event, rules, times)
    return bool(found.events)


def _can_be_stored(held: Quarantined) -> None:
    for text in (held.detail, held.event_id, held.client_id):
        (text or "").encode()


def _can_be_lived_with(event: Event, rules: Decider, times: int) -> None:
    for text in (event.id, event.source, event.subject, event.client_id):
        assert "\0" not in text.encode().decode()
    state = ClientState(event.client_id)
    for _ in range(times):
        state, decisions = decide(state, event, rules)
        assert decode_state(encode_state(state)) == state
        for alert in decisions:
            if isinstance(alert, Alert):
                text = canonical(alert).decode() + json.dumps(evidence_rows(alert.evidence))
                assert "\\u0000" not in text
    assert state.facts == times


@given(st.binary(max_size=200), st.sampled_from(sorted({good.topic for good in SAMPLES})))
def test_any_bytes(rules: Decider, value: bytes, topic: str) -> None:
    assert not survives(value, topic, rules)


_numbers = st.integers() | st.sampled_from([0, -1, 10**18, 2**63, 10**400]) | st.floats()
_dates = st.sampled_from([
    "0001-01-01",
    "1700-01-01",
    "1990-01-01",
    "2200-12-31",
    "9999-12-31",
    "0001-01-01T00:00:00+14:00",
    "1700-01-01T00:00:00+14:00",
    "2200-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59-14:00",
])
_amounts = st.sampled_from([LARGEST, f"-{LARGEST}", "0", "99999999999999", "0.0001"])
_texts = st.text() | st.sampled_from(["\0", "a\x1bb", "\ud800", "", "x" * 5_000])
_scalars = st.none() | st.booleans() | _numbers | _dates | _amounts | _texts
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=15,
)


@given(_values, st.sampled_from(SAMPLES))
def test_any_json(rules: Decider, value: Any, good: Outgoing) -> None:
    assert not survives(_json(value), good.topic, rules)
    survives(_json(json.loads(good.value) | {"data": value}), good.topic, rules)


@given(st.data(), st.sampled_from(SAMPLES))
@settings(max_examples=300)
def test_any_values_in_the_fields_of_a_fact(
    rules: Decider, data: st.DataObject, good: Outgoing
) -> None:
    body = json.loads(good.value)
    for part in (body, body["data"]):
        names = st.sampled_from([*part, "unknown"])
        for name in data.draw(st.lists(names, max_size=3)):
            if name != "data":
                part[name] = data.draw(_values)
    survives(_json(body), good.topic, rules, times=5)


_pieces = st.binary(min_size=1, max_size=4) | st.sampled_from([
    *(bytes([n]) for n in range(32)),
    b"\x7f",
    b"\xff",
    b"\xed\xa0\x80",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b'"',
    b'":',
    b'"x":1,',
    b'"x":1e999,',
    b'"id":"other",',
    b'"business_date":"9999-12-31",',
    b"1e999",
    b"9" * 5_000,
    b"[" * 5_000,
    b'{"a":' * 5_000,
])


@given(st.data(), st.sampled_from(SAMPLES))
@settings(max_examples=300)
def test_any_damage_to_the_bytes(rules: Decider, data: st.DataObject, good: Outgoing) -> None:
    value = good.value
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(value)))
        end = min(len(value), start + data.draw(st.integers(0, 3)))
        piece = data.draw(st.just(b"") | _pieces)
        cut = data.draw(st.integers(0, 20)) == 0
        value = value[:start] + piece + (b"" if cut else value[end:])
    survives(value, good.topic, rules, times=2)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


DAYS = {  # and whether a fact may speak of it
    "0001-01-01": False,
    "1699-12-31": False,
    "1700-01-01": True,
    "2200-12-31": True,
    "2201-01-01": False,
    "9999-12-31": False,
}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("name", CATALOGUE)
def test_all_dates_at_an_end_of_the_calendar(rules: Decider, name: str, day: str) -> None:
    good = FIRST[name]
    body = json.loads(good.value)
    kinds = f.get_type_hints(CATALOGUE[name].data, include_extras=True)
    dates = {
        n for n, kind in kinds.items() if kind in _DATED or _DATED.intersection(get_args(kind))
    }
    for field in dates - {"business_date"}:
        instant = f.Instant in (kinds[field], *get_args(kinds[field]))
        body["data"][field] = f"{day}T12:00:00Z" if instant else day
    if dates != {"business_date"}:
        assert survives(_json(body), good.topic, rules, times=50) == DAYS[day]
    body["data"]["business_date"] = day
    assert not survives(_json(body), good.topic, rules)


_DATED = {f.Date, f.Instant}


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_largest_amounts_hundreds_of_times(rules: Decider, name: str) -> None:
    good = FIRST[name]
    body = json.loads(good.value)
    for field, kind in f.get_type_hints(CATALOGUE[name].data, include_extras=True).items():
        if f.Money in (kind, *get_args(kind)):
            body["data"][field] = LARGEST
        if f.SignedMoney in (kind, *get_args(kind)):
            body["data"][field] = f"-{LARGEST}"
    assert survives(_json(body), good.topic, rules, times=300)
