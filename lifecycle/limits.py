"""What the consumers accept and when they stop: the figures of rules/operations/ingest.yaml."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """The figures, typed."""

    earliest: dt.datetime
    """An event time, a time of recording or a business date before it is a broken clock."""
    future: dt.timedelta
    """How far an event time may run ahead of the consumer's clock."""
    book_ahead: dt.timedelta
    """How far a business date may run ahead of the consumer's clock. It moves the watermark that
    later facts are measured by, so one bad date would make a client's facts late for years."""
    late: dt.timedelta
    """A fact whose event time is longer ago when it arrives is late: the night decides on it."""
    history: tuple[str, ...]
    """What the CloudEvents source of a replay of history begins with: its facts are not late."""
    orphan_age: dt.timedelta
    """How long a fact may wait for what it refers to."""
    bad_run: int
    """Bad records in a row that stop a partition."""
    bad_share: float
    """Share of bad records in the last `bad_window` that stops a partition."""
    bad_window: int


def limits(figures: Mapping[str, Any]) -> Limits:
    """Figures by name, as the rule files hold them -> Limits."""
    return Limits(
        earliest=dt.datetime.fromisoformat(figures["event_time_earliest"]),
        future=dt.timedelta(seconds=figures["future_seconds"]),
        book_ahead=dt.timedelta(days=figures["business_date_ahead_days"]),
        late=dt.timedelta(hours=figures["late_hours"]),
        history=tuple(figures["history_sources"]),
        orphan_age=dt.timedelta(hours=figures["orphan_hours"]),
        bad_run=figures["breaker_run"],
        bad_share=float(figures["breaker_share"]),
        bad_window=figures["breaker_window"],
    )
