"""CloudEvents 1.0, structured mode: bytes -> Event on the way in, Fact -> bytes on the way out."""

from __future__ import annotations

import datetime as dt
import hashlib
import operator
import re
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lifecycle.events.catalogue import BY_STRUCT, CATALOGUE, TIME, EventType
from lifecycle.events.fields import Fact, Id, Instant
from lifecycle.events.names import repeated_name

REPLAY_NAMESPACE = uuid.UUID("6f1c7a52-5d0e-5b86-9f0b-1d9a5f3c2e41")
"""Namespace of the UUIDv5 ids that replayed events get from their business key."""

Reason = Literal[
    "UNPARSABLE",
    "DUPLICATE_NAME",
    "ENVELOPE",
    "TIME_FORMAT",
    "SPECVERSION",
    "UNKNOWN_TYPE",
    "SCHEMA_VERSION",
    "SCHEMA",
    "KEY_MISMATCH",
    "SUBJECT_MISMATCH",
    "TIME_OUT_OF_RANGE",
    "FUTURE_TIME",
]
"""Why a record is refused before it meets the store: a closed list."""

SequenceText = Annotated[
    str, Meta(pattern=r"^[0-9]{1,18}$(?!\n)", description="integer as text, per source and key")
]


Text = Annotated[str, Meta(min_length=1, max_length=128)]
"""The producer's own words; shown to people only escaped."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The context attributes of one event as they stand on the wire."""

    specversion: str
    id: Text
    source: Text
    type: str
    subject: Text
    time: Instant
    recordedtime: Instant
    partitionkey: Id
    data: msgspec.Raw
    sequence: SequenceText | UnsetType = UNSET
    dataschema: str | UnsetType = UNSET
    datacontenttype: str | UnsetType = UNSET
    timequality: Literal["RECORDED", "DERIVED"] | UnsetType = UNSET
    synthetic: bool | UnsetType = UNSET
    correlationid: str | UnsetType | None = UNSET
    traceparent: str | UnsetType | None = UNSET


class Event(msgspec.Struct, frozen=True, gc=False):
    """One fact, typed. `client_id` is the partition key."""

    id: str
    source: str
    type: str
    subject: str
    client_id: str
    time: dt.datetime
    recordedtime: dt.datetime
    business_date: dt.date
    data: Any
    """The struct of `type` in the catalogue."""
    topic: str
    partition: int
    offset: int
    sequence: int
    """The producer's count for this client; 0 when it keeps none."""
    body: msgspec.Raw
    """The bytes of `data`, as they stood on the wire."""
    correction: bool = False
    """Whether the fact replaces an earlier one of the same business key."""
    waited: bool = False
    """Whether it was held back: by what it refers to, or in quarantine. Not the producer's delay."""
    late: bool = False
    """Whether it came too late for the stream's rules: the night decides on it."""


