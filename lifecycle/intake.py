"""Intake: records of Kafka -> facts the gate vouches for, and records kept out with their reason.

It touches no store, so it may run while the batch before is being written.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lifecycle.breaker import Breaker, Place
from lifecycle.errors import GateFailed
from lifecycle.events import Event, InvalidEvent, decode
from lifecycle.inbox import identify
from lifecycle.limits import Limits
from lifecycle.ports import Gate, Identity, Quarantined, Record, Stop, Verdict

_COLUMN_OF_REASON = {
    "UNPARSABLE": "ck_parsable",
    "DUPLICATE_NAME": "ck_names_once",
    "ENVELOPE": "ck_envelope",
    "TIME_FORMAT": "ck_time_format",
    "SPECVERSION": "ck_specversion",
    "UNKNOWN_TYPE": "ck_type",
    "SCHEMA_VERSION": "ck_schema_version",
    "SCHEMA": "ck_schema",
    "KEY_MISMATCH": "ck_key",
    "SUBJECT_MISMATCH": "ck_subject",
    "TIME_OUT_OF_RANGE": "ck_time",
    "FUTURE_TIME": "ck_not_future",
}


class Prepared(msgspec.Struct, frozen=True):
    """A micro-batch after decoding and the gate, before anything is stored."""

    records: Sequence[Record]
    now: dt.datetime
    events: dict[int, Event]
    """Position in the batch -> event, of the records that passed."""
    identities: dict[int, Identity]
    """The same positions -> identity."""
    verdict: Verdict
    held: dict[int, Quarantined]
    """Position in the batch -> what goes to quarantine."""
    stops: list[Stop]
    """Partitions that are not read on after this batch."""


def prepare(
    records: Sequence[Record],
    *,
    gate: Gate,
    limits: Limits,
    breaker: Breaker,
    now: dt.datetime,
    came: dt.datetime | None = None,
) -> Prepared:
    """Decode and judge. Records behind the point where a partition stops are left out.

    `came` is when the records arrived, if that was not `now`: how long they lay in quarantine does
    not make their facts late. Raises GateFailed when the gate could not vouch for the batch.
    """
    events, identities, refused = _decode_all(records, limits, now, came or now)
    stops = breaker.stops(records, refused)
    if stops:
        kept = [i for i, r in enumerate(records) if i <= _last(stops, r, i)]
        records = [records[i] for i in kept]
        events = {n: events[i] for n, i in enumerate(kept) if i in events}
        identities = {n: identities[i] for n, i in enumerate(kept) if i in identities}
        refused = {n: refused[i] for n, i in enumerate(kept) if i in refused}
    whole = _whole(events, identities, len(records), limits.history)
    columns = raw_columns(refused, len(records)) | whole
    verdict = gate.check("raw", columns, len(records))
    return Prepared(
        records,
        now,
        events,
        identities,
        verdict,
        _held(verdict, records, refused),
        [stop for _, stop in stops.values()],
    )


def raw_columns(refused: Mapping[int, InvalidEvent], rows: int) -> dict[str, Sequence[Any]]:
    """The check columns of stage "raw": one boolean column per way to be refused."""
    all_true = [True] * rows
    columns = dict.fromkeys(_COLUMN_OF_REASON.values(), all_true)
    for i, error in refused.items():
        name = _COLUMN_OF_REASON[error.reason]
        if columns[name] is all_true:
            columns[name] = all_true.copy()
        columns[name][i] = False
    return dict(columns)


def _whole(
    events: Mapping[int, Event],
    identities: Mapping[int, Identity],
    rows: int,
    history: tuple[str, ...],
) -> dict[str, Sequence[Any]]:
    """Columns that say something about the batch as a whole; a refused row is told by its place."""
    on_time = [True] * rows
    runs: dict[tuple[str, str], tuple[int, int, int]] = {}
    for i, event in events.items():
        if event.late:
            on_time[i] = False
        number = event.sequence
        if number and not event.source.startswith(history):
            run = event.source, event.client_id
            lowest, highest, seen = runs.get(run, (number, number, 0))
            runs[run] = min(lowest, number), max(highest, number), seen + 1
    # A client's topics are not read in step, so its numbers are asked for as a whole; and where
    # history is read, topic by topic, they say nothing.
    missing = sum(max(0, highest - lowest + 1 - seen) for lowest, highest, seen in runs.values())
    gaps = min(rows, missing)
    return {
        "event_key": _numbers([identity.event_key for identity in identities.values()], rows),
        "digest": _numbers([identity.digest for identity in identities.values()], rows),
        "is_on_time": on_time,
        "is_in_sequence": [False] * gaps + [True] * (rows - gaps),
    }


def _numbers(digests: Sequence[bytes], rows: int) -> Sequence[int]:
    """The first eight bytes of each as a number, which the gate counts faster than bytes; rows
    without one are numbered from 0."""
    width = len(digests[0]) // 8 if digests else 1
    return array("q", b"".join(digests))[::width] + array("q", range(rows - len(digests)))


def _last(stops: Mapping[Place, tuple[int, Stop]], record: Record, position: int) -> int:
    """The last position that may be taken of the record's partition."""
    stop = stops.get((record.topic, record.partition))
    return stop[0] if stop else position


