"""The consumer: poll raw bytes, hand them to `lifecycle.intake` and `lifecycle.pipeline`, go on
from the row.

Offsets live in PostgreSQL and move in the transaction of the data; what is committed to Kafka is
only for lag dashboards. The loop never decodes, never sets a deserializer and never trusts the
group: a batch that lost its partitions is fenced by the offset row.
"""

from __future__ import annotations

import datetime as dt
import faulthandler
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata

from consumers.damage import Damage
from consumers.logs import write_logs
from consumers.metrics import Metrics
from consumers.topics import METADATA_MS, Client, no_broker
from lifecycle.alerts.decide import Decider
from lifecycle.breaker import Breaker
from lifecycle.cache import Cache
from lifecycle.errors import Fenced, NotRunning, OffsetImpossible, Tripped
from lifecycle.events import SOURCE_TOPICS
from lifecycle.intake import Prepared, prepare, raw_columns
from lifecycle.limits import Limits
from lifecycle.offsets import cut, damaged, is_other_topic, problem
from lifecycle.pipeline import commit
from lifecycle.ports import Batch, Gate, IngestStore, OffsetBook, Record, Stop

log = structlog.get_logger()

POLL_TIMEOUT_MS = 200
BUSY_POLL_TIMEOUT_MS = 5
"""While a batch is being written, look for more, but notice soon that it is done."""
BATCH_RECORDS_MAX = 20_000
"""Upper bound of a micro-batch; an idle consumer's batches are as small as what has arrived."""
AHEAD_RECORDS = 2_000
"""After a batch of this size, the next is read and judged while it is being written. A smaller one is
waited for: to share the interpreter would make both late, and what arrives meanwhile is one batch."""
PARTITION_FETCH_BYTES_MAX = 4 * 2**20
"""The client's default of 1 MiB would keep a batch of eight partitions below 12,000 records."""
FETCH_BYTES_MAX = 16 * 2**20
"""Of one answer of the broker. The client's 50 MiB are new pages of memory for every answer."""
GARBAGE_LOOK_RECORDS = 1_000
GARBAGE_LOOK_BATCHES = 4
"""To look for garbage takes as long as there is in memory: after a smaller batch than this it is
nothing, and when behind, the gate's garbage of so many batches is little beside one of them."""
REQUEST_TIMEOUT_MS = 10_000
"""kafka-python's own figure is 30 s. While a heartbeat and a fetch wait for a broker that does not answer,
its poll spins, and hangs one more callback on the fetch with every turn: some 20 MB a second."""
SWITCH_SECONDS = 0.0005
SWITCH_SECONDS_BEHIND = 0.005
"""How long a thread that has its answer from the broker or the database may wait for another one to
give the interpreter away. Python's own 5 ms would make alerts late, and cost less when behind."""
MAX_POLL_INTERVAL_SECONDS = 45.0
"""A member that does not poll for so long loses its partitions; shorter than the watchdog."""
WATCHDOG_SECONDS = 60
"""A loop that does not come round in this time is stuck: dump all stacks and exit."""
KAFKA_COMMIT_SECONDS = 1.0
STOPS_SECONDS = 0.5
"""How often a consumer with stopped partitions asks whether a person let them go on."""
JOIN_POLL_TIMEOUT_MS = 1000
"""Without partitions there is nothing to hurry for: leave a rebalance the time to end."""
REJOIN_SECONDS = 15
"""A member that has given its partitions back and is given none for this long joins anew: when a
poll ends between the two answers of a rebalance, kafka-python 3.0.12 drops the second one."""
RECONNECT_SECONDS_MIN = 0.5
RECONNECT_SECONDS_MAX = 10.0
LEAVE_MS = 5_000
"""How long a member that ends tries to tell the group, so that nobody waits for it."""


