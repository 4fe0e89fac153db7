"""Pathway: one stateful reducer per client, whose outcomes leave through a subscription.

Its own PostgreSQL sink writes the changes of one table; four tables in one transaction are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pathway as pw

from benchmarks.ingest_job.rules import State
from benchmarks.peers.common import (
    DUPLICATE,
    ROWS,
    WINDOW_SECONDS,
    Outcome,
    Writer,
    asked,
    read,
    take,
)
from lifecycle.events import Event
from lifecycle.events.catalogue import ACCOUNT

given = asked()
writer = Writer(given["database"])
waiting: list[Outcome] = []


class Client:
    """What is known of a client, and what became of its latest records."""

    def __init__(self) -> None:
        self.state = State()
        self.seen: set[str] = set()
        self.outcomes: list[Outcome] = []

    def take(self, event: Event | Outcome, value: bytes) -> Outcome:
        if isinstance(event, Outcome):
            return event
        if event.id in self.seen:
            return DUPLICATE
        self.seen.add(event.id)
        return take(event, value, self.state)


@pw.reducers.stateful_many
def folded(known: pw.PyObjectWrapper | None, rows: Sequence[Any]) -> pw.PyObjectWrapper:
    """Rows of one minibatch come in no order; offsets have one."""
    client = known.value if known else Client()
    records = sorted((row for row, _ in rows), key=_offset)
    client.outcomes = [
        client.take(read(value, key, place["partition"].as_int(), place["offset"].as_int()), value)
        for key, value, place in records
    ]
    # A new wrapper each time: an equal value would be no change, and nothing would come out.
    return pw.PyObjectWrapper(client)


def _offset(record: Sequence[Any]) -> int:
    return int(record[2]["offset"].as_int())


def changed(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
    if is_addition:
        waiting.extend(row["client"].value.outcomes)


def flush(time: int) -> None:
    if waiting:
        writer.write(waiting)
        waiting.clear()


def main() -> None:
    """Run until it is ended."""
    settings = {
        "bootstrap.servers": given["bootstrap"],
        "group.id": given["group"],
        "auto.offset.reset": "earliest",
    }
    records = pw.io.kafka.read(
        settings,
        ACCOUNT,
        format="raw",
        with_metadata=True,
        autocommit_duration_ms=round(WINDOW_SECONDS * 1000),
        max_backlog_size=ROWS,
    )
    clients = records.groupby(records.key).reduce(
        records.key, client=folded(records.key, records.data, records._metadata)
    )
    pw.io.subscribe(clients, on_change=changed, on_time_end=flush)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main()
