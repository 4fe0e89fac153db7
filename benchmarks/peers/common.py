"""What the rivals in Python share: one outcome for each record, and its way into the database."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from benchmarks.ingest_job.rules import State, fold
from benchmarks.ingest_job.tables import STAGES, copy_events, event_row, put_states, state_row
from lifecycle.events import Event, InvalidEvent, decode
from lifecycle.events.catalogue import ACCOUNT

ROWS = 5_000
"""The most records in one transaction, as in the plain reference."""
WINDOW_SECONDS = 0.25
"""The longest a record waits for its transaction, as in the plain reference."""


class Outcome(NamedTuple):
    """What became of one record; all empty for a duplicate."""

    event: tuple[Any, ...] | None = None
    bad: tuple[Any, ...] | None = None
    alerts: Sequence[tuple[Any, ...]] = ()
    state: tuple[str, State] | None = None


DUPLICATE = Outcome()


def asked() -> dict[str, Any]:
    """The process's one argument."""
    answer: dict[str, Any] = json.loads(sys.argv[1])
    return answer


def read(value: bytes, key: bytes, partition: int, offset: int) -> Event | Outcome:
    """The event of a record, or why there is none."""
    try:
        return decode(value, key, ACCOUNT, partition, offset)
    except InvalidEvent as error:
        return Outcome(bad=(partition, offset, error.reason, value))


def take(event: Event, value: bytes, state: State) -> Outcome:
    """Fold an event that was not seen before."""
    alerts: list[tuple[Any, ...]] = []
    fold(state, event, alerts)
    return Outcome(event_row(event, value), None, alerts, (event.client_id, state))


def to_plain(state: State) -> list[Any]:
    """A state in JSON's types."""
    return [state.n, state.balance, state.lowest, state.debits, list(state.window)]


def from_plain(values: Sequence[Any] | None) -> State:
    """A state from JSON's types; a new one where there was none."""
    state = State()
    if values:
        state.n, state.balance, state.lowest, state.debits, window = values
        state.window.extend((at, amount) for at, amount in window)
    return state


class Writer:
    """Writes outcomes, one transaction each time; the same records again change nothing."""

    def __init__(self, database: str) -> None:
        self._connection = psycopg.connect(database)
        self._cursor = self._connection.cursor()
        self._cursor.execute(
            f"{STAGES} CREATE TEMP TABLE events (LIKE plain.events) ON COMMIT DELETE ROWS"
        )
        self._connection.commit()

    def write(self, outcomes: Sequence[Outcome]) -> None:
        cursor = self._cursor
        copy_events(cursor, (o.event for o in outcomes if o.event), "events")
        cursor.execute("INSERT INTO plain.events SELECT * FROM events ON CONFLICT DO NOTHING")
        cursor.executemany(
            "INSERT INTO plain.quarantine VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [o.bad for o in outcomes if o.bad],
        )
        cursor.executemany(
            "INSERT INTO plain.alerts (rule, client, event_id, value, time) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [alert for o in outcomes for alert in o.alerts],
        )
        states = dict(o.state for o in outcomes if o.state)
        put_states(cursor, (state_row(client, state) for client, state in states.items()))
        cursor.execute("UPDATE plain.offsets SET off = off + %s WHERE part = 0", (len(outcomes),))
        self._connection.commit()
