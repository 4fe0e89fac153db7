"""Publish an event source to Kafka, as fast as it goes or paced by event time."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError

from consumers.relay import producer_for
from lifecycle.errors import NotRunning, UsageError
from lifecycle.events import Outgoing

PROGRESS_EVERY = 1_000
DELIVERY_SECONDS_MAX = 120


class Published(msgspec.Struct, frozen=True):
    """What was published."""

    events: int
    seconds: float
    first_time: dt.datetime | None
    last_time: dt.datetime | None


def publish(
    events: Iterator[Outgoing],
    bootstrap_servers: str,
    *,
    speed: float | None = None,
    progress: Callable[[int], None] = lambda events: None,
) -> Published:
    """Send every event with its client as the key; returns once the broker has them all.

    `speed` paces by event time: 86400 is a day a second; None does not wait.
    """
    producer = producer_for(bootstrap_servers)
    started = time.monotonic()
    count, first, last = 0, None, None
    undelivered: list[Exception] = []
    try:
        for event in events:
            first = first or event.time
            last = event.time
            if speed:
                due = started + (event.time - first).total_seconds() / speed
                time.sleep(max(0.0, due - time.monotonic()))
            sent = _send(producer, event, count)
            sent.add_errback(undelivered.append)
            count += 1
            if count % PROGRESS_EVERY == 0:
                progress(count)
        producer.flush(timeout=DELIVERY_SECONDS_MAX)
    finally:
        producer.close()
    if undelivered:
        raise NotRunning(
            f"{len(undelivered)} of {count} events did not reach the broker "
            f"({undelivered[0]}): look at `lifecycle status`, then replay again; what arrived is "
            "recognised by its id."
        )
    progress(count)
    return Published(count, round(time.monotonic() - started, 3), first, last)


def _send(producer: KafkaProducer, event: Outgoing, before: int) -> Any:
    try:
        return producer.send(event.topic, key=event.key.encode(), value=event.value)
    except MessageSizeTooLargeError:
        raise UsageError(
            f"Event {before + 1:,} ({event.type} {event.id or 'without an id'}) has "
            f"{len(event.value):,} bytes, more than a record may have "
            f"({producer.config['max_request_size']:,}); the {before:,} before it were sent: "
            "take it out and replay again, what arrived is recognised by its id."
        ) from None
