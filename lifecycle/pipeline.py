"""THE PATH of a fact, in order.

    topic -> decode -> gate "raw"                                      (lifecycle.intake)
          -> one transaction:
        inbox -> what waits, what is released -> fold -> rules
              -> log, state, alerts, quarantine, outbox -> offsets
    night -> seal -> gate "staged" -> profiles -> gate -> scores -> gate -> alerts -> gate
          -> publish -> prove                                          (lifecycle.nightly)

Given bytes and ports; reads no clock.
"""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lifecycle.alerts.alert import Alert, Repeat, evidence_rows
from lifecycle.alerts.decide import Decider, decide, is_behind
from lifecycle.breaker import Breaker
from lifecycle.cache import Cache
from lifecycle.clients.lifecycle import Transition
from lifecycle.clients.state import ClientState, introduces, waits_for
from lifecycle.errors import AnswerIsNo, Fenced, Tripped
from lifecycle.events.catalogue import ALERT, PROFILE, QUARANTINE
from lifecycle.inbox import Sorted, sort
from lifecycle.intake import Prepared
from lifecycle.ports import (
    Arrived,
    Batch,
    Identity,
    IngestStore,
    IngestUnit,
    OffsetMove,
    OutboxMessage,
    Parked,
    Quarantined,
    RaisedAlert,
    Record,
    Release,
    Seen,
)
from lifecycle.reasons import REASONS

_encode = msgspec.json.Encoder(decimal_format="string").encode

RAW_BYTES_MAX = 256 * 1024
"""A larger record is whole in the quarantine table; its message only says how large it is, since a
broker takes no message over 1 MiB and one that cannot leave would hold up all behind it."""
KEY_BYTES_MAX = 1024
_MOVES = uuid.UUID("5d0c7f0e-50a3-5c0b-9f52-0e6f4d8b7a34")
"""Namespace of the ids of moves in the lifecycle."""


class _Folded(msgspec.Struct):
    """What folding a batch gives, filled fact by fact."""

    states: dict[str, ClientState]
    waiting: dict[str, list[Parked]]
    """client -> what waits, in order of arrival."""
    facts: list[Arrived] = []
    alerts: list[RaisedAlert] = []
    repeats: dict[str, Repeat] = {}
    released: list[Parked] = []
    """Facts of earlier batches that wait no longer."""


def commit(
    prepared: Prepared,
    starts: Mapping[tuple[str, int], int],
    *,
    store: IngestStore,
    rules: Decider,
    cache: Cache,
    breaker: Breaker,
) -> Batch:
    """Store a prepared batch in one transaction and return what was stored.

    `starts` maps (topic, partition) to the stored next offset the records follow. On success the
    cache holds the new states. Raises Fenced (nothing stored: re-read offsets, drop the cache),
    Tripped (nothing stored: these partitions stop where they stand) or NotRunning (unknown: the
    offset row will tell).
    """
    with store.transaction() as unit:
        unit.recall(prepared.events.values())
        found = _put(unit, prepared.identities, cache)
        tripped = breaker.stops(prepared.records, found.refused)
        if tripped:
            raise Tripped([stop for _, stop in tripped.values()])
        held = prepared.held | {i: _refused(prepared, i, r) for i, r in found.refused.items()}
        again = unit.held_before([quarantined.record for quarantined in held.values()])
        held, repeated = _apart(held, again)
        batch, states = _batch(prepared, found, held, unit, rules, cache)
        moves = _moves(prepared, starts, batch, [*found.duplicates, *repeated])
        batch = msgspec.structs.replace(batch, moves=moves)
        unit.write(batch)
    waiting = {parked.arrived.key for parked in batch.parked}
    stored = (prepared.identities[i] for i in found.new)
    cache.remember(states, (fact for fact in stored if fact.event_key not in waiting))
    return batch


def release(prepared: Prepared, back: Release, *, store: IngestStore, rules: Decider) -> Batch:
    """Store one record that comes back from quarantine; it moves no offset.

    What waited for it is released with it, and the rules decide on all of it. Raises AnswerIsNo
    when the record is refused again, or is there already.
    """
    with store.transaction() as unit:
        unit.recall(prepared.events.values())
        found = _put(unit, prepared.identities, Cache())
        refused = [f"{held.reason}: {held.detail}" for held in prepared.held.values()] or [
            REASONS[reason].en for reason in found.refused.values()
        ]
        if refused:
            raise AnswerIsNo(
                f"Record {back.quarantine_id} is refused again ({'; '.join(refused)}). Reject the "
                "request, then ask with better bytes: `lifecycle quarantine release "
                f"{back.quarantine_id} --corrected FILE --reason WHY`."
            )
        if found.duplicates:
            raise AnswerIsNo(
                f"Record {back.quarantine_id} says what was accepted already: discard it instead."
            )
        batch, _ = _batch(prepared, found, {}, unit, rules, Cache(), back)
        unit.write(batch)
    return batch


