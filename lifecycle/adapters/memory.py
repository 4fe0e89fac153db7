"""Every port of the stream in memory: for tests, for trying a rule, for learning the path."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lifecycle.alerts.alert import Repeat, canonical
from lifecycle.clients.state import ClientState, decode_state, encode_state
from lifecycle.errors import Fenced
from lifecycle.events import Event
from lifecycle.ports import (
    Batch,
    Failure,
    LiveAlert,
    LoggedFact,
    OutboxMessage,
    Quarantined,
    Verdict,
)


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
        self.next: dict[tuple[str, int], int] = {}
        self.counts: dict[tuple[str, int], list[int]] = {}
        self.inbox: dict[bytes, bytes] = {}
        self.log: list[tuple[str, Event, bytes]] = []
        self.state_bytes: dict[str, bytes] = {}
        self.raised: dict[str, LiveAlert] = {}
        self.held: list[Quarantined] = []
        self.waiting: list[OutboxMessage] = []
        self._rules_content = dict(rules_content or {})

    @contextmanager
    def transaction(self) -> Iterator[_MemoryUnit]:
        before = copy.copy(self.__dict__)
        shallow = {k: copy.copy(v) for k, v in before.items()}
        try:
            yield _MemoryUnit(self)
        except BaseException:
            self.__dict__.update(shallow)
            raise

    def close(self) -> None:
        """Nothing is open."""

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        return dict(self.next)

    def create_offsets(self, group: str, starts: Mapping[tuple[str, int], int]) -> None:
        for place, offset in starts.items():
            self.next.setdefault(place, offset)

    def publish(self, limit: int, send: Callable[[list[OutboxMessage]], None]) -> int:
        batch = self.waiting[:limit]
        if batch:
            send(batch)
            del self.waiting[: len(batch)]
        return len(batch)

    @contextmanager
    def snapshot(self) -> Iterator[MemoryIngestStore]:
        yield self

    def facts(self, client_id: str | None = None) -> Iterator[LoggedFact]:
        for rules_hash, event, payload in self.log:
            if client_id in (None, event.client_id):
                yield LoggedFact(
                    rules_hash,
                    event.topic,
                    event.partition,
                    event.offset,
                    event.client_id,
                    payload,
                )

    def states(self) -> dict[str, bytes]:
        return dict(self.state_bytes)

    def alerts(self, client_id: str | None = None) -> dict[str, LiveAlert]:
        return dict(self.raised)

    def nightly_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        return []

    def rule_sets(self) -> dict[str, str]:
        return self._rules_content


class _MemoryUnit:
    """IngestUnit on the store's own collections; `transaction` puts them back on failure."""

    def __init__(self, store: MemoryIngestStore) -> None:
        self._store = store

    def accept(self, digests: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        known = {k: self._store.inbox[k] for k in digests if k in self._store.inbox}
        self._store.inbox.update({k: d for k, d in digests.items() if k not in known})
        return known

    def states(self, clients: Sequence[str]) -> dict[str, ClientState]:
        stored = self._store.state_bytes
        return {c: decode_state(stored[c]) for c in clients if c in stored}

    def write(self, batch: Batch) -> None:
        store = self._store
        for client, state in batch.states.items():
            stored = store.state_bytes.get(client)
            facts = decode_state(stored).facts if stored else 0
            if facts != batch.facts_before[client]:
                raise Fenced(f"Client {client} was changed by another writer.")
            store.state_bytes[client] = encode_state(state)
        store.log += [
            (batch.rules_hash, event, payload)
            for event, payload in zip(batch.events, batch.payloads, strict=True)
        ]
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
        self._move(batch)

    def _move(self, batch: Batch) -> None:
        for move in batch.moves:
            place = (move.topic, move.partition)
            if self._store.next.get(place) != move.start or move.end <= move.start:
                raise Fenced(f"{move.topic}/{move.partition} is not at {move.start}.")
            self._store.next[place] = move.end
            counts = self._store.counts.get(place, [0, 0, 0])
            self._store.counts[place] = [
                counts[0] + move.received,
                counts[1] + move.quarantined,
                counts[2] + move.duplicates,
            ]


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
