"""THE PATH of a fact, in order.

    topic -> decode -> gate "raw" -> one transaction:
        inbox -> log -> fold -> rules -> state, alerts, quarantine, outbox -> offsets
    night -> seal -> gate "staged" -> profiles -> gate -> scores -> gate -> alerts -> gate
          -> publish -> prove                                        (lifecycle.nightly)

`prepare` and `commit` are the stream's half. They are given bytes and ports, and read no clock.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lifecycle.alerts.alert import Alert, Repeat, evidence_rows
from lifecycle.alerts.decide import Decider, decide
from lifecycle.clients.state import ClientState
from lifecycle.errors import GateFailed
from lifecycle.events import Event, InvalidEvent, decode
from lifecycle.events.catalogue import ALERT, QUARANTINE
from lifecycle.ports import (
    Batch,
    Gate,
    IngestStore,
    IngestUnit,
    OffsetMove,
    OutboxMessage,
    Quarantined,
    RaisedAlert,
    Record,
    Verdict,
)

FUTURE_TOLERANCE = dt.timedelta(minutes=5)
"""CloudEvents `time` may run this far ahead of the consumer's clock."""

_encode = msgspec.json.Encoder(decimal_format="string").encode

_COLUMN_OF_REASON = {
    "UNPARSABLE": "ck_parsable",
    "ENVELOPE": "ck_envelope",
    "SPECVERSION": "ck_envelope",
    "UNKNOWN_TYPE": "ck_type",
    "SCHEMA": "ck_schema",
    "KEY_MISMATCH": "ck_key",
    "FUTURE_TIME": "ck_not_future",
}


class Prepared(msgspec.Struct, frozen=True):
    """A micro-batch after decoding and the gate, before anything is stored."""

    records: Sequence[Record]
    now: dt.datetime
    events: dict[int, Event]
    """Position in the batch -> event, also of refused ones that could be decoded."""
    verdict: Verdict
    held: dict[int, Quarantined]
    """Position in the batch -> what goes to quarantine."""
    digests: dict[int, bytes]
    """Position -> sha256 of the record's value, of the rows that are not held."""


def prepare(records: Sequence[Record], *, gate: Gate, now: dt.datetime) -> Prepared:
    """Decode and judge. Touches no store, so it may run while the batch before is written.

    Raises GateFailed when the gate could not vouch for the batch.
    """
    events, refused = _decode_all(records, now)
    verdict = gate.check("raw", raw_columns(refused, len(records)), len(records))
    held = _held(verdict, records, events, refused)
    digests = {
        i: hashlib.sha256(record.value or b"").digest()
        for i, record in enumerate(records)
        if i not in held
    }
    return Prepared(records, now, events, verdict, held, digests)


def commit(
    prepared: Prepared,
    starts: Mapping[tuple[str, int], int],
    *,
    store: IngestStore,
    rules: Decider,
    cache: dict[str, ClientState],
) -> Batch:
    """Store a prepared batch in one transaction and return what was stored.

    `starts` maps (topic, partition) to the stored next offset the records follow. On success the
    cache holds the new states. Raises Fenced (nothing stored: re-read offsets, drop the cache) or
    NotRunning (unknown: the offset row will tell).
    """
    events, held = prepared.events, dict(prepared.held)
    with store.transaction() as unit:
        accepted, duplicates, reused = _unseen(unit, events, prepared.digests)
        for i in reused:
            held[i] = _quarantined(prepared.records[i], events[i], "ID_REUSE", _ID_REUSED)
        facts = [events[i] for i in accepted]
        states = _states(unit, cache, facts)
        facts_before = {client: state.facts for client, state in states.items()}
        alerts, repeats = _fold(facts, states, rules)
        batch = Batch(
            ingested_at=prepared.now,
            rules_hash=rules.rules_hash,
            verdict=prepared.verdict,
            events=facts,
            payloads=[prepared.records[i].value or b"" for i in accepted],
            digests=[prepared.digests[i] for i in accepted],
            states=states,
            facts_before=facts_before,
            alerts=alerts,
            repeats=repeats,
            quarantined=[held[i] for i in sorted(held)],
            outbox=_outbox(alerts, held, prepared.now),
            moves=_moves(prepared.records, starts, held, duplicates),
        )
        unit.write(batch)
    cache.update(states)
    return batch


def _decode_all(
    records: Sequence[Record], now: dt.datetime
) -> tuple[dict[int, Event], dict[int, InvalidEvent]]:
    """Position in the batch -> event, and position -> why it was refused."""
    events: dict[int, Event] = {}
    refused: dict[int, InvalidEvent] = {}
    limit = now + FUTURE_TOLERANCE
    for i, record in enumerate(records):
        try:
            event = decode(record.value, record.key, record.topic, record.partition, record.offset)
        except InvalidEvent as error:
            refused[i] = error
            continue
        events[i] = event
        if event.time > limit:
            refused[i] = InvalidEvent("FUTURE_TIME", f"time {event.time.isoformat()} is ahead")
    return events, refused


def raw_columns(refused: Mapping[int, InvalidEvent], rows: int) -> dict[str, list[bool]]:
    """The check columns of stage "raw": one boolean column per way to be refused."""
    columns = {name: [True] * rows for name in _COLUMN_OF_REASON.values()}
    for i, error in refused.items():
        columns[_COLUMN_OF_REASON[error.reason]][i] = False
    return columns