def orphan(store: IngestStore, parked_before: dt.datetime, limit: int, now: dt.datetime) -> int:
    """Put facts that have waited too long into quarantine; return how many.

    The inbox forgets them, so that each may be released when what it refers to is there.
    """
    with store.transaction() as unit:
        orphans = unit.orphans(parked_before, limit)
        held = [_orphaned(parked) for parked in orphans]
        if orphans:
            unit.hold(orphans, held, [_quarantine_message(h, now) for h in held], now)
    return len(orphans)


def _batch(
    prepared: Prepared,
    found: Sorted,
    held: Mapping[int, Quarantined],
    unit: IngestUnit,
    rules: Decider,
    cache: Cache,
    release: Release | None = None,
) -> tuple[Batch, dict[str, ClientState]]:
    """The batch as it will be stored, its offsets not moved yet; and all states it looked at."""
    facts = _arrived(prepared, found, release.quarantine_id if release else None)
    states = _states(unit, cache.states, facts)
    before = dict(states)
    waiting = _waiting(unit, facts)
    waited = {client: len(some) for client, some in waiting.items()}
    folded = _fold(facts, states, {c: some for c, some in waiting.items() if some}, rules)
    degraded = _degraded(unit, folded.alerts, held, release)
    batch = Batch(
        ingested_at=prepared.now,
        rules_hash=rules.rules_hash,
        verdict=prepared.verdict,
        facts=folded.facts,
        states={c: s for c, s in states.items() if s is not before[c]},
        facts_before={c: s.facts for c, s in before.items()},
        waited_before=waited,
        alerts=folded.alerts,
        repeats=folded.repeats,
        quarantined=[held[i] for i in sorted(held)],
        parked=[p for some in folded.waiting.values() for p in some if p.parked_id is None],
        unparked=[p for p in folded.released if p.parked_id is not None],
        corrections=_corrections(prepared, found),
        gaps=_gaps(before, states),
        outbox=_outbox(folded.alerts, degraded, held, prepared.now),
        moves=[],
        stops=prepared.stops,
        release=release,
    )
    return batch, states


def _put(unit: IngestUnit, identities: Mapping[int, Identity], cache: Cache) -> Sorted:
    """Put what is new into the inbox. Most batches bring nothing that is not remembered, so that
    is tried first; each refusal says more of what is stored, until what is left is new."""
    found = sort(identities, Seen(cache.facts, {}))
    known = Seen({}, {})
    while True:
        corrected = {identities[i].business_key for i in found.corrections}
        more = unit.put([identities[i] for i in found.new], corrected, known.keys.keys())
        if not more.ids and not more.keys:
            return found
        if more.ids.keys() <= known.ids.keys() and more.keys.items() <= known.keys.items():
            raise Fenced("Another writer put the same facts into the inbox.")
        known = Seen({**known.ids, **more.ids}, {**known.keys, **more.keys})
        keys = [i.event_key for i in identities.values() if i.event_key in cache.facts]
        remembered = {key: cache.facts[key] for key in keys}
        found = sort(identities, Seen({**remembered, **known.ids}, known.keys))


def _apart(
    held: Mapping[int, Quarantined], again: Collection[tuple[str, int, int]]
) -> tuple[dict[int, Quarantined], list[int]]:
    """What is kept out for the first time, and positions of what is in quarantine already."""
    places = {i: (q.record.topic, q.record.partition, q.record.offset) for i, q in held.items()}
    first = {i: q for i, q in held.items() if places[i] not in again}
    return first, [i for i in held if i not in first]


def _corrections(prepared: Prepared, found: Sorted) -> dict[bytes, bytes]:
    return {
        corrected: prepared.identities[i].event_key for i, corrected in found.corrections.items()
    }


def _arrived(prepared: Prepared, found: Sorted, quarantine_id: int | None) -> list[Arrived]:
    facts = []
    for i in found.new:
        event = prepared.events[i]
        correction, waited = i in found.corrections, quarantine_id is not None
        if correction or waited:
            event = msgspec.structs.replace(event, correction=correction, waited=waited)
        value = prepared.records[i].value or b""
        facts.append(Arrived(event, value, prepared.identities[i].event_key, quarantine_id))
    return facts


