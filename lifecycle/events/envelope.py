"""CloudEvents 1.0, structured mode: bytes -> Event on the way in, Fact -> bytes on the way out."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any, Literal

import msgspec

from lifecycle.events.catalogue import BY_STRUCT, CATALOGUE
from lifecycle.events.fields import Fact, Id, Instant

REPLAY_NAMESPACE = uuid.UUID("6f1c7a52-5d0e-5b86-9f0b-1d9a5f3c2e41")
"""Namespace of the UUIDv5 ids that replayed events get from their business key."""

Reason = Literal[
    "UNPARSABLE",
    "ENVELOPE",
    "SPECVERSION",
    "UNKNOWN_TYPE",
    "SCHEMA",
    "KEY_MISMATCH",
    "FUTURE_TIME",
]


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The context attributes of one event as they stand on the wire."""

    specversion: str
    id: Id
    source: Id
    type: str
    subject: Id
    time: Instant
    recordedtime: Instant
    partitionkey: Id
    data: msgspec.Raw
    sequence: str = "0"
    dataschema: str = ""
    datacontenttype: str = "application/json"
    timequality: Literal["RECORDED", "DERIVED"] = "RECORDED"
    synthetic: bool = False
    correlationid: str | None = None
    traceparent: str | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One accepted fact, typed. `client_id` is the partition key; `origin` says where it was read."""

    key: bytes
    """Digest of (source, id): the identity of the fact in the inbox."""
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


class InvalidEvent(ValueError):
    """Never retry: quarantine the bytes with this reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


_envelopes = msgspec.json.Decoder(Envelope)
_facts = {name: msgspec.json.Decoder(row.data).decode for name, row in CATALOGUE.items()}
_encode = msgspec.json.Encoder(decimal_format="string").encode


def event_key(source: str, event_id: str) -> bytes:
    """The identity of a fact: 16 bytes of blake2b over source and id (unique together)."""
    return hashlib.blake2b(f"{source}\0{event_id}".encode(), digest_size=16).digest()


def decode(
    raw: bytes | None, record_key: bytes | None, topic: str, partition: int, offset: int
) -> Event:
    """Bytes of one Kafka record -> Event. Raises InvalidEvent with the reason it is refused for."""
    envelope = _decode_envelope(raw)
    if envelope.specversion != "1.0":
        raise InvalidEvent("SPECVERSION", f"specversion is {envelope.specversion!r}, not '1.0'")
    row = CATALOGUE.get(envelope.type)
    if row is None or row.topic != topic:
        raise InvalidEvent("UNKNOWN_TYPE", f"type {envelope.type!r} does not belong to {topic}")
    if record_key is None or record_key != envelope.partitionkey.encode():
        raise InvalidEvent("KEY_MISMATCH", "the record key is not the event's partitionkey")
    try:
        data = _facts[envelope.type](envelope.data)
    except msgspec.ValidationError as error:
        raise InvalidEvent("SCHEMA", f"data: {error}") from None
    return Event(
        event_key(envelope.source, envelope.id),
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
    )


def _decode_envelope(raw: bytes | None) -> Envelope:
    if raw is None:
        raise InvalidEvent("UNPARSABLE", "the record has no value")
    try:
        return _envelopes.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidEvent("ENVELOPE", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("UNPARSABLE", str(error)) from None


def business_key(data: Fact) -> str:
    """The business key of a fact as text, e.g. "1787|173347"."""
    return "|".join(str(getattr(data, name)) for name in BY_STRUCT[type(data)].business_key)


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
    event_id = str(uuid.uuid5(REPLAY_NAMESPACE, f"{source}|{row.name}|{business_key(data)}"))
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
