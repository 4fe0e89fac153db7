"""The ingest store, the offset book and the outbox: one suite, in memory and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from lifecycle.adapters.event_log import PostgresEventLog
from lifecycle.adapters.ingest_store import (
    PostgresIngestStore,
    PostgresOffsetBook,
    PostgresOutbox,
)
from lifecycle.adapters.memory import MemoryGate, MemoryIngestStore
from lifecycle.alerts.decide import Decider
from lifecycle.alerts.rules import RuleSet
from lifecycle.errors import Fenced
from lifecycle.pipeline import commit, prepare
from lifecycle.ports import Record
from lifecycle.proof import compare, rebuild
from lifecycle.settings import Settings
from tests.support import DAY, at, opened, outgoing, posted, query, records

GROUP = "contract"
PLACE = ("bank.account.v1", 0)
NOW = at(DAY) + dt.timedelta(days=30)


class Kit:
    """One adapter set behind the ports."""

    def __init__(self, store: Any, book: Any, outbox: Any, log: Any) -> None:
        self.store, self.book, self.outbox, self.log = store, book, outbox, log


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.integration)])
def kit(request: pytest.FixtureRequest, rule_set: RuleSet) -> Iterator[Kit]:
    if request.param == "memory":
        memory = MemoryIngestStore({rule_set.hash: rule_set.content})
        yield Kit(memory, memory, memory, memory)
        return
    configured: Settings = request.getfixturevalue("clean")
    store = PostgresIngestStore(
        configured.database_url, group=GROUP, consumer="test", code_version="0", rules=rule_set
    )
    query(configured, "DELETE FROM consumer_offset RETURNING 1")
    outbox, log = PostgresOutbox(configured.database_url), PostgresEventLog(configured.database_url)
    yield Kit(store, PostgresOffsetBook(configured.database_url), outbox, log)
    for adapter in (store, outbox, log):
        adapter.close()


def take(kit: Kit, rules: Decider, batch: list[Record], cache: Any = None) -> Any:
    prepared = prepare(batch, gate=MemoryGate(), now=NOW)
    return commit(
        prepared,
        kit.book.offsets(GROUP),
        store=kit.store,
        rules=rules,
        cache={} if cache is None else cache,
    )


def test_offset_rows_are_created_once_and_never_moved(kit: Kit) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 5})
    kit.book.create_offsets(GROUP, {PLACE: 0, ("bank.credit.v1", 1): 7})
    assert kit.book.offsets(GROUP) == {PLACE: 5, ("bank.credit.v1", 1): 7}


def test_a_batch_is_stored_whole(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    take(kit, rules, records([outgoing(opened()), outgoing(posted(balance_after="-9.00"))]))
    assert kit.book.offsets(GROUP) == {PLACE: 2}
    with kit.log.snapshot():
        assert len(list(kit.log.facts())) == 2
        assert len(kit.log.alerts()) == 1
        assert list(kit.log.states()) == ["C1"]


def test_what_was_stored_proves_equal(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    facts = [outgoing(posted(n, balance_after=f"-{n}.00")) for n in range(1, 9)]
    take(kit, rules, records(facts))
    with kit.log.snapshot():
        rebuilt = rebuild(kit.log.facts(), {rules.rules_hash: rules})
        proof = compare(rebuilt, kit.log.states(), kit.log.alerts())
    assert proof.equal, proof.differences
    assert (proof.events, proof.clients) == (8, 1)


def test_a_duplicate_changes_nothing(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    out = outgoing(posted())
    take(kit, rules, records([out]))
    again = take(kit, rules, [Record(out.topic, 0, 1, b"C1", out.value)])
    assert (again.moves[0].duplicates, again.events) == (1, [])
    with kit.log.snapshot():
        assert len(list(kit.log.facts())) == 1


def test_a_moved_offset_fences_and_leaves_nothing(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 3})
    prepared = prepare(records([outgoing(posted())]), gate=MemoryGate(), now=NOW)
    with pytest.raises(Fenced):
        commit(prepared, {PLACE: 0}, store=kit.store, rules=rules, cache={})
    with kit.log.snapshot():
        assert list(kit.log.facts()) == []
        assert kit.log.states() == {}
    assert kit.book.offsets(GROUP) == {PLACE: 3}


def test_a_stale_state_fences(kit: Kit, rules: Decider) -> None:
    from lifecycle.clients.state import ClientState

    kit.book.create_offsets(GROUP, {PLACE: 0})
    take(kit, rules, records([outgoing(opened())]))
    late = [Record(PLACE[0], 0, 1, b"C1", outgoing(posted()).value)]
    with pytest.raises(Fenced):
        take(kit, rules, late, cache={"C1": ClientState("C1")})
    assert take(kit, rules, late).events


def test_messages_leave_once_and_wait_when_sending_fails(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    take(kit, rules, records([outgoing(posted(balance_after="-9.00"))]))
    sent: list[Any] = []

    def refuse(batch: list[Any]) -> None:
        raise ConnectionError("no broker")

    with pytest.raises(ConnectionError):
        kit.outbox.publish(10, refuse)
    assert kit.outbox.publish(10, sent.extend) == 1
    assert kit.outbox.publish(10, sent.extend) == 0
    assert [message.topic for message in sent] == ["bank.alert.v1"]


def test_hostile_text_is_held_with_its_bytes(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    raw = b'{"id": "\x00"}'
    batch = take(
        kit, rules, [Record(PLACE[0], 0, 0, b"\xff", raw), Record(PLACE[0], 0, 1, None, None)]
    )
    assert [q.record.value for q in batch.quarantined] == [raw, None]
    assert kit.book.offsets(GROUP) == {PLACE: 2}