PIPELINE_REASONS = {
    "ID_REUSE": "inbox-01",
    "IDEMPOTENCY_CONFLICT": "inbox-02",
    "ORPHANED": "parked-01",
}
"""What no suite holds -> the id that stands for an expectation; in words: lifecycle.reasons."""


def _refused(prepared: Prepared, position: int, reason: str) -> Quarantined:
    event = prepared.events[position]
    record, detail = prepared.records[position], REASONS[reason].en
    expectation = PIPELINE_REASONS[reason]
    return Quarantined(record, reason, detail, expectation, event.id, event.client_id)


def _orphaned(parked: Parked) -> Quarantined:
    event, payload = parked.arrived.event, parked.arrived.payload
    record = Record(event.topic, event.partition, event.offset, event.client_id.encode(), payload)
    detail = f"{parked.waits_for} did not come in time"
    expectation = PIPELINE_REASONS["ORPHANED"]
    return Quarantined(record, "ORPHANED", detail, expectation, event.id, event.client_id)


def _states(
    unit: IngestUnit, cache: Mapping[str, ClientState], facts: Sequence[Arrived]
) -> dict[str, ClientState]:
    """The state of every client the batch touches: cached, stored or new."""
    clients = {fact.event.client_id for fact in facts}
    missing = [client for client in clients if client not in cache]
    stored = unit.states(missing) if missing else {}
    return {
        client: cache.get(client) or stored.get(client) or ClientState(client) for client in clients
    }


def _waiting(unit: IngestUnit, facts: Sequence[Arrived]) -> dict[str, list[Parked]]:
    """What waits of every client for whom something new comes into existence."""
    clients = {fact.event.client_id for fact in facts if introduces(fact.event)}
    waiting: dict[str, list[Parked]] = {client: [] for client in clients}
    for parked in unit.parked(sorted(clients)) if clients else ():
        waiting[parked.arrived.event.client_id].append(parked)
    return waiting


def _fold(
    facts: Sequence[Arrived],
    states: dict[str, ClientState],
    waiting: dict[str, list[Parked]],
    rules: Decider,
) -> _Folded:
    """Fold every fact that may be folded, and behind each the facts that waited for it."""
    folded = _Folded(states, waiting)
    for fact in facts:
        event = fact.event
        entity = waits_for(states[event.client_id], event)
        if entity is not None:
            held_back = fact._replace(event=msgspec.structs.replace(event, waited=True))
            waiting.setdefault(event.client_id, []).append(Parked(held_back, entity))
            continue
        _apply(fact, folded, rules)
        if waiting and event.client_id in waiting and introduces(event):
            _release(event.client_id, folded, rules)
    return folded


def _release(client_id: str, folded: _Folded, rules: Decider) -> None:
    """Fold what waited, in order of arrival, until nothing more can be folded."""
    left = folded.waiting.pop(client_id)
    moved = True
    while left and moved:
        waiting, left = left, []
        for parked in waiting:
            entity = waits_for(folded.states[client_id], parked.arrived.event)
            if entity is None:
                _apply(parked.arrived, folded, rules)
                folded.released.append(parked)
            else:
                left.append(parked._replace(waits_for=entity))
        moved = len(left) < len(waiting)
    if left:
        folded.waiting[client_id] = left


def _apply(fact: Arrived, folded: _Folded, rules: Decider) -> None:
    before = folded.states[fact.event.client_id]
    if not fact.event.late and is_behind(before, fact.event, rules):
        fact = fact._replace(event=msgspec.structs.replace(fact.event, late=True))
    folded.states[fact.event.client_id], decisions = decide(before, fact.event, rules)
    folded.facts.append(fact)
    for decision in decisions:
        if isinstance(decision, Alert):
            folded.alerts.append(RaisedAlert(decision, before))
        else:
            folded.repeats[decision.alert_id] = decision


def _gaps(
    before: Mapping[str, ClientState], after: Mapping[str, ClientState]
) -> dict[tuple[str, str], int]:
    """(client, source) -> how many numbers of its sequence are missing, where that changed."""
    found = {}
    for client, state in after.items():
        if state.sequences is not before[client].sequences:
            for source, sequence in state.sequences.items():
                earlier = before[client].sequences.get(source)
                if sequence.missing != (earlier.missing if earlier else 0):
                    found[client, source] = sequence.missing
    return found


