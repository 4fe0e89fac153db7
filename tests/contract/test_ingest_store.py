"""The ingest store, the offset book and the outbox: one suite, in memory and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lifecycle.adapters.event_log import PostgresEventLog
from lifecycle.adapters.ingest_store import (
    PostgresIngestStore,
    PostgresOffsetBook,
    PostgresOutbox,
)
from lifecycle.adapters.memory import MemoryIngestStore
from lifecycle.adapters.quarantine_store import QuarantineStore
from lifecycle.adapters.retention import Retention
from lifecycle.alerts.decide import Decider
from lifecycle.alerts.rules import RuleSet
from lifecycle.breaker import Breaker
from lifecycle.cache import Cache
from lifecycle.errors import AnswerIsNo, Fenced, Tripped
from lifecycle.events import encode, event_key
from lifecycle.events.account import CardIssued
from lifecycle.pipeline import commit, orphan, release
from lifecycle.ports import Record, Release, Stop
from lifecycle.proof import compare, rebuild
from lifecycle.settings import Settings
from tests.support import (
    DAY,
    LIMITS,
    at,
    disbursed,
    due,
    made,
    opened,
    outgoing,
    posted,
    prepared,
    query,
    records,
)

GROUP = "contract"
PLACE = ("bank.account.v1", 0)
NOW = at(DAY) + dt.timedelta(days=30)


class Kit:
    """One adapter set behind the ports."""

    def __init__(
        self,
        store: Any,
        book: Any,
        outbox: Any,
        log: Any,
        quarantine: Any = None,
        retention: Any = None,
        configured: Settings | None = None,
    ) -> None:
        self.store, self.book, self.outbox, self.log = store, book, outbox, log
        self.quarantine, self.retention, self.configured = quarantine, retention, configured

    def move_back(self, offset: int) -> None:
        """Read the partition again from an offset, as a person may decide."""
        if self.configured is None:
            self.store.next[PLACE] = offset
        else:
            query(
                self.configured, "UPDATE consumer_offset SET next_offset = %s RETURNING 1", offset
            )

    def first_held(self) -> int:
        """The id of the oldest record in quarantine."""
        return 0 if isinstance(self.store, MemoryIngestStore) else 1

    def purge(self) -> int | None:
        """Forget all there is to forget; the number of facts, where it is counted."""
        if isinstance(self.store, MemoryIngestStore):
            self.store.forget(NOW + dt.timedelta(days=3_650))
            return None
        tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
        done = self.retention.purge(tomorrow, DAY, DAY, lambda now: None)
        return int(done.inbox)

    def asked(self, quarantine_id: int) -> Release:
        """A request for that record, as a second person approves it."""
        if self.quarantine is None:
            return Release(quarantine_id, 1, "checker")
        request = self.quarantine.ask(
            quarantine_id, "RELEASE", None, reason="mended", maker="maker", now=NOW
        )
        return Release(quarantine_id, request, "checker")


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
    quarantine = QuarantineStore(configured.database_url)
    retention = Retention(configured.database_url)
    book = PostgresOffsetBook(configured.database_url)
    yield Kit(store, book, outbox, log, quarantine, retention, configured)
    for adapter in (store, outbox, log, quarantine, retention):
        adapter.close()


def take(kit: Kit, rules: Decider, batch: list[Record], cache: Any = None) -> Any:
    ready = prepared(batch, NOW)
    return commit(
        ready,
        kit.book.offsets(GROUP),
        store=kit.store,
        rules=rules,
        cache=Cache(cache),
        breaker=Breaker(LIMITS),
    )


def test_offset_rows_are_created_once_and_never_moved(kit: Kit) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 5})
    kit.book.create_offsets(GROUP, {PLACE: 0, ("bank.credit.v1", 1): 7})
    assert kit.book.offsets(GROUP) == {PLACE: 5, ("bank.credit.v1", 1): 7}


def test_an_offset_belongs_to_one_topic_whatever_its_name(kit: Kit) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 5})
    assert kit.book.topics(GROUP) == {}
    kit.book.belong(GROUP, {PLACE: "first"})
    kit.book.belong(GROUP, {PLACE: "second"})
    assert kit.book.topics(GROUP) == {PLACE: "first"}


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
    facts = [opened(), *(posted(n, balance_after=f"-{n}.00") for n in range(1, 8))]
    take(kit, rules, records([outgoing(fact) for fact in facts]))
    with kit.log.snapshot():
        rebuilt = rebuild(kit.log.facts(), {rules.rules_hash: rules})
        proof = compare(rebuilt, kit.log.states(), kit.log.alerts())
    assert proof.equal, proof.differences
    assert (proof.events, proof.clients) == (8, 1)


def test_a_duplicate_changes_nothing(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    out = outgoing(opened())
    take(kit, rules, records([out]))
    again = take(kit, rules, [Record(out.topic, 0, 1, b"C1", out.value)])
    assert (again.moves[0].duplicates, again.facts) == (1, [])
    with kit.log.snapshot():
        assert len(list(kit.log.facts())) == 1


def test_a_moved_offset_fences_and_leaves_nothing(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 3})
    ready = prepared(records([outgoing(posted())]), NOW)
    with pytest.raises(Fenced):
        commit(
            ready, {PLACE: 0}, store=kit.store, rules=rules, cache=Cache(), breaker=Breaker(LIMITS)
        )
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
    assert take(kit, rules, late).facts
    later = [Record(PLACE[0], 0, 2, b"C1", outgoing(posted(2)).value)]
    known = ClientState("C1", entities={"account/A1": DAY})
    with pytest.raises(Fenced):
        take(kit, rules, later, cache={"C1": known})
    assert take(kit, rules, later).facts


def test_messages_leave_once_and_wait_when_sending_fails(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    take(kit, rules, records([outgoing(opened()), outgoing(posted(balance_after="-9.00"))]))
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


def test_what_came_too_early_waits_and_is_released_with_what_it_waits_for(
    kit: Kit, rules: Decider
) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    early = [outgoing(posted(1, balance_after="-9.00")), outgoing(posted(2))]
    batch = take(kit, rules, records(early))
    assert (batch.moves[0].parked, batch.facts, batch.alerts) == (2, [], [])
    with kit.log.snapshot():
        assert list(kit.log.facts()) == []
    again = take(kit, rules, [Record(PLACE[0], 0, 2, b"C1", early[0].value)])
    assert again.moves[0].duplicates == 1, "a parked fact is known"
    released = take(kit, rules, [Record(PLACE[0], 0, 3, b"C1", outgoing(opened()).value)])
    assert [type(fact.event.data).__name__ for fact in released.facts] == [
        "AccountOpened",
        "TransactionPosted",
        "TransactionPosted",
    ]
    assert [raised.alert.rule_id for raised in released.alerts] == ["RT-03"]
    assert len(released.unparked) == 2
    with kit.log.snapshot():
        proof = compare(
            rebuild(kit.log.facts(), {rules.rules_hash: rules}),
            kit.log.states(),
            kit.log.alerts(),
        )
    assert proof.equal, proof.differences
    assert proof.events == 3


def test_a_chain_of_waiting_facts_is_released_together(kit: Kit, rules: Decider) -> None:
    credit = ("bank.credit.v1", 0)
    kit.book.create_offsets(GROUP, {PLACE: 0, credit: 0})
    take(kit, rules, records([outgoing(made("P1", DAY)), outgoing(due(1, DAY))]))
    last = Record(credit[0], 0, 2, b"C1", outgoing(disbursed()).value)
    assert len(take(kit, rules, [last]).facts) == 3


def test_a_fact_that_waited_is_as_late_as_it_was_when_it_came(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    late = outgoing(posted(1, balance_after="-9.00"), source="/core")
    history = outgoing(posted(2, balance_after="-8.00"))
    take(kit, rules, records([late, history]))
    batch = take(kit, rules, [Record(PLACE[0], 0, 2, b"C1", outgoing(opened()).value)])
    assert [fact.event.late for fact in batch.facts] == [False, True, False]
    (raised,) = batch.alerts
    assert raised.alert.evidence[0].event_id == history.id
    with kit.log.snapshot():
        assert [fact.late for fact in kit.log.facts()] == [False, True, False]
        assert [event.late for event in kit.log.history("C1", 2)] == [False, False]
        rebuilt = rebuild(kit.log.facts(), {rules.rules_hash: rules})
        assert compare(rebuilt, kit.log.states(), kit.log.alerts()).equal


def test_an_orphan_goes_to_quarantine_and_is_forgotten(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    out = outgoing(posted())
    take(kit, rules, records([out]))
    assert orphan(kit.store, NOW, 10, NOW) == 0, "it has not waited long enough"
    assert orphan(kit.store, NOW + dt.timedelta(seconds=1), 10, NOW) == 1
    again = take(kit, rules, [Record(PLACE[0], 0, 1, b"C1", out.value)])
    assert (again.moves[0].parked, again.moves[0].duplicates) == (1, 0)


def test_a_higher_sequence_corrects_and_a_lower_one_conflicts(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    first = outgoing(posted(1, amount="10.00"), sequence=2)
    take(kit, rules, records([outgoing(opened(), sequence=1), first]))

    def version(offset: int, amount: str, sequence: int, source: str) -> Any:
        fact = posted(1, amount=amount)
        out = encode(fact, source=source, client_id="C1", time=at(DAY), sequence=sequence)
        return take(kit, rules, [Record(PLACE[0], 0, offset, b"C1", out.value)])

    same = version(2, "10.00", 9, "/again")
    assert same.moves[0].duplicates == 1, "the same data under another id"
    correction = version(3, "20.00", 3, "/corrected")
    assert [fact.event.correction for fact in correction.facts] == [True]
    assert len(correction.corrections) == 1
    late = version(4, "30.00", 1, "/older")
    assert [held.reason for held in late.quarantined] == ["IDEMPOTENCY_CONFLICT"]
    unnumbered = version(5, "40.00", 0, "/unnumbered")
    assert [held.reason for held in unnumbered.quarantined] == ["IDEMPOTENCY_CONFLICT"]


def versions(*numbered: tuple[int, str], first: int = 0) -> list[Record]:
    """The same posting again and again: (sequence, amount), each under an id of its own."""
    outs = [
        encode(
            posted(1, amount=amount),
            source=f"/system-{sequence}",
            client_id="C1",
            time=at(DAY),
            sequence=sequence,
        )
        for sequence, amount in numbered
    ]
    return [Record(PLACE[0], 0, first + n, b"C1", out.value) for n, out in enumerate(outs)]


@pytest.mark.parametrize(
    ("sequences", "fates"),
    [((5, 6), ["refused", "refused"]), ((5, 11), ["refused", "new"]), ((11, 12), ["new", "new"])],
)
def test_versions_in_one_batch_meet_the_stored_one(
    kit: Kit, rules: Decider, sequences: tuple[int, int], fates: list[str]
) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    take(kit, rules, records([outgoing(opened(), sequence=1)]))
    take(kit, rules, versions((10, "10.00"), first=1))
    batch = take(kit, rules, versions(*((s, f"{s}.00") for s in sequences), first=2))
    assert len(batch.facts) == fates.count("new")
    assert all(fact.event.correction for fact in batch.facts)
    assert len(batch.corrections) == fates.count("new")
    assert [h.reason for h in batch.quarantined] == ["IDEMPOTENCY_CONFLICT"] * fates.count(
        "refused"
    )


def test_an_id_that_is_used_again_beside_one_that_repeats_it(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    outs = [outgoing(posted(1)), outgoing(posted(2))]
    take(kit, rules, records([outgoing(opened()), *outs]))
    third = outgoing(posted(3)).value
    reused = [third.replace(posted_id(3), posted_id(number)) for number in (1, 2)]
    batch = take(
        kit, rules, [Record(PLACE[0], 0, 3 + n, b"C1", value) for n, value in enumerate(reused)]
    )
    assert [held.reason for held in batch.quarantined] == ["ID_REUSE", "ID_REUSE"]


def posted_id(number: int) -> bytes:
    return f'"id":"{outgoing(posted(number)).id}"'.encode()


def test_a_bad_record_that_is_read_again_is_recognised(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    bad = [Record(PLACE[0], 0, 0, b"C1", b"{"), Record(PLACE[0], 0, 1, b"C1", None)]
    assert take(kit, rules, bad).moves[0].quarantined == 2
    kit.move_back(0)
    again = take(kit, rules, bad)
    assert (again.moves[0].quarantined, again.moves[0].duplicates) == (0, 2)
    kit.move_back(0)
    other = take(kit, rules, [Record(PLACE[0], 0, 0, b"C1", b"[")])
    assert other.moves[0].quarantined == 1, "another topic's record at the same place"


def test_records_that_the_inbox_refuses_trip_the_breaker(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    outs = [outgoing(posted(n)) for n in range(LIMITS.bad_run)]
    take(kit, rules, records([outgoing(opened()), *outs]))
    changed = [
        Record(PLACE[0], 0, 1 + LIMITS.bad_run + n, b"C1", o.value.replace(b"CNY", b"USD"))
        for n, o in enumerate(outs)
    ]
    with pytest.raises(Tripped) as trip:
        take(kit, rules, changed)
    assert [(s.topic, s.partition) for s in trip.value.stops] == [PLACE]
    assert kit.book.offsets(GROUP) == {PLACE: 1 + LIMITS.bad_run}, "nothing of it is stored"
    assert take(kit, rules, changed[:10]).moves[0].quarantined == 10, "a few are held"


def test_a_correction_that_waits_in_vain_corrects_nothing(kit: Kit, rules: Decider) -> None:
    """The business key of a card is its number, so a correction may refer to another account."""
    kit.book.create_offsets(GROUP, {PLACE: 0})
    first, moved, late = (
        encode(
            CardIssued(
                business_date=DAY,
                card_id="K1",
                account_id=account,
                client_id="C1",
                card_product=product,
                issued_date=DAY,
            ),
            source=f"/cards-{sequence}",
            client_id="C1",
            time=at(DAY),
            sequence=sequence,
        )
        for account, product, sequence in (
            ("A1", "CLASSIC", 2),
            ("A9", "CLASSIC", 3),
            ("A1", "GOLD", 4),
        )
    )
    take(kit, rules, records([outgoing(opened(), sequence=1), first]))
    assert take(kit, rules, [Record(PLACE[0], 0, 2, b"C1", moved.value)]).moves[0].parked == 1
    assert orphan(kit.store, NOW + dt.timedelta(seconds=1), 10, NOW) == 1
    same = take(kit, rules, [Record(PLACE[0], 0, 3, b"C1", first.value)])
    assert same.moves[0].duplicates == 1
    batch = take(kit, rules, [Record(PLACE[0], 0, 4, b"C1", late.value)])
    assert [fact.event.correction for fact in batch.facts] == [True], "of the first one"
    assert list(batch.corrections) == [event_key("/cards-2", first.id)]


def test_two_versions_in_one_batch(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    outs = [outgoing(opened(), sequence=1)]
    for sequence, amount in ((2, "10.00"), (3, "20.00"), (4, "30.00")):
        fact = posted(1, amount=amount)
        source = f"/system-{sequence}"
        outs.append(encode(fact, source=source, client_id="C1", time=at(DAY), sequence=sequence))
    batch = take(kit, rules, records(outs))
    assert (len(batch.facts), len(batch.corrections)) == (4, 2)
    again = take(kit, rules, [Record(PLACE[0], 0, 4, b"C1", outs[1].value)])
    assert again.moves[0].duplicates == 1, "the first version's id is still known"


def test_a_gap_in_a_sequence_opens_and_closes(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    outs = [outgoing(opened(), sequence=1), outgoing(posted(1), sequence=3)]
    assert take(kit, rules, records(outs)).gaps == {("C1", "/replay/test"): 1}
    late = Record(PLACE[0], 0, 2, b"C1", outgoing(posted(2), sequence=2).value)
    assert take(kit, rules, [late]).gaps == {("C1", "/replay/test"): 0}


def test_an_alert_leaves_with_whether_its_client_is_degraded(kit: Kit, rules: Decider) -> None:
    """Also by what the same batch holds back; what is released no longer counts."""
    kit.book.create_offsets(GROUP, {PLACE: 0})
    overdrawn = outgoing(posted(1, balance_after="-9.00")).value
    spoilt = overdrawn.replace(b'"-9.00"', b"-9.0")
    other = outgoing(opened("A2", "C2"), "C2")
    entry = outgoing(posted(2, account_id="A2", balance_after="-9.00"), "C2")
    more = outgoing(posted(3, day=DAY + dt.timedelta(days=20), balance_after="-900.00"))
    batch = [
        Record(*PLACE, 0, b"C1", outgoing(opened()).value),
        Record(*PLACE, 1, b"C1", spoilt),
        Record(*PLACE, 2, b"C1", more.value),
        Record(*PLACE, 3, b"C2", other.value),
        Record(*PLACE, 4, b"C2", entry.value),
    ]

    def said() -> dict[str, bool]:
        """Client -> degraded, of the alerts that wait to be published."""
        sent: list[Any] = []
        kit.outbox.publish(10, sent.extend)
        bodies = [json.loads(m.value)["data"] for m in sent if m.topic == "bank.alert.v1"]
        return {body["client_id"]: body["degraded"] for body in bodies}

    take(kit, rules, batch)
    assert said() == {"C1": True, "C2": False}
    again = outgoing(posted(4, day=DAY + dt.timedelta(days=29), balance_after="-9000.00"))
    take(kit, rules, [Record(*PLACE, 5, b"C1", again.value)])
    assert said() == {"C1": True}, "it is held since an earlier batch"
    mended = Record(*PLACE, 1, b"C1", overdrawn)
    back = kit.asked(kit.first_held())
    release(prepared([mended], NOW), back, store=kit.store, rules=rules)
    assert said() in ({"C1": False}, {})
    last = outgoing(posted(5, day=DAY + dt.timedelta(days=29), balance_after="-90000.00"))
    take(kit, rules, [Record(*PLACE, 6, b"C1", last.value)])
    assert said() == {"C1": False}


def test_a_stopped_partition_is_remembered(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    bad = [Record(PLACE[0], 0, n, b"C1", b"{") for n in range(LIMITS.bad_run + 50)]
    batch = take(kit, rules, bad)
    assert len(batch.quarantined) == LIMITS.bad_run
    assert kit.book.offsets(GROUP) == {PLACE: LIMITS.bad_run}
    assert kit.book.stops(GROUP) == {PLACE: f"{LIMITS.bad_run} bad records in a row"}


def test_a_partition_is_stopped_where_it_stands(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 7})
    kit.book.stop(GROUP, [Stop(*PLACE, "damaged")], NOW)
    assert kit.book.stops(GROUP) == {PLACE: "damaged"}
    assert kit.book.offsets(GROUP) == {PLACE: 7}


def test_a_released_record_brings_what_waited_for_it(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    spoilt = outgoing(opened()).value.replace(b'"CACC"', b'"CURRENT"')
    waiting = outgoing(posted(1, balance_after="-1.00")).value
    take(kit, rules, [Record(PLACE[0], 0, 0, b"C1", spoilt)])
    take(kit, rules, [Record(PLACE[0], 0, 1, b"C1", waiting)])
    mended = Record(PLACE[0], 0, 0, b"C1", outgoing(opened()).value)
    quarantine_id = kit.first_held()
    back = kit.asked(quarantine_id)
    batch = release(prepared([mended], NOW), back, store=kit.store, rules=rules)
    assert [fact.quarantine_id for fact in batch.facts] == [quarantine_id, None]
    assert [raised.alert.rule_id for raised in batch.alerts] == ["RT-03"]
    assert kit.book.offsets(GROUP) == {PLACE: 2}
    with pytest.raises((AnswerIsNo, Fenced)):
        release(prepared([mended], NOW), back, store=kit.store, rules=rules)


def test_a_record_that_is_still_bad_is_not_released(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    bad = Record(PLACE[0], 0, 0, b"C1", b"{")
    take(kit, rules, [bad])
    with pytest.raises(AnswerIsNo, match="UNPARSABLE"):
        release(prepared([bad], NOW), kit.asked(kit.first_held()), store=kit.store, rules=rules)


def test_what_the_inbox_forgot_is_still_known(kit: Kit, rules: Decider) -> None:
    """The same fact, the same data under another id, an id with other data, a correction, an
    older version: after a purge each is judged as before it."""
    kit.book.create_offsets(GROUP, {PLACE: 0})
    first = outgoing(posted(1, amount="10.00"), sequence=2)
    opening = outgoing(opened(), sequence=1)
    take(kit, rules, records([opening, first]))

    def again(offset: int, value: bytes) -> Any:
        return take(kit, rules, [Record(PLACE[0], 0, offset, b"C1", value)])

    def version(offset: int, amount: str, sequence: int, source: str) -> Any:
        fact = posted(1, amount=amount)
        out = encode(fact, source=source, client_id="C1", time=at(DAY), sequence=sequence)
        return again(offset, out.value)

    assert kit.purge() in (None, 2)
    assert again(2, first.value).moves[0].duplicates == 1
    kit.purge()
    assert version(3, "10.00", 9, "/again").moves[0].duplicates == 1
    kit.purge()
    reused = first.value.replace(b'"10.00"', b'"11.00"')
    assert [held.reason for held in again(4, reused).quarantined] == ["ID_REUSE"]
    kit.purge()
    correction = version(5, "20.00", 3, "/corrected")
    assert [fact.event.correction for fact in correction.facts] == [True]
    assert kit.purge() in (None, 3)
    assert again(6, first.value).moves[0].duplicates == 1, "the corrected version is known too"
    kit.purge()
    late = version(7, "30.00", 1, "/older")
    assert [held.reason for held in late.quarantined] == ["IDEMPOTENCY_CONFLICT"]
    with kit.log.snapshot():
        proof = compare(
            rebuild(kit.log.facts(), {rules.rules_hash: rules}),
            kit.log.states(),
            kit.log.alerts(),
        )
    assert (proof.equal, proof.events) == (True, 3), proof.differences


def test_a_fact_that_waits_is_not_forgotten(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    early = outgoing(posted(1))
    take(kit, rules, records([early]))
    assert kit.purge() in (None, 0)
    again = take(kit, rules, [Record(PLACE[0], 0, 1, b"C1", early.value)])
    assert (again.moves[0].duplicates, again.moves[0].parked) == (1, 0)
    released = take(kit, rules, [Record(PLACE[0], 0, 2, b"C1", outgoing(opened()).value)])
    assert len(released.facts) == 2


def test_what_was_looked_up_before_a_purge_is_looked_up_after_it(kit: Kit, rules: Decider) -> None:
    kit.book.create_offsets(GROUP, {PLACE: 0})
    outs = [outgoing(opened()), outgoing(posted(1)), outgoing(posted(2))]
    take(kit, rules, records(outs))
    for offset in (3, 4, 5):
        kit.purge()
        again = take(kit, rules, [Record(PLACE[0], 0, offset, b"C1", outs[1].value)])
        assert again.moves[0].duplicates == 1


def test_nothing_is_looked_up_before_anything_was_forgotten(
    request: pytest.FixtureRequest, kit: Kit, rules: Decider
) -> None:
    if kit.retention is None:
        return
    kit.book.create_offsets(GROUP, {PLACE: 0})
    take(kit, rules, records([outgoing(opened())]))
    today = dt.datetime.now(dt.UTC).date()
    done = kit.retention.purge(today - dt.timedelta(days=2), DAY, DAY, lambda now: None)
    configured = request.getfixturevalue("clean")
    assert (done.inbox, query(configured, "SELECT * FROM inbox_horizon")) == (0, [])


def test_a_purge_takes_only_what_has_left_the_outbox(kit: Kit, rules: Decider) -> None:
    if kit.retention is None:
        return  # the outbox in memory keeps nothing that has left
    kit.book.create_offsets(GROUP, {PLACE: 0})
    take(kit, rules, records([outgoing(opened()), outgoing(posted(balance_after="-9.00"))]))
    after = NOW.date() + dt.timedelta(days=1)

    def purge() -> tuple[int, int]:
        done = kit.retention.purge(DAY, after, NOW.date(), lambda now: None)
        return done.outbox, done.outbox_waiting

    assert purge() == (0, 1), "it waits, however old it is"
    sent: list[Any] = []
    assert kit.outbox.publish(10, sent.extend) == 1
    assert kit.retention.count(DAY, after).outbox == 1
    assert purge() == (1, 0)
    assert kit.retention.count(DAY, after).outbox == 0


def test_days_of_the_outbox_are_dropped_whole(kit: Kit, rules: Decider) -> None:
    if kit.retention is None:
        return
    kit.book.create_offsets(GROUP, {PLACE: 0})
    day = NOW.date() + dt.timedelta(days=3)
    assert kit.retention.prepare_days(day) >= 1
    assert kit.retention.prepare_days(day) == 0
    ready = prepared(
        records([outgoing(opened()), outgoing(posted(balance_after="-9.00"))]),
        NOW + dt.timedelta(days=3),
    )
    commit(
        ready,
        kit.book.offsets(GROUP),
        store=kit.store,
        rules=rules,
        cache=Cache(),
        breaker=Breaker(LIMITS),
    )
    later = day + dt.timedelta(days=1)
    done = kit.retention.purge(DAY, later, later, lambda now: None)
    assert (done.outbox, done.outbox_waiting) == (0, 1)
    assert kit.outbox.publish(10, list) == 1
    done = kit.retention.purge(DAY, later, later, lambda now: None)
    assert (done.outbox, done.outbox_waiting) == (1, 0)
    assert done.outbox_days >= 1
