"""What a rule finds, and the alert it becomes."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any, Literal

import msgspec

from lifecycle.clients.state import Source

Severity = Literal["P1", "P2", "P3", "P4"]

SEVERITY_ORDER: dict[str, int] = {"P1": 1, "P2": 2, "P3": 3, "P4": 4}

_NAMESPACE = uuid.UUID("b7d2f2a1-6c1e-5f0f-8a55-0b6a2d0f9c11")


class Finding(msgspec.Struct, frozen=True):
    """A rule's answer for one fact: what it saw, on which entity, in which window."""

    entity: str
    """e.g. facility/LOAN-5314#7"""
    bucket: str
    """Window or episode; the same entity and bucket are the same alert."""
    severity: Severity
    value: Decimal
    unit: str
    """Currency code, days or count."""
    evidence: tuple[Source, ...]
    fields: dict[str, str]
    """What the message texts of the rule name."""


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert as it was decided. Its canonical JSON is stored and must be reproducible."""

    alert_id: str
    alert_key: str
    rule_id: str
    rule_version: int
    rules_hash: str
    severity: Severity
    client_id: str
    """Empty where it is about no client, but about a model."""
    entity: str
    owner: str
    event_time: dt.datetime
    value: Decimal
    unit: str
    message_zh: str
    message_en: str
    evidence: tuple[Source, ...]
    late: bool = False
    """Raised by the night on a fact that came too late for the stream."""


class Repeat(msgspec.Struct, frozen=True):
    """The same thing again, inside suppression: the open alert counts one more hit."""

    alert_id: str
    hit_count: int
    last_seen: dt.datetime
    max_value: Decimal


Decision = Alert | Repeat

canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode
"""Alert -> canonical JSON bytes: sorted keys, decimals as text."""


def alert_scope(rule_id: str, entity: str, bucket: str) -> str:
    """What an alert is about: repeats of a scope inside its window are one alert."""
    return f"{rule_id}|{entity}|{bucket}"


def alert_id(alert_key: str) -> str:
    """The id of an alert follows from its key."""
    return str(uuid.uuid5(_NAMESPACE, alert_key))


def evidence_rows(sources: tuple[Source, ...]) -> list[dict[str, Any]]:
    """Evidence as it is stored and shown: event id and the place of its bytes in Kafka."""
    return [
        {
            "event_id": s.event_id,
            "topic": s.topic,
            "partition": s.partition,
            "offset": s.offset,
        }
        for s in sources
    ]
