"""Every port of the stream in memory: for tests, for trying a rule, for learning the path."""

from __future__ import annotations

import copy
import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from lifecycle.alerts.alert import Repeat, canonical
from lifecycle.clients.state import ClientState, decode_state, encode_state
from lifecycle.errors import Fenced
from lifecycle.events import Event
from lifecycle.inbox import identify
from lifecycle.ports import (
    Arrived,
    Batch,
    Failure,
    Identity,
    LiveAlert,
    LoggedFact,
    OutboxMessage,
    Parked,
    Quarantined,
    Record,
    Seen,
    Stop,
    Verdict,
)

Place = tuple[str, int]


class MemoryGate:
    """Gate on boolean check columns: a row fails the first `ck_` column that is False."""

    def check(self, stage: str, columns: Mapping[str, Any], rows: int) -> Verdict:
        checks = [name for name in columns if name.startswith("ck_")]
        failures = [_closed("EMPTY_BATCH")] if rows == 0 else []
        for name in checks:
            if len(columns[name]) != rows:
                failures.append(_closed("ROW_COUNT"))
                continue
            bad = tuple(i for i, held in enumerate(columns[name]) if not held)
            if bad:
                failures.append(Failure(name, name, "quarantine", bad, len(bad), name, name))
        return Verdict(stage, not failures, rows, len(checks), len(checks), 0.0, tuple(failures))


def _closed(reason: str) -> Failure:
    return Failure("gate", reason, "block", (), 0, reason, reason)


class MemoryIngestStore:
    """IngestStore, OffsetBook, Outbox and EventLog in one object; transactions are copies."""

    def __init__(self, rules_content: Mapping[str, str] | None = None) -> None:
        self.next: dict[Place, int] = {}
        self.topic_ids: dict[Place, str] = {}
        self.stopped: dict[Place, str] = {}
        self.counts: dict[Place, Counter[str]] = {}
        """Per partition: received, applied, quarantined, duplicates, parked."""
        self.ids: dict[bytes, bytes] = {}
        self.keys: dict[bytes, Identity] = {}
        self.log: list[tuple[str, Arrived]] = []
        self.state_bytes: dict[str, bytes] = {}
        self.raised: dict[str, LiveAlert] = {}
        self.held: list[Quarantined] = []
        self.let_in: frozenset[int] = frozenset()
        """Positions in `held` of what was released."""
        self.waiting_facts: dict[int, tuple[Parked, dt.datetime]] = {}
        self.corrected: dict[bytes, bytes] = {}
        self.gaps: dict[tuple[str, str], int] = {}
        self.waiting: list[OutboxMessage] = []
        self.parked_ids = 0
        self.forgotten_before: dt.datetime | None = None
        self.recalled: set[str] = set()
        self._rules_content = dict(rules_content or {})

    @contextmanager
    def transaction(self) -> Iterator[_MemoryUnit]:
        before = {name: copy.copy(value) for name, value in self.__dict__.items()}
        before["counts"] = {place: Counter(c) for place, c in self.counts.items()}
        try:
            yield _MemoryUnit(self)
        except BaseException:
            self.__dict__.update(before)
            raise

    def close(self) -> None:
        """Nothing is open."""

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        return dict(self.next)

    def topics(self, group: str) -> dict[Place, str]:
        return dict(self.topic_ids)

    def belong(self, group: str, topics: Mapping[Place, str]) -> None:
        for place, topic_id in topics.items():
            self.topic_ids.setdefault(place, topic_id)

    def stops(self, group: str) -> dict[Place, str]:
        return dict(self.stopped)

    def stop(self, group: str, stops: Sequence[Stop], now: dt.datetime) -> None:
        self.stopped |= {(stop.topic, stop.partition): stop.reason for stop in stops}

    def create_offsets(self, group: str, starts: Mapping[tuple[str, int], int]) -> None:
        for place, offset in starts.items():
            self.next.setdefault(place, offset)

    def publish(self, limit: int, send: Callable[[list[OutboxMessage]], None]) -> int:
        batch = self.waiting[:limit]
        if batch:
            send(batch)
            del self.waiting[: len(batch)]
        return len(batch)

    def forget(self, before: dt.datetime) -> None:
        """Forget the identities of all applied facts; those older than `before` are looked up."""
        for _, fact in self.log:
            identity = identify(fact.event)
            self.ids.pop(identity.event_key, None)
            self.keys.pop(identity.business_key, None)
        self.forgotten_before, self.recalled = before, set()

    @contextmanager
    def snapshot(self) -> Iterator[MemoryIngestStore]:
        yield self

    def facts(self, client_id: str | None = None) -> Iterator[LoggedFact]:
        for rules_hash, fact in self.log:
            event, payload = fact.event, fact.payload
            if client_id in (None, event.client_id):
                yield LoggedFact(
                    rules_hash,
                    event.topic,
                    event.partition,
                    event.offset,
                    event.client_id,
                    payload,
                    event.correction,
                    event.waited,
                    event.late,
                )

    def history(self, client_id: str, through_position: int) -> list[Event]:
        """A position is the place in the log, counted from 1."""
        facts = (fact.event for _, fact in self.log[:through_position])
        return [msgspec.structs.replace(e, late=False) for e in facts if e.client_id == client_id]

    def states(self) -> dict[str, bytes]:
        return dict(self.state_bytes)

    def alerts(self, client_id: str | None = None) -> dict[str, LiveAlert]:
        return dict(self.raised)

    def nightly_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        return []

    def model_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        return []

    def late_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        return []

    def rule_sets(self) -> dict[str, str]:
        return self._rules_content