def _held(
    verdict: Verdict,
    records: Sequence[Record],
    events: Mapping[int, Event],
    refused: Mapping[int, InvalidEvent],
) -> dict[int, Quarantined]:
    """The rows the gate keeps out. A gate that did not see what decoding saw fails closed."""
    if verdict.blocking:
        reasons = "; ".join(f.reason_en for f in verdict.blocking)
        raise GateFailed(
            f"Gate raw could not vouch for a batch of {len(records)} records: {reasons}."
        )
    rows = verdict.quarantined()
    if rows.keys() != refused.keys():
        raise GateFailed(
            f"Gate raw named {len(rows)} bad records where decoding refused {len(refused)}: "
            "the suite in expectations/raw.py does not match the check columns."
        )
    return {
        i: _quarantined(records[i], events.get(i), refused[i].reason, refused[i].detail)
        for i in rows
    }


_ID_REUSED = "an event with this source and id was accepted before with other bytes"


def _quarantined(record: Record, event: Event | None, reason: str, detail: str) -> Quarantined:
    return Quarantined(
        record=record,
        reason=reason,
        detail=detail[:500],
        event_id=event.id if event else None,
        client_id=event.client_id if event else None,
    )


def _unseen(
    unit: IngestUnit, events: Mapping[int, Event], digests: Mapping[int, bytes]
) -> tuple[list[int], list[int], list[int]]:
    """Positions of facts not seen before, of exact duplicates, and of ids used for other bytes."""
    first: dict[bytes, int] = {}
    again: list[int] = []
    for i in digests:
        if events[i].key in first:
            again.append(i)
        else:
            first[events[i].key] = i
    known = unit.accept({key: digests[i] for key, i in first.items()})
    accepted = [i for key, i in first.items() if key not in known]
    repeated = [*(i for key, i in first.items() if key in known), *again]
    duplicates: list[int] = []
    reused: list[int] = []
    for i in repeated:
        key = events[i].key
        same = digests[i] == known.get(key, digests[first[key]])
        (duplicates if same else reused).append(i)
    return accepted, duplicates, reused


def _states(
    unit: IngestUnit, cache: Mapping[str, ClientState], facts: Sequence[Event]
) -> dict[str, ClientState]:
    """The state of every client the batch touches: cached, stored or new."""
    clients = {fact.client_id for fact in facts}
    missing = [client for client in clients if client not in cache]
    stored = unit.states(missing) if missing else {}
    return {
        client: cache.get(client) or stored.get(client) or ClientState(client) for client in clients
    }


def _fold(
    facts: Sequence[Event], states: dict[str, ClientState], rules: Decider
) -> tuple[list[RaisedAlert], dict[str, Repeat]]:
    """Fold every fact into `states` and collect what the rules decided."""
    alerts: list[RaisedAlert] = []
    repeats: dict[str, Repeat] = {}
    for fact in facts:
        before = states[fact.client_id]
        states[fact.client_id], decisions = decide(before, fact, rules)
        for decision in decisions:
            if isinstance(decision, Alert):
                alerts.append(RaisedAlert(decision, before))
            else:
                repeats[decision.alert_id] = decision
    return alerts, repeats


def _moves(
    records: Sequence[Record],
    starts: Mapping[tuple[str, int], int],
    held: Mapping[int, Quarantined],
    duplicates: Sequence[int],
) -> list[OffsetMove]:
    """Per partition: from which offset to which, and how its records were accounted for."""
    duplicated = set(duplicates)
    counts: dict[tuple[str, int], list[int]] = {}
    for i, record in enumerate(records):
        count = counts.setdefault((record.topic, record.partition), [0, 0, 0, 0])
        count[0] = record.offset + 1
        count[1] += 1
        count[2] += i in held
        count[3] += i in duplicated
    return [
        OffsetMove(topic, partition, starts[topic, partition], end, received, bad, double)
        for (topic, partition), (end, received, bad, double) in sorted(counts.items())
    ]


def _outbox(
    alerts: Sequence[RaisedAlert], held: Mapping[int, Quarantined], now: dt.datetime
) -> list[OutboxMessage]:
    return [
        *(alert_message(raised.alert, now) for raised in alerts),
        *(_quarantine_message(held[i], now) for i in sorted(held)),
    ]


def alert_message(alert: Alert, now: dt.datetime) -> OutboxMessage:
    """The record of bank.alert.v1 for one alert, keyed by alert id so that a resend is the same."""
    body = msgspec.structs.asdict(alert) | {"evidence": evidence_rows(alert.evidence)}
    value = _cloud_event(
        "bank.alert.raised.v1",
        alert.alert_id,
        f"client/{alert.client_id}",
        alert.event_time,
        now,
        body,
    )
    return OutboxMessage(ALERT, alert.alert_id, value)


def _quarantine_message(held: Quarantined, now: dt.datetime) -> OutboxMessage:
    record = held.record
    place = f"{record.topic}/{record.partition}/{record.offset}"
    body = {
        "reason": held.reason,
        "detail": held.detail,
        "event_id": held.event_id,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "raw_base64": base64.b64encode(record.value or b"").decode(),
    }
    value = _cloud_event("bank.quarantine.held.v1", place, f"record/{place}", now, now, body)
    return OutboxMessage(QUARANTINE, (record.key or b"").decode(errors="replace"), value)


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
