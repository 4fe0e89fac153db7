"""The tables that every plain pipeline writes, and the quickest ways into them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import psycopg

from benchmarks.ingest_job.rules import Result, State, money
from lifecycle.events import Event

DDL = """
DROP SCHEMA IF EXISTS plain CASCADE;
CREATE SCHEMA plain;
CREATE TABLE plain.inbox (id text PRIMARY KEY);
CREATE TABLE plain.events (part int, off bigint, id text, client text, time timestamptz,
    amount bigint, side text, balance bigint, payload bytea, PRIMARY KEY (part, off));
CREATE TABLE plain.alerts (number bigint GENERATED ALWAYS AS IDENTITY, rule text, client text,
    event_id text, value bigint, time timestamptz, UNIQUE (rule, event_id));
CREATE TABLE plain.quarantine (part int, off bigint, reason text, raw bytea, PRIMARY KEY (part, off));
CREATE TABLE plain.state (client text PRIMARY KEY, n bigint, balance bigint, lowest bigint,
    debits bigint, window_rows text) WITH (fillfactor = 50);
CREATE TABLE plain.gates (rows int, ok boolean);
CREATE TABLE plain.offsets (part int PRIMARY KEY, off bigint NOT NULL);
"""

STAGES = """
CREATE TEMP TABLE states (LIKE plain.state) ON COMMIT DELETE ROWS;
"""

_EVENT = ["int4", "int8", "text", "text", "timestamptz", "int8", "text", "int8", "bytea"]
_STATE = ["text", "int8", "int8", "int8", "int8", "text"]


def prepare(connection: psycopg.Connection[Any], partitions: int) -> None:
    """Make the tables anew, with an offset row for each partition."""
    connection.execute(DDL)
    connection.execute(
        "INSERT INTO plain.offsets SELECT p, 0 FROM generate_series(0, %s) AS p", (partitions - 1,)
    )


def found(connection: psycopg.Connection[Any]) -> Result:
    """What is there now."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM plain.events), (SELECT count(*) FROM plain.quarantine),"
        " (SELECT count(*) FROM plain.alerts), count(*), coalesce(sum(n), 0),"
        " coalesce(sum(balance), 0), coalesce(sum(debits), 0) FROM plain.state"
    ).fetchone()
    assert row is not None
    return Result(*map(int, row))


def event_row(event: Event, value: bytes) -> tuple[Any, ...]:
    """A row of plain.events."""
    amount, side, balance = money(event)
    place = (event.partition, event.offset)
    return (*place, event.id, event.client_id, event.time, amount, side, balance, value)


def state_row(client: str, state: State) -> tuple[Any, ...]:
    """A row of plain.state."""
    window = json.dumps(list(state.window))
    return client, state.n, state.balance, state.lowest, state.debits, window


def copy_events(
    cursor: psycopg.Cursor[Any], rows: Iterable[tuple[Any, ...]], table: str = "plain.events"
) -> None:
    """Binary COPY into plain.events, or into a table with the same columns."""
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(_EVENT)
        for row in rows:
            copy.write_row(row)


def put_states(cursor: psycopg.Cursor[Any], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert or replace rows of plain.state, one for each client; needs STAGES."""
    with cursor.copy("COPY states FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(_STATE)
        for row in rows:
            copy.write_row(row)
    cursor.execute(
        "INSERT INTO plain.state SELECT * FROM states ON CONFLICT (client) DO UPDATE SET "
        "n = excluded.n, balance = excluded.balance, lowest = excluded.lowest, "
        "debits = excluded.debits, window_rows = excluded.window_rows"
    )
