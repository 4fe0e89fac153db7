"""Late facts through the whole stream path: whatever is late, the log gives what is stored."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.adapters.memory import MemoryIngestStore
from lifecycle.alerts.alert import canonical
from lifecycle.alerts.decide import Decider
from lifecycle.alerts.late import LateFact, decide_late, encode_late_fact
from lifecycle.breaker import Breaker
from lifecycle.cache import Cache
from lifecycle.events import Fact, Outgoing
from lifecycle.pipeline import commit
from lifecycle.ports import LiveAlert, Record
from lifecycle.proof import compare, rebuild, replay_late
from tests.support import (
    DAY,
    LIMITS,
    at,
    disbursed,
    due,
    made,
    missed,
    opened,
    outgoing,
    posted,
    prepared,
)

TOPICS = ("bank.account.v1", "bank.credit.v1")
SOURCES = ("/core", "/replay/test")


def _fact(kind: int, number: int, day: dt.date) -> Fact:
    facts: tuple[Fact, ...] = (
        posted(number, day=day, balance_after="-10.00", credit_debit_indicator="DBIT"),
        posted(number, day=day, amount="60000.00", is_cash=True),
        due(1 + number % 5, day),
        made(f"P{number}", day),
        missed(1 + number % 5, day),
        opened(day=day),
        disbursed(day),
    )
    return facts[kind]


facts = st.builds(
    lambda kind, number, day, source, sequence: outgoing(
        _fact(kind, number, DAY + dt.timedelta(days=day)), sequence=sequence, source=source
    ),
    st.integers(0, 6),
    st.integers(1, 30),
    st.integers(0, 60),
    st.sampled_from(SOURCES),
    st.integers(0, 3),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.lists(facts, min_size=1, max_size=6), st.integers(0, 70)), max_size=8))
def test_any_mixture_of_late_facts_folds_to_what_is_stored(
    rules: Decider, batches: list[tuple[list[Outgoing], int]]
) -> None:
    store, cache = MemoryIngestStore(), Cache()
    store.create_offsets("g", {(topic, 0): 0 for topic in TOPICS})
    for outs, day in batches:
        starts = store.offsets("g")
        now = at(DAY) + dt.timedelta(days=day, hours=13)
        commit(
            prepared(_records(outs, starts), now),
            starts,
            store=store,
            rules=rules,
            cache=cache,
            breaker=Breaker(LIMITS),
        )
    proof = compare(
        rebuild(store.facts(), {rules.rules_hash: rules}), store.states(), store.alerts()
    )
    assert proof.equal, proof.differences
    _check_twin(store, rules)


def _check_twin(store: MemoryIngestStore, rules: Decider) -> None:
    """The night raises nothing the stream has raised, and comes to the same a second time."""
    late = [fact.key for _, fact in store.log if fact.event.late]
    named = [LateFact("C1", len(store.log), key.hex()) for key in late]
    found = decide_late(named, store.history, rules)
    assert store.alerts().keys().isdisjoint(alert.alert_id for alert, _ in found)
    stored = [
        (
            LiveAlert(a.alert_id, canonical(a), encode_late_fact(f), 1, a.event_time, a.value),
            rules.rules_hash,
        )
        for a, f in found
    ]
    again = replay_late(stored, store.history, {rules.rules_hash: rules})
    assert again == {alert.alert_id: alert for alert, _ in stored}


def _records(outs: list[Outgoing], starts: dict[tuple[str, int], int]) -> list[Record]:
    offsets, found = dict(starts), []
    for out in outs:
        place = (out.topic, 0)
        found.append(Record(out.topic, 0, offsets[place], out.key.encode(), out.value))
        offsets[place] += 1
    return found