def _moves(
    prepared: Prepared,
    starts: Mapping[tuple[str, int], int],
    batch: Batch,
    duplicates: Iterable[int],
) -> list[OffsetMove]:
    """Per partition: from which offset to which, and how its records were accounted for."""
    counts: dict[tuple[str, int], list[int]] = {}
    for record in prepared.records:
        place = (record.topic, record.partition)
        count = counts.get(place)
        if count is None:
            count = counts[place] = [0, 0, 0, 0, 0]
        count[0] = record.offset + 1
        count[1] += 1
    for held in batch.quarantined:
        counts[held.record.topic, held.record.partition][2] += 1
    for i in duplicates:
        counts[prepared.records[i].topic, prepared.records[i].partition][3] += 1
    for parked in batch.parked:
        event = parked.arrived.event
        counts[event.topic, event.partition][4] += 1
    return [
        OffsetMove(topic, partition, starts[topic, partition], *count)
        for (topic, partition), count in sorted(counts.items())
    ]


def _degraded(
    unit: IngestUnit,
    alerts: Sequence[RaisedAlert],
    held: Mapping[int, Quarantined],
    release: Release | None,
) -> Collection[str]:
    """Clients of these alerts who have a record in quarantine once the batch is stored."""
    clients = sorted({raised.alert.client_id for raised in alerts})
    if not clients:
        return frozenset()
    now = {kept.client_id for kept in held.values() if kept.client_id}
    return now | unit.degraded(clients, release.quarantine_id if release else None)


def _outbox(
    alerts: Sequence[RaisedAlert],
    degraded: Collection[str],
    held: Mapping[int, Quarantined],
    now: dt.datetime,
) -> list[OutboxMessage]:
    return [
        *(alert_message(r.alert, now, degraded=r.alert.client_id in degraded) for r in alerts),
        *(_quarantine_message(held[i], now) for i in sorted(held)),
    ]


def alert_message(alert: Alert, now: dt.datetime, *, degraded: bool) -> OutboxMessage:
    """The record of bank.alert.v1 for one alert, keyed by alert id so that a resend is the same.

    `degraded` says that facts of the client were in quarantine then. It is no part of the decision,
    which has to come out the same whatever is released later.
    """
    body = msgspec.structs.asdict(alert) | {
        "evidence": evidence_rows(alert.evidence),
        "degraded": degraded,
    }
    value = _cloud_event(
        "bank.alert.raised.v1",
        alert.alert_id,
        f"client/{alert.client_id}" if alert.client_id else alert.entity,
        alert.event_time,
        now,
        body,
    )
    return OutboxMessage(ALERT, alert.alert_id, value)


def lifecycle_message(
    client_id: str, move: Transition, at: dt.datetime, now: dt.datetime
) -> OutboxMessage:
    """The record of bank.profile.v1 for a client's move at the end of a business date, keyed by client;
    the same move has the same id."""
    place = f"{client_id}|{move.on}|{move.from_state}|{move.to_state}|{move.rule_id}"
    value = _cloud_event(
        "bank.profile.lifecycle_changed.v1",
        str(uuid.uuid5(_MOVES, place)),
        f"client/{client_id}",
        at,
        now,
        {"client_id": client_id, **msgspec.to_builtins(move)},
    )
    return OutboxMessage(PROFILE, client_id, value)


def _quarantine_message(held: Quarantined, now: dt.datetime) -> OutboxMessage:
    record, raw = held.record, held.record.value or b""
    key = record.key or b""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    body = {
        "reason": held.reason,
        "detail": held.detail,
        "event_id": held.event_id,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "raw_bytes": len(raw),
        "raw_base64": base64.b64encode(raw).decode() if len(raw) <= RAW_BYTES_MAX else None,
    }
    value = _cloud_event("bank.quarantine.held.v1", place, f"record/{place}", now, now, body)
    name = key.decode(errors="replace") if len(key) <= KEY_BYTES_MAX else place
    return OutboxMessage(QUARANTINE, name, value)


def _cloud_event(
    type_: str, event_id: str, subject: str, time: dt.datetime, now: dt.datetime, data: Any
) -> bytes:
    return _encode({
        "specversion": "1.0",
        "id": event_id,
        "source": "/lifecycle",
        "type": type_,
        "subject": subject,
        "time": time,
        "recordedtime": now,
        "datacontenttype": "application/json",
        "data": data,
    })