class PollableConsumer(Protocol):
    """The slice of consumers.topics.Client this loop needs."""

    def poll(self, timeout_ms: int, max_records: int) -> Mapping[Any, Sequence[Any]]: ...
    def seek(self, partition: Any, offset: int) -> None: ...
    def assignment(self) -> set[Any]: ...
    def pause(self, *partitions: Any) -> None: ...
    def resume(self, *partitions: Any) -> None: ...
    def beginning_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]: ...
    def end_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]: ...
    def topic_id(self, topic: str) -> str | None: ...
    def commit_async(self, offsets: Any) -> Any: ...
    def close(self, **options: Any) -> None: ...


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """What this process owns: the next offset of each assigned partition, and its clients' states.

    Kafka calls it on the client's I/O thread, at any moment. That thread sends the heartbeats, so a
    callback waits for nothing: it lets everything rest, and the loop takes the partitions on its
    own thread. All of it is under one lock.
    """

    def __init__(self, book: OffsetBook, group: str) -> None:
        self._book = book
        self._group = group
        self.consumer: PollableConsumer | None = None
        self.next: dict[tuple[str, int], int] = {}
        self.stopped: set[tuple[str, int]] = set()
        """Partitions that are not read on: assigned, paused, their offset untouched."""
        self.cache = Cache()
        self.is_new = False
        """Whether partitions were assigned that are not taken yet."""
        self.waiting_since: float | None = None
        """Monotonic seconds since it asked for partitions; None once the group has answered."""
        self._topics: dict[str, str] = {}
        """Topic -> the broker's id of the one that `next` counts in."""
        self._changes = 0
        self._lock = threading.Lock()

    def on_partitions_revoked(self, revoked: Any) -> None:
        with self._lock:
            self.waiting_since = time.monotonic()
            self.is_new = False
            self._own({})

    def on_partitions_assigned(self, assigned: Any) -> None:
        with self._lock:
            self.waiting_since = None
            self.is_new = True
            self._own({})
            for tp in assigned:
                # Any position: it is paused, and without one the client would look for its own.
                self._seek(tp, 0)
            self._pause(assigned)

    def take(self) -> None:
        """Go to the stored offsets of what is assigned now. Raises OffsetImpossible for a missing
        row or one of another topic, NotRunning when the store cannot say."""
        assert self.consumer is not None
        changes = self._changes
        assigned = self.consumer.assignment()
        places = {(tp.topic, tp.partition) for tp in assigned}
        rows = self._book.offsets(self._group)
        stops = self._book.stops(self._group)
        rows |= self._begin(places - rows.keys(), rows)
        self._compare_topics(places, rows)
        with self._lock:
            if changes != self._changes:
                return  # they changed hands while we asked: `is_new` tells, or there are none
            self._own({place: self._stored(place, rows) for place in places})
            for place, offset in self.next.items():
                self._seek(TopicPartition(*place), offset)
            self.consumer.resume(*assigned)
            self._stop(places & stops.keys())
            self.is_new = False

    def _compare_topics(
        self, places: set[tuple[str, int]], rows: Mapping[tuple[str, int], int]
    ) -> None:
        """A row that does not know its topic yet belongs to the one that is there now."""
        assert self.consumer is not None
        found = {topic: self.consumer.topic_id(topic) for topic, _ in places}
        self._topics = {topic: topic_id for topic, topic_id in found.items() if topic_id}
        known = self._book.topics(self._group)
        for place in sorted(places & known.keys()):
            if is_other_topic(known[place], self._topics.get(place[0])):
                raise OffsetImpossible(str(self.problem(place, rows[place], made_anew=True)))
        new = {p: self._topics[p[0]] for p in places - known.keys() if p[0] in self._topics}
        if new:
            self._book.belong(self._group, new)

    def is_made_anew(self, topic: str) -> bool:
        """Whether the name stands for another topic than the one whose offsets were taken."""
        assert self.consumer is not None
        return is_other_topic(self._topics.get(topic), self.consumer.topic_id(topic))

    def problem(self, place: tuple[str, int], offset: int, *, made_anew: bool) -> str | None:
        """What is lost or impossible about an offset, asked of the broker now; not under the lock."""
        assert self.consumer is not None
        tp = TopicPartition(*place)
        start = self.consumer.beginning_offsets([tp])[tp]
        end = self.consumer.end_offsets([tp])[tp]
        return problem(place, offset, start, end, made_anew=made_anew)

    def accept(self, polled: Mapping[Any, Sequence[Any]]) -> list[Record]:
        """The polled records that follow the owned offsets. A record read twice after a seek, and
        one of a partition that is not taken, is dropped. Raises OffsetImpossible for records of a
        topic that was made anew under us."""
        for tp in polled:
            if self.is_made_anew(tp.topic):
                stored = self.next.get((tp.topic, tp.partition), 0)
                why = self.problem((tp.topic, tp.partition), stored, made_anew=True)
                raise OffsetImpossible(str(why))
        with self._lock:
            records: list[Record] = []
            for tp, batch in sorted(polled.items()):
                place = (tp.topic, tp.partition)
                start = self.next.get(place)
                if start is not None and place not in self.stopped:
                    fresh = batch[0].offset >= start
                    records += batch if fresh else [r for r in batch if r.offset >= start]
            return records

    def advance(self, ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int] | None:
        """Move the owned offsets to the ends of a batch and return where they stood; None when
        one of its partitions went to another consumer meanwhile."""
        with self._lock:
            if not ends.keys() <= self.next.keys():
                return None
            starts = dict(self.next)
            self.next.update(ends)
            return starts

    def _own(self, offsets: dict[tuple[str, int], int]) -> None:
        self.next = offsets
        self.stopped = set()
        # A new one: the writer's thread may still hold the old one.
        self.cache = Cache()
        self._changes += 1

    def _seek(self, tp: Any, offset: int) -> None:
        assert self.consumer is not None
        try:
            self.consumer.seek(tp, offset)
        except ValueError:
            # It went away this moment: the callback that follows lets go of it.
            log.info("partition_gone", topic=tp.topic, partition=tp.partition)

    def _pause(self, partitions: Iterable[Any]) -> None:
        assert self.consumer is not None
        self.consumer.pause(*partitions)

    def _stored(self, place: tuple[str, int], rows: Mapping[tuple[str, int], int]) -> int:
        if place not in rows:
            raise OffsetImpossible(
                f"There is no offset row for {place[0]} partition {place[1]} in group "
                f"{self._group}: `lifecycle offsets show` says what the broker keeps; restore "
                "the database, or run `lifecycle bootstrap` to start at the log's beginning."
            )
        return rows[place]

    def _begin(
        self, missing: set[tuple[str, int]], rows: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], int]:
        """Rows for partitions that a topic has got since it was first read: those behind its last.

        Nothing of them was read, so they begin at offset 0, and when that is not kept any more the
        fetch says what is lost. A row missing before the last, or every row of a topic, is another
        matter: it was there and is lost.
        """
        last: dict[str, int] = {}
        for topic, partition in rows:
            last[topic] = max(partition, last.get(topic, 0))
        added = {place: 0 for place in missing if place[1] > last.get(place[0], place[1])}
        if added:
            self._book.create_offsets(self._group, added)
            log.info("partitions_added", places=sorted(added))
        return added

    def keep_stopped(self, stops: Sequence[Stop], now: dt.datetime) -> None:
        """Let the rows say that these partitions are not read on, and why."""
        self._book.stop(self._group, stops, now)

    def stop(self, places: set[tuple[str, int]]) -> None:
        """Read these partitions no further."""
        with self._lock:
            self._stop(places & self.next.keys())

    def _stop(self, places: set[tuple[str, int]]) -> None:
        self.stopped |= places
        self._pause(TopicPartition(*place) for place in places)

    def go_on(self) -> set[tuple[str, int]]:
        """Read on where a person said so, from the stored offset; return those partitions."""
        assert self.consumer is not None
        changes = self._changes
        freed = self.stopped - self._book.stops(self._group).keys()
        if not freed:
            return freed
        rows = self._book.offsets(self._group)
        with self._lock:
            if changes != self._changes:
                return set()
            for place in freed:
                self._seek(TopicPartition(*place), rows[place])
                self.next[place] = rows[place]
            self.consumer.resume(*(TopicPartition(*place) for place in freed))
            self.stopped -= freed
            return freed


