"""The catalogue against its own corpus: good facts of every type, and everything that is wrong."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import pytest

from lifecycle.adapters.memory import MemoryGate
from lifecycle.breaker import Breaker
from lifecycle.clients.state import ClientState, fold, waits_for
from lifecycle.events import CATALOGUE, decode
from lifecycle.events.envelope import Reason
from lifecycle.intake import prepare
from lifecycle.ports import Record
from tests.hostile import corpus
from tests.samples import client_life
from tests.support import UNBREAKABLE

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def test_every_type_has_a_good_fact_that_waits_for_nothing_in_order() -> None:
    state, types = ClientState("C1"), set()
    for out in client_life("C1", 1):
        event = decode(out.value, b"C1", out.topic, 0, 0)
        assert waits_for(state, event) is None, out.type
        state = fold(state, event)
        types.add(out.type)
    assert types == set(CATALOGUE)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_good_are_taken_and_the_hostile_are_not(seed: int) -> None:
    records, names = [], []
    for good, hostile in corpus(seed):
        for name, key, value in [
            (None, good.key, good.value),
            *((h.name, h.key, h.value) for h in hostile),
        ]:
            raw_key = None if key is None else key.encode()
            records.append(Record(good.topic, 0, len(records), raw_key, value))
            names.append(name)
    assert len(names) - names.count(None) > 2_000
    found = prepare(
        records, gate=MemoryGate(), limits=UNBREAKABLE, breaker=Breaker(UNBREAKABLE), now=NOW
    )
    assert [names[i] for i in sorted(found.events)] == [None] * len(CATALOGUE)
    assert {held.reason for held in found.held.values()} == set(get_args(Reason))
