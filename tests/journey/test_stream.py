"""One client through the whole stream path, in memory: gate, inbox, fold, rules, offsets, proof."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.adapters.memory import MemoryIngestStore
from lifecycle.alerts.decide import Decider
from lifecycle.breaker import Breaker
from lifecycle.cache import Cache
from lifecycle.clients.state import ClientState
from lifecycle.errors import Fenced, GateFailed
from lifecycle.events import Outgoing
from lifecycle.pipeline import commit
from lifecycle.ports import Batch, Record
from lifecycle.proof import compare, rebuild
from tests.support import (
    DAY,
    LIMITS,
    at,
    disbursed,
    due,
    missed,
    opened,
    outgoing,
    posted,
    prepared,
    records,
)

NOW = at(DAY) + dt.timedelta(days=365)
TOPICS = ("bank.account.v1", "bank.credit.v1")


class Stream:
    """A consumer's half without Kafka: records in, a store out."""

    def __init__(self, rules: Decider) -> None:
        self.rules = rules
        self.store = MemoryIngestStore()
        self.store.create_offsets("g", {(topic, 0): 0 for topic in TOPICS})
        self.cache = Cache()

    def take(self, batch: Sequence[Record]) -> Batch:
        ready = prepared(batch, NOW)
        return commit(
            ready,
            self.store.offsets("g"),
            store=self.store,
            rules=self.rules,
            cache=self.cache,
            breaker=Breaker(LIMITS),
        )

    def counts(self) -> dict[str, int]:
        """The books: what came in, and what became of it; zeroes left out."""
        total: Counter[str] = Counter()
        for counts in self.store.counts.values():
            total.update(counts)
        assert total["applied"] == len(self.store.log)
        assert total["parked"] == len(self.store.waiting_facts)
        return {name: number for name, number in total.items() if number}

    def equal(self) -> bool:
        rebuilt = rebuild(self.store.facts(), {self.rules.rules_hash: self.rules})
        return compare(rebuilt, self.store.states(), self.store.alerts()).equal


LIFE = [
    opened(),
    posted(1, balance_after="100.00"),
    posted(2, credit_debit_indicator="DBIT", amount="150.00", balance_after="-50.00"),
    disbursed(),
    due(1, DAY),
    missed(1, DAY),
]


@pytest.fixture
def stream(rules: Decider) -> Stream:
    return Stream(rules)


def test_facts_become_state_and_alerts(stream: Stream) -> None:
    batch = stream.take(records([outgoing(fact) for fact in LIFE]))
    assert sorted(a.alert.rule_id for a in batch.alerts) == ["RT-01", "RT-03"]
    assert {m.topic for m in stream.store.waiting} == {"bank.alert.v1"}
    assert stream.counts() == {"received": 6, "applied": 6}
    assert stream.equal()


def test_bad_records_are_held_and_the_next_one_flows(stream: Stream) -> None:
    good = records([outgoing(fact) for fact in LIFE[:2]])
    bad = Record(good[0].topic, 0, 1, b"C1", b"{")
    last = Record(good[1].topic, 0, 2, good[1].key, good[1].value)
    stream.take([good[0], bad, last])
    assert stream.counts() == {"received": 3, "applied": 2, "quarantined": 1}
    (held,) = stream.store.held
    assert (held.reason, held.record.value) == ("UNPARSABLE", b"{")
    assert {m.topic for m in stream.store.waiting} == {"bank.quarantine.v1"}


def test_a_time_ahead_of_the_clock_is_held(stream: Stream) -> None:
    ahead = outgoing(posted(), time=NOW + dt.timedelta(minutes=6))
    stream.take(records([ahead, outgoing(opened(), time=NOW + dt.timedelta(minutes=4))]))
    assert [h.reason for h in stream.store.held] == ["FUTURE_TIME"]
    assert len(stream.store.log) == 1


def test_exact_duplicates_are_counted_and_other_bytes_held(stream: Stream) -> None:
    first = outgoing(opened())
    other = Outgoing(
        first.topic, "C1", first.value.replace(b"CNY", b"USD"), first.time, first.type, first.id
    )
    stream.take(records([first, first, other]))
    assert stream.counts() == {"received": 3, "applied": 1, "quarantined": 1, "duplicates": 1}
    assert stream.store.held[0].reason == "ID_REUSE"
    again = Record(first.topic, 0, 3, b"C1", first.value)
    stream.take([again])
    assert stream.counts()["duplicates"] == 2


def test_a_batch_from_the_wrong_offset_is_fenced_and_leaves_nothing(stream: Stream) -> None:
    batch = records([outgoing(fact) for fact in LIFE])
    stream.take(batch)
    before = (stream.counts(), stream.store.states(), len(stream.store.waiting))
    ready = prepared(batch, NOW)
    with pytest.raises(Fenced):
        commit(
            ready,
            {(topic, 0): 0 for topic in TOPICS},
            store=stream.store,
            rules=stream.rules,
            cache=Cache(),
            breaker=Breaker(LIMITS),
        )
    assert (stream.counts(), stream.store.states(), len(stream.store.waiting)) == before


def test_a_writer_with_an_old_state_is_fenced(stream: Stream) -> None:
    stream.take(records([outgoing(LIFE[0])]))
    stale = Cache({"C1": ClientState("C1")})
    late = Record("bank.account.v1", 0, 1, b"C1", outgoing(LIFE[1]).value)
    ready = prepared([late], NOW)
    with pytest.raises(Fenced):
        commit(
            ready,
            stream.store.offsets("g"),
            store=stream.store,
            rules=stream.rules,
            cache=stale,
            breaker=Breaker(LIMITS),
        )


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(GateFailed):
        prepared([], NOW)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.data())
def test_how_records_fall_into_batches_changes_nothing(
    rules: Decider, sizes: list[int], data: st.DataObject
) -> None:
    outs = [outgoing(fact) for fact in LIFE] * 2
    whole, parts = Stream(rules), Stream(rules)
    whole.take(records(outs))
    left = records(outs)
    while left:
        size = data.draw(st.sampled_from(sizes))
        parts.take(left[:size])
        left = left[size:]
    assert parts.store.states() == whole.store.states()
    assert parts.store.alerts() == whole.store.alerts()
    assert parts.counts() == whole.counts()
    assert parts.equal()