class Loop:
    """One consumer process. `run` returns when `stop` is set and the last batch is committed.

    While a large batch is being written, the next one is polled, decoded and judged: PostgreSQL and
    the broker wait outside the interpreter lock. At most one batch is being written.
    """

    def __init__(
        self,
        join: Callable[[], PollableConsumer],
        ownership: Ownership,
        *,
        gate: Gate,
        open_store: Callable[[], IngestStore],
        rules: Decider,
        limits: Limits,
        metrics: Metrics,
        find_damage: Callable[[Mapping[tuple[str, int], int]], Sequence[Damage]],
        heartbeat: Path | None = None,
        poll_interval_max: float = MAX_POLL_INTERVAL_SECONDS,
        ahead_records: int = AHEAD_RECORDS,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._join = join
        self._owned = ownership
        self._gate = gate
        self._open_store = open_store
        self._store: IngestStore | None = None
        self._rules = rules
        self._limits = limits
        self._breaker = Breaker(limits)
        self._inbox_breaker = Breaker(limits)
        """Of what the inbox refuses; used on the writer's thread."""
        self._metrics = metrics
        self._find_damage = find_damage
        self._heartbeat = heartbeat
        self._poll_interval_max = poll_interval_max
        self._ahead_records = ahead_records
        self._clock = clock
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._writing: Future[Batch] | None = None
        self._batches_since_look = 0
        self._kafka_commit_due = 0.0
        self._stops_due = 0.0
        self._reconnect_seconds = RECONNECT_SECONDS_MIN

    def run(self, stop: threading.Event) -> None:
        write_logs()
        self._warm_up()
        self.join()
        try:
            while not stop.is_set():
                faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
                if self._heartbeat:
                    self._heartbeat.touch()
                self._metrics.turned(len(self._owned.cache.states), len(self._owned.stopped))
                self.step()
            self._written()
        finally:
            # Also when an error ends it: a member that did not leave is waited for by the others.
            self._leave()
            faulthandler.cancel_dump_traceback_later()

    def _leave(self) -> None:
        self._writer.shutdown()
        if self._store:
            self._store.close()
        self._consumer.close(autocommit=False, timeout_ms=LEAVE_MS)

    def _join_anew(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=LEAVE_MS)
        self.join()

    def join(self) -> None:
        """Become a member of the group."""
        self._owned.waiting_since = time.monotonic()
        self._consumer = self._join()

    def step(self) -> None:
        """Poll once, prepare what came, and hand it to the writer when the one before is done."""
        if self._store is None and not self._connect():
            return
        if self._owned.is_new and not (self._written() and self._start_over()):
            return
        self._look_at_stops()
        self._rejoin_when_forgotten()
        records = self._poll()
        small = len(records) < self._ahead_records
        sys.setswitchinterval(SWITCH_SECONDS if small else SWITCH_SECONDS_BEHIND)
        polled_at = time.perf_counter()
        prepared = self._prepare(records) if records else None
        if self._written() and prepared:
            self._write(prepared, polled_at)
        if small:
            self._written()
        seconds = time.perf_counter() - polled_at
        if seconds > self._poll_interval_max:
            log.warning(
                "batch_too_slow",
                reason="it took longer than max_poll_interval, so the group took the partitions away",
                seconds=round(seconds, 1),
                max_poll_interval_seconds=self._poll_interval_max,
                records=len(records),
                batch_records_max=BATCH_RECORDS_MAX,
            )

    def _poll(self) -> list[Record]:
        timeout = BUSY_POLL_TIMEOUT_MS if self._writing else POLL_TIMEOUT_MS
        if self._owned.waiting_since is not None:
            timeout = JOIN_POLL_TIMEOUT_MS
        return self._owned.accept(self._poll_broker(timeout, BATCH_RECORDS_MAX))

    def _poll_broker(self, timeout_ms: int, max_records: int) -> Mapping[Any, Sequence[Any]]:
        try:
            return self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        except OffsetOutOfRangeError as error:
            raise self._impossible(error) from error
        except LogTruncationError as error:
            cuts = error.divergent_offsets
            self._stop_reading(error, lambda: self._cut(cuts))
        except CorruptRecordError as error:
            self._stop_reading(error, self._damaged)
        return {}

    def _stop_reading(self, error: KafkaError, find: Callable[[], Sequence[Stop]]) -> None:
        """Stop partitions that cannot be read on, where they stand; the others flow.

        What was read before is stored first. The client must not be polled after such an error,
        so a new member takes its place.
        """
        log.warning("cannot_read", reason=str(error))
        if self._written():
            self._keep_stopped(find)
        self._join_anew()

    def _keep_stopped(self, find: Callable[[], Sequence[Stop]]) -> None:
        try:
            stops = find()
            self._owned.keep_stopped(stops, self._clock())
        except NotRunning as away:
            log.warning("stops_unknown", reason=str(away))  # reading again will see the same
        else:
            for stop in stops:
                log.error("partition_stopped", **msgspec.structs.asdict(stop))

    def _prepare(self, records: Sequence[Record]) -> Prepared:
        prepared = prepare(
            records,
            gate=self._gate,
            limits=self._limits,
            breaker=self._breaker,
            now=self._clock(),
        )
        self._metrics.prepared(prepared)
        # Whatever becomes of this batch, nothing behind the point where a partition stops is read.
        self._owned.stop({(stop.topic, stop.partition) for stop in prepared.stops})
        return prepared

    def _write(self, prepared: Prepared, polled_at: float) -> None:
        """Start writing; the owned offsets run ahead of the rows by this one batch."""
        ends = {(r.topic, r.partition): r.offset + 1 for r in prepared.records}
        starts = self._owned.advance(ends)
        if starts is None:
            # They went to another consumer while the batch was prepared; it reads them again.
            log.warning("batch_discarded", records=len(prepared.records))
            return
        self._writing = self._writer.submit(self._commit, prepared, starts, polled_at)

    def _commit(
        self, prepared: Prepared, starts: Mapping[tuple[str, int], int], polled_at: float
    ) -> Batch:
        """On the writer's thread."""
        assert self._store is not None
        with self._metrics.committing():
            batch = commit(
                prepared,
                starts,
                store=self._store,
                rules=self._rules,
                cache=self._owned.cache,
                breaker=self._inbox_breaker,
            )
        self._metrics.committed(batch, time.perf_counter() - polled_at)
        self._collect_garbage(len(prepared.records))
        return batch

    def _collect_garbage(self, records: int) -> None:
        self._batches_since_look += 1
        if records < GARBAGE_LOOK_RECORDS or self._batches_since_look >= GARBAGE_LOOK_BATCHES:
            gc.collect(1)
            self._batches_since_look = 0

    def _written(self) -> bool:
        """Wait for the batch that is being written. False when it did not come through."""
        if self._writing is None:
            return True
        writing, self._writing = self._writing, None
        try:
            batch = writing.result()
        except Fenced as fence:
            log.warning("fenced", reason=str(fence))
            self._metrics.fenced()
            self._start_over()
            return False
        except Tripped as trip:
            stops = trip.stops
            self._keep_stopped(lambda: stops)
            self._start_over()
            return False
        except NotRunning as error:
            self._disconnect(error)
            return False
        for stop in batch.stops:
            log.error("partition_stopped", **msgspec.structs.asdict(stop))
        self._commit_to_kafka()
        return True

    def _rejoin_when_forgotten(self) -> None:
        since = self._owned.waiting_since
        if since is None or time.monotonic() - since < REJOIN_SECONDS:
            return
        log.warning("joins_anew", seconds_without_partitions=REJOIN_SECONDS)
        self._join_anew()

    def _look_at_stops(self) -> None:
        if not self._owned.stopped or self._writing or time.monotonic() < self._stops_due:
            return
        self._stops_due = time.monotonic() + STOPS_SECONDS
        try:
            freed = self._owned.go_on()
        except NotRunning as error:
            log.warning("stops_unknown", reason=str(error))
            return
        if freed:
            self._forget_counts()
            log.info("partitions_go_on", places=sorted(freed))

    def _commit_to_kafka(self) -> None:
        # For dashboards only, and never waited for: the offset row is the authority.
        if time.monotonic() < self._kafka_commit_due:
            return
        self._kafka_commit_due = time.monotonic() + KAFKA_COMMIT_SECONDS
        self._consumer.commit_async({
            TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)
            for (topic, partition), offset in self._owned.next.items()
        })

    def _connect(self) -> bool:
        """Open the store; while it is away keep polling paused partitions, to stay in the group."""
        try:
            self._store = self._open_store()
        except NotRunning as error:
            log.warning("database_away", reason=str(error))
            self._consumer.pause(*self._consumer.assignment())
            self._poll_broker(int(self._reconnect_seconds * 1000), 1)
            self._reconnect_seconds = min(self._reconnect_seconds * 2, RECONNECT_SECONDS_MAX)
            return False
        return self._start_over()

    def _start_over(self) -> bool:
        """Read on from the stored offsets. False when the store cannot say them now."""
        self._forget_counts()
        try:
            self._owned.take()
        except NotRunning as error:
            self._disconnect(error)
            return False
        self._reconnect_seconds = RECONNECT_SECONDS_MIN
        return True

    def _forget_counts(self) -> None:
        self._breaker.forget()
        self._inbox_breaker.forget()

    def _disconnect(self, error: NotRunning) -> None:
        """The outcome of the last transaction is unknown; the offset row will tell."""
        log.warning("database_lost", reason=str(error))
        self._metrics.disconnected()
        if self._store:
            self._store.close()
        self._store = None

    def _warm_up(self) -> None:
        # The first validations cost hundreds of milliseconds; pay them before joining the group.
        for rows in (1, 100):
            self._gate.check("raw", raw_columns({}, rows), rows)
        # The collector would walk every cached state again and again. Nothing of ours is cyclic;
        # what the gate leaves behind is collected young, between batches.
        gc.collect()
        gc.freeze()
        gc.disable()

    def _impossible(self, error: OffsetOutOfRangeError) -> OffsetImpossible:
        """The exact range that is lost or impossible, asked of the broker now."""
        tp, offset = next(iter(error.args[0].items()))
        return OffsetImpossible(self._problem(tp, offset) or f"{tp}: {error}")

    def _problem(self, tp: TopicPartition, offset: int) -> str | None:
        made_anew = self._owned.is_made_anew(tp.topic)
        return self._owned.problem((tp.topic, tp.partition), offset, made_anew=made_anew)

    def _cut(self, cuts: Mapping[TopicPartition, OffsetAndMetadata | None]) -> list[Stop]:
        """The logs lost their ends, and may have grown again since."""
        stops = []
        for tp, at in cuts.items():
            place = (tp.topic, tp.partition)
            stored = self._owned.next.get(place)
            if stored is not None:
                why = self._problem(tp, stored) or cut(place, stored, at.offset if at else None)
                stops.append(Stop(*place, why))
        return stops

    def _damaged(self) -> list[Stop]:
        return [
            Stop(d.topic, d.partition, damaged((d.topic, d.partition), d.first, d.behind))
            for d in self._find_damage(dict(self._owned.next))
        ]


def kafka_consumer(bootstrap_servers: str, group: str, ownership: Ownership) -> Client:
    """A group member on all source topics: raw bytes, no auto-commit, no reset, range assignor."""
    try:
        consumer = Client(
            bootstrap_servers=bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=[RangePartitionAssignor],
            max_poll_records=BATCH_RECORDS_MAX,
            fetch_max_bytes=FETCH_BYTES_MAX,
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
            session_timeout_ms=30_000,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            max_poll_interval_ms=int(MAX_POLL_INTERVAL_SECONDS * 1000),
            metadata_max_age_ms=METADATA_MS,
        )
    except KafkaError as error:
        raise no_broker(bootstrap_servers, error) from error
    ownership.consumer = consumer
    # A leader that knows no partitions yet assigns none and has to begin again, and now and then
    # the client does not come back from that: so let it know them before it joins.
    consumer.topics()
    consumer.subscribe(list(SOURCE_TOPICS), listener=ownership)
    return consumer