class InvalidEvent(ValueError):
    """Never retry: quarantine the bytes with this reason."""

    def __init__(self, reason: Reason, detail: str, event_id: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.event_id = event_id
        """The CloudEvents id, where the record got far enough to show one."""


_envelopes = msgspec.json.Decoder(Envelope)
_facts = {name: msgspec.json.Decoder(row.data).decode for name, row in CATALOGUE.items()}
_encode = msgspec.json.Encoder(decimal_format="string").encode
_UNREADABLE = (ValueError, RecursionError)
"""No JSON, bytes that are no text, numbers that nothing holds, nesting without end. A decoder looks
closely only at what a field holds, so these may come up late."""


def event_key(source: str, event_id: str) -> bytes:
    """The identity of a fact: 16 bytes of blake2b over source and id (unique together)."""
    return hashlib.blake2b(f"{source}\0{event_id}".encode(), digest_size=16).digest()


def business_key(data: Fact, time: dt.datetime) -> str:
    """The business key of a fact as text, e.g. "1787|173347"; `time` is its event time."""
    get, timed = _business_keys[type(data)]
    key = "|".join(map(str, get(data)))
    return f"{key}|{time.astimezone(dt.UTC).isoformat()}" if timed else key


def decode(
    raw: bytes | None, record_key: bytes | None, topic: str, partition: int, offset: int
) -> Event:
    """Bytes of one Kafka record -> Event. Raises InvalidEvent with the reason it is refused for."""
    envelope = _decode_envelope(raw)
    try:
        event = _typed(envelope, record_key, topic, partition, offset)
        twice = repeated_name(raw or b"", envelope, event.data)
        if twice is not None:
            raise InvalidEvent("DUPLICATE_NAME", f"the name {twice!r} occurs twice in one object")
        return event
    except InvalidEvent as error:
        error.event_id = envelope.id
        raise
    except _UNREADABLE as error:
        raise InvalidEvent("UNPARSABLE", str(error), envelope.id) from None


def logged(
    payload: bytes,
    client_id: str,
    topic: str,
    partition: int,
    offset: int,
    *,
    correction: bool,
    waited: bool,
    late: bool = False,
) -> Event:
    """A stored fact as it was when it was taken: its bytes, and what the pipeline knew beside them."""
    event = decode(payload, client_id.encode(), topic, partition, offset)
    if correction or waited or late:
        event = msgspec.structs.replace(event, correction=correction, waited=waited, late=late)
    return event


def _typed(
    envelope: Envelope, record_key: bytes | None, topic: str, partition: int, offset: int
) -> Event:
    if envelope.specversion != "1.0":
        raise InvalidEvent("SPECVERSION", f"specversion is {envelope.specversion!r}, not '1.0'")
    row = CATALOGUE.get(envelope.type)
    if row is None or row.topic != topic:
        raise InvalidEvent("UNKNOWN_TYPE", f"type {envelope.type!r} does not belong to {topic}")
    dataschema = envelope.dataschema or ""
    if dataschema != row.dataschema:
        _check_version(dataschema, row)
    if record_key is None or record_key != envelope.partitionkey.encode():
        raise InvalidEvent("KEY_MISMATCH", "the record key is not the event's partitionkey")
    try:
        data = _facts[envelope.type](envelope.data)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidEvent("SCHEMA", f"data ({dataschema}): {error}") from None
    entity, field = row.subject
    if envelope.subject != f"{entity}/{getattr(data, field)}":
        due = f"{entity}/{getattr(data, field)}"
        raise InvalidEvent(
            "SUBJECT_MISMATCH", f"the subject has to be {due!r}: {entity}, and {field} of the data"
        )
    return Event(
        envelope.id,
        envelope.source,
        envelope.type,
        envelope.subject,
        envelope.partitionkey,
        envelope.time,
        envelope.recordedtime,
        data.business_date,
        data,
        topic,
        partition,
        offset,
        int(envelope.sequence or 0),
        envelope.data,
    )


def _decode_envelope(raw: bytes | None) -> Envelope:
    if raw is None:
        raise InvalidEvent("UNPARSABLE", "the record has no value")
    try:
        envelope = _envelopes.decode(raw)
    except msgspec.ValidationError as error:
        of_time = str(error).endswith(("`$.time`", "`$.recordedtime`"))
        raise InvalidEvent("TIME_FORMAT" if of_time else "ENVELOPE", str(error)) from None
    except _UNREADABLE as error:
        raise InvalidEvent("UNPARSABLE", str(error)) from None
    # CloudEvents allows no control characters, and PostgreSQL text holds no NUL. To ask whether all
    # can be printed costs less than a pattern; the subject is compared with the data later.
    text = envelope.id + envelope.source
    if not text.isprintable() and _CONTROL(text):
        raise InvalidEvent("ENVELOPE", "a control character in the id or the source")
    return envelope


def _check_version(dataschema: str, row: EventType) -> None:
    """Same fact and same major: an additive change is welcome, another major is not readable."""
    name, _, version = dataschema.rpartition(":")
    ours, _, known = row.dataschema.rpartition(":")
    if dataschema and (
        name != ours or not _SEMVER(version) or version.split(".")[0] != known.split(".")[0]
    ):
        raise InvalidEvent(
            "SCHEMA_VERSION", f"dataschema is {dataschema!r}; this release reads {row.dataschema}"
        )


def _key_of(row: EventType) -> tuple[Callable[[Fact], tuple[Any, ...]], bool]:
    """What reads the key's fields, and whether the event time belongs to it."""
    names = [name for name in row.business_key if name != TIME]
    get = operator.attrgetter(*names)
    return get if len(names) > 1 else lambda data: (get(data),), TIME in row.business_key


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_SEMVER = re.compile(r"(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){2}", re.ASCII).fullmatch
_business_keys = {row.data: _key_of(row) for row in CATALOGUE.values()}


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record ready to be published: what an EventSource yields."""

    topic: str
    key: str
    """The client_id; becomes the Kafka key."""
    value: bytes
    time: dt.datetime
    """Event time, for pacing."""
    type: str
    id: str


def decoded(record: Outgoing) -> Event:
    """The event a consumer would read, where no broker gave it a place: partition and offset are 0."""
    return decode(record.value, record.key.encode(), record.topic, 0, 0)


def encode(
    data: Fact,
    *,
    source: str,
    client_id: str,
    time: dt.datetime,
    recordedtime: dt.datetime | None = None,
    sequence: int = 0,
    synthetic: bool = False,
    derived_time: bool = False,
) -> Outgoing:
    """A fact -> the record to publish, with the deterministic id of its business key.

    `time` must be aware; `recordedtime` defaults to it. The same fact gives the same bytes.
    """
    row = BY_STRUCT[type(data)]
    event_id = str(uuid.uuid5(REPLAY_NAMESPACE, f"{source}|{row.name}|{business_key(data, time)}"))
    entity, field = row.subject
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": row.name,
        "subject": f"{entity}/{getattr(data, field)}",
        "time": time,
        "recordedtime": recordedtime or time,
        "dataschema": row.dataschema,
        "datacontenttype": "application/json",
        "partitionkey": client_id,
        "sequence": str(sequence),
        **({"synthetic": True} if synthetic else {}),
        **({"timequality": "DERIVED"} if derived_time else {}),
        "data": data,
    }
    return Outgoing(row.topic, client_id, _encode(envelope), time, row.name, event_id)