class _MemoryUnit:
    """IngestUnit on the store's own collections; `transaction` puts them back on failure."""

    def __init__(self, store: MemoryIngestStore) -> None:
        self._store = store

    def recall(self, events: Collection[Event]) -> None:
        store, before = self._store, self._store.forgotten_before
        old = {event.client_id for event in events if before and event.time < before}
        for _, fact in store.log:
            if fact.event.client_id in old - store.recalled:
                identity = identify(fact.event)
                store.ids[identity.event_key] = identity.digest
                if fact.key not in store.corrected:
                    store.keys[identity.business_key] = identity
        store.recalled |= old

    def put(
        self,
        identities: Sequence[Identity],
        corrected: Collection[bytes] = (),
        known: Collection[bytes] = (),
    ) -> Seen:
        store = self._store
        replaced = {key for key in corrected if key in known}
        keys = {i.business_key for i in identities} & store.keys.keys()
        found = {
            i.event_key: store.ids[i.event_key] for i in identities if i.event_key in store.ids
        }
        seen = Seen(
            found, {key: store.keys[key] for key in keys} if found or keys - replaced else {}
        )
        if not seen.ids and not seen.keys:
            store.ids.update({i.event_key: i.digest for i in identities})
            store.keys.update({i.business_key: i for i in identities})
        return seen

    def held_before(self, records: Sequence[Record]) -> set[tuple[str, int, int]]:
        held = [h.record for h in self._store.held if h.reason != "ORPHANED"]
        bytes_at = {(r.topic, r.partition, r.offset, r.value) for r in held}
        places = [(r.topic, r.partition, r.offset, r.value) for r in records]
        return {place[:3] for place in places if place in bytes_at}

    def parked(self, clients: Sequence[str]) -> list[Parked]:
        rows = (parked for parked, _ in self._store.waiting_facts.values())
        return [p for p in rows if p.arrived.event.client_id in clients]

    def orphans(self, parked_before: dt.datetime, limit: int) -> list[Parked]:
        rows = self._store.waiting_facts.values()
        return [parked for parked, parked_at in rows if parked_at < parked_before][:limit]

    def hold(
        self,
        orphans: Sequence[Parked],
        held: Sequence[Quarantined],
        messages: Sequence[OutboxMessage],
        now: dt.datetime,
    ) -> None:
        store = self._store
        for parked in orphans:
            event = parked.arrived.event
            self._unpark(parked)
            self._forget(identify(event))
            store.counts[event.topic, event.partition].update(parked=-1, quarantined=1)
        store.held += held
        store.waiting += messages

    def _forget(self, identity: Identity) -> None:
        """Forget a fact that was never applied; what it corrected stands again."""
        store, key = self._store, identity.event_key
        store.ids.pop(key)
        later = store.corrected.pop(key, None)
        corrected = [old for old, new in store.corrected.items() if new == key]
        if later is None:
            store.keys.pop(identity.business_key)
        for old in corrected:
            if later is None:
                del store.corrected[old]
                store.keys[identity.business_key] = self._identity(old)
            else:
                store.corrected[old] = later
        for number, (parked, parked_at) in store.waiting_facts.items():
            event = parked.arrived.event
            if event.correction and parked.arrived.key not in store.corrected.values():
                event = msgspec.structs.replace(event, correction=False)
                alone = parked._replace(arrived=parked.arrived._replace(event=event))
                store.waiting_facts[number] = (alone, parked_at)

    def _identity(self, key: bytes) -> Identity:
        """Of a fact that is applied or waits."""
        store = self._store
        arrived = [fact for _, fact in store.log]
        arrived += [parked.arrived for parked, _ in store.waiting_facts.values()]
        return next(identify(fact.event) for fact in arrived if fact.key == key)

    def states(self, clients: Sequence[str]) -> dict[str, ClientState]:
        stored = self._store.state_bytes
        return {c: decode_state(stored[c]) for c in clients if c in stored}

    def degraded(self, clients: Sequence[str], besides: int | None) -> frozenset[str]:
        gone = self._store.let_in | {besides}
        held = {q.client_id for i, q in enumerate(self._store.held) if i not in gone}
        return frozenset(clients) & held

    def write(self, batch: Batch) -> None:
        store = self._store
        waiting = {parked.arrived.event.client_id for parked in batch.parked}
        for client in batch.states.keys() | waiting:
            stored = store.state_bytes.get(client)
            facts = decode_state(stored).facts if stored else 0
            if facts != batch.facts_before[client]:
                raise Fenced(f"Client {client} was changed by another writer.")
        store.state_bytes |= {c: encode_state(state) for c, state in batch.states.items()}
        store.log += [(batch.rules_hash, fact) for fact in batch.facts]
        self._park(batch)
        store.corrected |= batch.corrections
        store.gaps = {place: n for place, n in (store.gaps | batch.gaps).items() if n}
        for raised in batch.alerts:
            alert = raised.alert
            store.raised[alert.alert_id] = LiveAlert(
                alert.alert_id,
                canonical(alert),
                encode_state(raised.state_before),
                1,
                alert.event_time,
                alert.value,
            )
        for repeat in batch.repeats.values():
            store.raised[repeat.alert_id] = _repeated(store.raised[repeat.alert_id], repeat)
        store.held += batch.quarantined
        store.waiting += batch.outbox
        if batch.release is None:
            self._move(batch)
        else:
            self._close_quarantined(batch, batch.release.quarantine_id)

    def _park(self, batch: Batch) -> None:
        store = self._store
        for parked in batch.parked:
            store.parked_ids += 1
            row = parked._replace(parked_id=store.parked_ids)
            store.waiting_facts[store.parked_ids] = (row, batch.ingested_at)
        for parked in batch.unparked:
            self._unpark(parked)
            event = parked.arrived.event
            store.counts[event.topic, event.partition].update(parked=-1, applied=1)

    def _unpark(self, parked: Parked) -> None:
        if self._store.waiting_facts.pop(parked.parked_id or 0, None) is None:
            raise Fenced("A parked fact was taken by another writer.")

    def _move(self, batch: Batch) -> None:
        store = self._store
        for move in batch.moves:
            place = (move.topic, move.partition)
            if store.next.get(place) != move.start or move.end <= move.start:
                raise Fenced(f"{move.topic}/{move.partition} is not at {move.start}.")
            store.next[place] = move.end
            kept_out = move.quarantined + move.duplicates + move.parked
            store.counts.setdefault(place, Counter()).update(
                received=move.received,
                applied=move.received - kept_out,
                quarantined=move.quarantined,
                duplicates=move.duplicates,
                parked=move.parked,
            )
        store.stopped |= {(stop.topic, stop.partition): stop.reason for stop in batch.stops}

    def _close_quarantined(self, batch: Batch, quarantine_id: int) -> None:
        """A quarantined record is known here by its position in `held`."""
        record = self._store.held[quarantine_id].record
        self._store.let_in |= {quarantine_id}
        parked = len(batch.parked)
        self._store.counts[record.topic, record.partition].update(
            quarantined=-1, applied=1 - parked, parked=parked
        )


def _repeated(alert: LiveAlert, repeat: Repeat) -> LiveAlert:
    return LiveAlert(
        alert.alert_id,
        alert.decision,
        alert.state_before,
        repeat.hit_count,
        repeat.last_seen,
        repeat.max_value,
    )


class MemoryChannel:
    """Channel that keeps what it was sent; `fails` makes it refuse."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name = name
        self.sent: list[tuple[str, str, str]] = []
        self.fails = fails

    def send(self, title: str, body: str, key: str) -> None:
        if self.fails:
            raise ConnectionError(f"channel {self.name} is told to fail")
        self.sent.append((title, body, key))
