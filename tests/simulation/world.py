"""The whole stream in memory, with loops that can be crashed at every step of a batch."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from consumers.loop import AHEAD_RECORDS, Loop, Ownership
from consumers.metrics import Metrics
from lifecycle.adapters.memory import MemoryGate, MemoryIngestStore
from lifecycle.adapters.memory_broker import MemoryBroker, MemoryConsumer
from lifecycle.alerts.decide import Decider
from lifecycle.errors import NotRunning
from lifecycle.events import SOURCE_TOPICS, InvalidEvent, Outgoing, decode
from lifecycle.pipeline import orphan
from lifecycle.ports import IngestUnit
from lifecycle.proof import compare, rebuild
from tests.support import DAY, LIMITS, at

STEPS = ("put", "states", "parked", "write", "before commit", "after commit", "connection lost")
"""Where a batch can be hit."""


class Crash(BaseException):
    """kill -9: nothing may catch it."""


def _crash() -> None:
    raise Crash


class FaultyStore:
    """The real in-memory store, and a fault that strikes once at a chosen step."""

    def __init__(self, inner: MemoryIngestStore, world: World) -> None:
        self._inner = inner
        self._world = world

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._inner.transaction() as unit:
            yield _FaultyUnit(unit, self._world)
            self._world.strike("before commit")
        self._world.strike("after commit")
        if self._world.struck("connection lost"):
            raise NotRunning("the answer to COMMIT never came")

    def close(self) -> None:
        """Nothing is open."""


class _FaultyUnit:
    def __init__(self, unit: IngestUnit, world: World) -> None:
        self._unit = unit
        self._world = world

    def __getattr__(self, name: str) -> Any:
        self._world.strike(name)
        return getattr(self._unit, name)


class World:
    """Broker, store, clock, and consumer loops that all believe they own every partition."""

    def __init__(self, rules: Decider, *, ahead: bool = False) -> None:
        """`ahead`: however small a batch is, the next is read while it is being written."""
        self.rules = rules
        self._ahead_records = 1 if ahead else AHEAD_RECORDS
        self.now = at(DAY) + dt.timedelta(days=60)
        self.broker = MemoryBroker(SOURCE_TOPICS, partitions=2)
        self.store = MemoryIngestStore({})
        self.store.create_offsets("g", dict.fromkeys(self.broker.logs, 0))
        self.loops: list[Loop] = []
        self.produced: list[Any] = []
        self._owners: dict[int, Ownership] = {}
        """id of a loop -> what it owns."""
        self._fault: str | None = None
        self._does: Callable[[], None] = _crash

    def start_loop(self) -> Loop:
        ownership = Ownership(self.store, "g")

        def join() -> MemoryConsumer:
            ownership.consumer = MemoryConsumer(self.broker, ownership.on_partitions_assigned)
            return ownership.consumer

        loop = Loop(
            join,
            ownership,
            gate=MemoryGate(),
            open_store=lambda: FaultyStore(self.store, self),
            rules=self.rules,
            limits=LIMITS,
            metrics=Metrics(),
            find_damage=lambda positions: (),
            ahead_records=self._ahead_records,
            clock=lambda: self.now,
        )
        loop.join()
        self.loops.append(loop)
        self._owners[id(loop)] = ownership
        return loop

    def revoke(self, number: int, *, answered: bool = True) -> None:
        """Kafka takes a loop's partitions, as in a rebalance, at whatever moment this is called;
        it gives them back at the loop's next poll, unless that answer gets lost."""
        if self.loops:
            owner = self._owners[id(self.loops[number % len(self.loops)])]
            owner.on_partitions_revoked(set(self.broker.logs))
            if answered and isinstance(owner.consumer, MemoryConsumer):
                owner.consumer.rejoin()

    def send(self, out: Outgoing) -> None:
        self.produced.append(self.broker.append(out.topic, out.key.encode(), out.value))

    def send_bytes(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self.produced.append(self.broker.append(topic, key, value))

    def arm(self, step: str, does: Callable[[], None] | None = None) -> None:
        """Crash at this step of a batch, or do something else there."""
        self._fault, self._does = step, does or _crash

    def struck(self, step: str) -> bool:
        if self._fault == step:
            self._fault = None
            return True
        return False

    def strike(self, step: str) -> None:
        if self.struck(step):
            self._does()

    def turn(self, number: int) -> None:
        """One turn of one loop; a loop that crashes is replaced by a new process."""
        if not self.loops:
            self.start_loop()
        loop = self.loops[number % len(self.loops)]
        try:
            loop.step()
        except Crash:
            self.loops.remove(loop)

    def drain(self) -> None:
        """Let the loops come to rest without further faults."""
        self._fault = None
        for _ in range(200):
            for number in range(max(1, len(self.loops))):
                self.turn(number)
            if all(self.store.next[place] == len(log) for place, log in self.broker.logs.items()):
                return
        raise AssertionError("the loops do not come to rest")

    def expire(self) -> None:
        orphan(self.store, self.now - LIMITS.orphan_age, 100, self.now)

    def check(self) -> None:
        """The oracle: every record is accounted for exactly once, and the log gives what is stored."""
        books: Counter[str] = Counter()
        for counts in self.store.counts.values():
            books.update(counts)
        assert books["received"] == len(self.produced)
        accounts = ("applied", "quarantined", "duplicates", "parked")
        assert books["received"] == sum(books[name] for name in accounts), books
        assert books["applied"] == len(self.store.log)
        assert books["parked"] == len(self.store.waiting_facts)
        assert books["quarantined"] == len(self.store.held)
        places = [
            *((f.event.topic, f.event.partition, f.event.offset) for _, f in self.store.log),
            *((h.record.topic, h.record.partition, h.record.offset) for h in self.store.held),
            *(
                (p.arrived.event.topic, p.arrived.event.partition, p.arrived.event.offset)
                for p, _ in self.store.waiting_facts.values()
            ),
        ]
        assert len(places) == len(set(places)), "a record has two fates"
        self._check_ids({*places})
        proof = compare(
            rebuild(self.store.facts(), {self.rules.rules_hash: self.rules}),
            self.store.states(),
            self.store.alerts(),
        )
        assert proof.equal, proof.differences

    def _check_ids(self, known: set[tuple[str, int, int]]) -> None:
        """What has no fate of its own is an exact duplicate of something that has one."""
        ids = {(f.event.source, f.event.id) for _, f in self.store.log}
        ids |= {
            (p.arrived.event.source, p.arrived.event.id)
            for p, _ in self.store.waiting_facts.values()
        }
        held = {h.event_id for h in self.store.held}
        for record in self.produced:
            if (record.topic, record.partition, record.offset) in known:
                continue
            try:
                event = decode(
                    record.value, record.key, record.topic, record.partition, record.offset
                )
            except InvalidEvent as error:
                raise AssertionError(f"a bad record vanished: {record}") from error
            assert (event.source, event.id) in ids or event.id in held, f"{event.id} vanished"
