"""The event catalogue: CloudEvents envelope, one typed struct per event type."""

from lifecycle.events.catalogue import CATALOGUE, OUTPUT_TOPICS, SOURCE_TOPICS, EventType
from lifecycle.events.envelope import (
    Event,
    InvalidEvent,
    Outgoing,
    business_key,
    decode,
    decoded,
    encode,
    event_key,
    logged,
)
from lifecycle.events.fields import Fact, minor_units, money_text, to_decimal

__all__ = [
    "CATALOGUE",
    "OUTPUT_TOPICS",
    "SOURCE_TOPICS",
    "Event",
    "EventType",
    "Fact",
    "InvalidEvent",
    "Outgoing",
    "business_key",
    "decode",
    "decoded",
    "encode",
    "event_key",
    "logged",
    "minor_units",
    "money_text",
    "to_decimal",
]
