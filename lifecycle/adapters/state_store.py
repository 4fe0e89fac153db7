"""Stored client states as a whole: which versions there are, and all of them replaced at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from psycopg.errors import LockNotAvailable

from lifecycle.adapters.event_log import PostgresEventLog
from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.clients.state import ClientState, encode_state, version_of
from lifecycle.errors import UsageError

_STAGE = "CREATE TEMP TABLE rebuilt (client_id text, facts bigint, state bytea) ON COMMIT DROP"

_REPLACE = """
INSERT INTO client_state (client_id, facts, state, updated_at)
SELECT client_id, facts, state, %s FROM rebuilt
"""


class StateStore:
    """One connection."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection = connect(
            database_url, options="-c lock_timeout=10s", application_name="lifecycle rebuild"
        )

    def close(self) -> None:
        self._connection.close()

    def versions(self) -> set[int]:
        """The versions of the stored states."""
        with unavailable(), self._connection.transaction():
            rows = self._connection.execute("SELECT state FROM client_state")
            return {version_of(state) for (state,) in rows}

    @contextmanager
    def replacing(self) -> Iterator[PostgresEventLog]:
        """The log as it stands, while nobody adds to it. Raises UsageError while somebody does."""
        log = PostgresEventLog(self._url)
        try:
            with unavailable(), self._connection.transaction():
                self._connection.execute("LOCK TABLE event_log IN SHARE MODE")
                self._connection.execute("LOCK TABLE client_state IN EXCLUSIVE MODE")
                with log.snapshot():
                    yield log
        except LockNotAvailable as error:
            raise UsageError(
                "A consumer is at work: stop it (`lifecycle down`), then run the command again; "
                "nothing was changed."
            ) from error
        finally:
            log.close()

    def replace(self, states: Mapping[str, ClientState], now: dt.datetime) -> None:
        """Put these states in the place of all stored ones; inside `replacing`."""
        with self._connection.cursor() as cursor:
            cursor.execute(_STAGE)
            with cursor.copy("COPY rebuilt FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["text", "int8", "bytea"])
                for client, state in states.items():
                    copy.write_row((client, state.facts, encode_state(state)))
            cursor.execute("DELETE FROM client_state")
            cursor.execute(_REPLACE, (now,))