def _decode_all(
    records: Sequence[Record], limits: Limits, now: dt.datetime, came: dt.datetime
) -> tuple[dict[int, Event], dict[int, Identity], dict[int, InvalidEvent]]:
    """Position in the batch -> event and its identity, and position -> why it was refused."""
    events: dict[int, Event] = {}
    identities: dict[int, Identity] = {}
    refused: dict[int, InvalidEvent] = {}
    window = _Window(
        limits.earliest,
        now + limits.future,
        limits.earliest.date(),
        (now + limits.book_ahead).date(),
    )
    late = came - limits.late
    for i, record in enumerate(records):
        try:
            event = decode(record.value, record.key, record.topic, record.partition, record.offset)
            _check_clocks(event, window)
            if event.time < late and not event.source.startswith(limits.history):
                event = msgspec.structs.replace(event, late=True)
        except InvalidEvent as error:
            refused[i] = error
        else:
            events[i] = event
            identities[i] = identify(event)
    return events, identities, refused


class _Window(NamedTuple):
    """What a fact's clocks may show."""

    earliest: dt.datetime
    latest: dt.datetime
    earliest_business_date: dt.date
    latest_business_date: dt.date


def _check_clocks(event: Event, window: _Window) -> None:
    """Raises InvalidEvent for what a decoder cannot see."""
    if event.time < window.earliest or event.recordedtime < window.earliest:
        raise InvalidEvent(
            "TIME_OUT_OF_RANGE",
            f"time {event.time.isoformat()}, recorded {event.recordedtime.isoformat()}: "
            f"before {window.earliest}",
            event.id,
        )
    if event.business_date < window.earliest_business_date:
        raise InvalidEvent(
            "TIME_OUT_OF_RANGE",
            f"the business date {event.business_date} is before {window.earliest_business_date}",
            event.id,
        )
    if event.time > window.latest or event.recordedtime > window.latest:
        raise InvalidEvent(
            "FUTURE_TIME", f"time {event.time.isoformat()} is ahead of the clock", event.id
        )
    if event.business_date > window.latest_business_date:
        raise InvalidEvent(
            "FUTURE_TIME",
            f"the business date {event.business_date} is ahead of the clock",
            event.id,
        )


def _held(
    verdict: Verdict, records: Sequence[Record], refused: Mapping[int, InvalidEvent]
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
        i: Quarantined(
            record=records[i],
            reason=refused[i].reason,
            detail=refused[i].detail[:500],
            expectation=failure.expectation,
            event_id=refused[i].event_id,
            client_id=_client_of_key(records[i].key),
        )
        for i, failure in rows.items()
    }


def _client_of_key(key: bytes | None) -> str | None:
    """What could not be decoded belongs to the client of its key."""
    try:
        return (key or b"").decode()[:64] or None
    except UnicodeDecodeError:
        return None
