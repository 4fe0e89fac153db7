"""Quix Streams: duplicates and state in its RocksDB, one sink that writes at every checkpoint."""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State, message_context
from quixstreams.sinks import BaseSink

from benchmarks.peers.common import (
    DUPLICATE,
    ROWS,
    WINDOW_SECONDS,
    Outcome,
    Writer,
    asked,
    from_plain,
    read,
    take,
    to_plain,
)
from lifecycle.events.catalogue import ACCOUNT


class Sink(BaseSink):
    """All tables in one transaction; the shipped sink replaces rows in all of them or in none."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._writer = Writer(database)
        self._waiting: list[Outcome] = []

    def add(self, value: Outcome, *args: Any, **kwargs: Any) -> None:
        self._waiting.append(value)

    def flush(self) -> None:
        if self._waiting:
            self._writer.write(self._waiting)
            self._waiting = []


def step(value: bytes, key: bytes, timestamp: int, headers: Any, state: State) -> Outcome:
    """One record; its client is the key, so ids are looked for among the client's own."""
    place = message_context()
    event = read(value, key, place.partition, place.offset)
    if isinstance(event, Outcome):
        return event
    if state.exists(event.id):
        return DUPLICATE
    state.set(event.id, 1)
    known = from_plain(state.get("client"))
    outcome = take(event, value, known)
    state.set("client", to_plain(known))
    return outcome


def main() -> None:
    """Run until it is ended."""
    given = asked()
    application = Application(
        given["bootstrap"],
        consumer_group=given["group"],
        auto_offset_reset="earliest",
        commit_every=ROWS,
        commit_interval=WINDOW_SECONDS,
        state_dir=given["folder"],
        loglevel="WARNING",
    )
    topic = application.topic(ACCOUNT, value_deserializer="bytes", key_deserializer="bytes")
    frame = application.dataframe(topic).apply(step, stateful=True, metadata=True)
    frame.sink(Sink(given["database"]))
    application.run()


if __name__ == "__main__":
    main()
