"""Two writers at once: a fact is never parked unseen by whoever brings what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from lifecycle import app
from lifecycle.adapters.ingest_store import PostgresIngestStore, PostgresOffsetBook
from lifecycle.alerts.decide import Decider
from lifecycle.alerts.rules import RuleSet
from lifecycle.breaker import Breaker
from lifecycle.cache import Cache
from lifecycle.errors import Fenced
from lifecycle.events import Outgoing
from lifecycle.pipeline import commit
from lifecycle.ports import Record
from lifecycle.settings import Settings
from tests.support import DAY, LIMITS, at, opened, outgoing, posted, prepared, query

pytestmark = pytest.mark.integration
GROUP = "lifecycle"
NOW = at(DAY)


class Paused:
    """A store whose unit calls `then` right after one of its methods."""

    def __init__(self, store: PostgresIngestStore, method: str, then: Callable[[], None]) -> None:
        self._store, self._method, self._then = store, method, then

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._store.transaction() as unit:
            yield _PausedUnit(unit, self._method, self._then)

    def close(self) -> None:
        self._store.close()


class _PausedUnit:
    def __init__(self, unit: Any, method: str, then: Callable[[], None]) -> None:
        self._unit, self._method, self._then = unit, method, then

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._unit, name)
        if name != self._method:
            return found

        def call(*arguments: Any) -> Any:
            answer = found(*arguments)
            self._then()
            return answer

        return call


@pytest.fixture
def stores(
    clean: Settings, rule_set: RuleSet
) -> Iterator[tuple[PostgresIngestStore, PostgresIngestStore]]:
    both = [
        PostgresIngestStore(
            clean.database_url, group=GROUP, consumer=name, code_version="0", rules=rule_set
        )
        for name in ("brings", "waits")
    ]
    PostgresOffsetBook(clean.database_url).create_offsets(
        GROUP, {("bank.account.v1", 0): 0, ("bank.account.v1", 1): 0}
    )
    query(clean, "UPDATE consumer_offset SET next_offset = 0 RETURNING 1")
    yield both[0], both[1]
    for store in both:
        store.close()


def bring(store: Any, rules: Decider, fact: Outgoing, partition: int) -> Any:
    """One fact from a partition of its own, as after partitions were raised."""
    place = ("bank.account.v1", partition)
    ready = prepared([Record(*place, 0, b"C1", fact.value)], NOW)
    return commit(
        ready, {place: 0}, store=store, rules=rules, cache=Cache(), breaker=Breaker(LIMITS)
    )


def test_who_brings_it_is_fenced_when_a_fact_was_parked_meanwhile(
    clean: Settings, stores: tuple[Any, Any], rules: Decider
) -> None:
    brings, waits = stores
    park = Paused(brings, "parked", lambda: bring(waits, rules, outgoing(posted()), 1))
    with pytest.raises(Fenced):
        bring(park, rules, outgoing(opened()), 0)
    assert query(clean, "SELECT count(*) FROM parked") == [(1,)]
    again = bring(brings, rules, outgoing(opened()), 0)
    assert [fact.event.type for fact in again.facts] == [
        "bank.account.opened.v1",
        "bank.account.transaction_posted.v1",
    ]
    assert query(clean, "SELECT count(*) FROM parked") == [(0,)]
    assert app.prove(clean).equal


@pytest.mark.parametrize("known", [False, True], ids=["new client", "known client"])
def test_who_parks_waits_for_whoever_brings_it(
    clean: Settings, stores: tuple[Any, Any], rules: Decider, known: bool
) -> None:
    brings, waits = stores
    if known:
        bring(waits, rules, outgoing(opened("OTHER")), 1)
        query(clean, "UPDATE consumer_offset SET next_offset = 0 WHERE partition = 1 RETURNING 1")
    with ThreadPoolExecutor(1) as other:
        parked: list[Any] = []

        def start() -> None:
            parked.append(other.submit(bring, waits, rules, outgoing(posted()), 1))
            time.sleep(0.3)  # it stands at the row of the client that is not committed yet

        bring(Paused(brings, "write", start), rules, outgoing(opened()), 0)
        with pytest.raises(Fenced):
            parked[0].result()
    again = bring(waits, rules, outgoing(posted()), 1)
    assert (again.moves[0].parked, len(again.facts)) == (0, 1)
    assert app.prove(clean).equal


def test_many_clients_may_wait_at_once(
    clean: Settings, stores: tuple[Any, Any], rules: Decider
) -> None:
    """More than the database has room for locks."""
    _, waits = stores
    many = 12_000
    place = ("bank.account.v1", 1)
    records = [
        Record(*place, n, f"M{n}".encode(), outgoing(posted(n), f"M{n}").value) for n in range(many)
    ]
    ready = prepared(records, NOW)
    batch = commit(
        ready, {place: 0}, store=waits, rules=rules, cache=Cache(), breaker=Breaker(LIMITS)
    )
    assert batch.moves[0].parked == many
    assert app.prove(clean).equal
