"""Gaps in producers' sequences as people work with them: list, accept."""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.errors import UsageError

Row = dict[str, Any]


class GapStore:
    """Opens a short connection per call."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def rows(self, client_id: str | None) -> list[Row]:
        """Open gaps of one client or of all, oldest first."""
        with unavailable(), connect(self._database_url, row_factory=dict_row) as connection:
            return connection.execute(
                "SELECT client_id, source, missing, opened_at FROM open_gap "
                "WHERE %s::text IS NULL OR client_id = %s ORDER BY opened_at, client_id, source",
                (client_id, client_id),
            ).fetchall()  # type: ignore[return-value]

    def accept(
        self, client_id: str, source: str, *, actor: str, reason: str, now: dt.datetime
    ) -> int:
        """Wait no longer for what is missing now; return how many numbers that is.

        Raises UsageError when nothing is.
        """
        with unavailable(), connect(self._database_url) as connection:
            row = connection.execute(
                "SELECT missing - accepted FROM sequence_gap WHERE client_id = %s AND source = %s "
                "AND missing > accepted FOR UPDATE",
                (client_id, source),
            ).fetchone()
            if row is None:
                raise UsageError(
                    f"Client {client_id} has no open gap of {source}: `lifecycle gaps list`."
                )
            connection.execute(
                "UPDATE sequence_gap SET accepted = missing WHERE client_id = %s AND source = %s",
                (client_id, source),
            )
            connection.execute(
                "INSERT INTO gap_decision (client_id, source, missing, actor, reason, decided_at) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                (client_id, source, row[0], actor, reason, now),
            )
            return int(row[0])
