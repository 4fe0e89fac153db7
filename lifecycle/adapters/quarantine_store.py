"""Quarantine as people work with it: list, show, ask for release or discard, decide."""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.errors import UsageError
from lifecycle.quarantine import Action, Request
from lifecycle.reasons import worded

Row = dict[str, Any]

_ROWS = """
SELECT q.quarantine_id, q.stage, q.topic, q.partition, q.kafka_offset, q.reason, q.expectation,
       q.detail, q.event_id, q.client_id, q.status, q.quarantined_at, q.closed_at,
       (SELECT request_id FROM quarantine_request AS r
         WHERE r.quarantine_id = q.quarantine_id AND r.status = 'WAITING') AS request_id {more}
  FROM quarantine AS q
"""

_REQUESTS = """
SELECT request_id, quarantine_id, action, reason, maker, requested_at, status, checker, decided_at
  FROM quarantine_request
"""


class QuarantineStore:
    """One autocommit connection; each method is its own transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        self._connection.close()

    def records(
        self,
        limit: int,
        *,
        since: dt.datetime | None = None,
        before: dt.datetime | None = None,
        **filters: str | None,
    ) -> list[Row]:
        """Records kept out in [since, before) whose columns equal every filter that is given,
        newest first."""
        wanted: dict[str, Any] = {f"{column} =": value for column, value in filters.items()}
        wanted |= {"quarantined_at >=": since, "quarantined_at <": before}
        given = {test: value for test, value in wanted.items() if value}
        where = " AND ".join(f"q.{test} %s" for test in given) or "true"
        query = f"{_ROWS.format(more='')} WHERE {where} ORDER BY quarantine_id DESC LIMIT %s"
        return [_worded(row) for row in self._all(query, *given.values(), limit)]

    def show(self, quarantine_id: int) -> Row:
        """One record with key, raw bytes, requests and, when released, the facts it became.

        Raises UsageError when unknown.
        """
        more = ", q.position, q.record_key, q.raw"
        rows = self._all(f"{_ROWS.format(more=more)} WHERE quarantine_id = %s", quarantine_id)
        if not rows:
            raise UsageError(
                f"There is no quarantined record {quarantine_id}: `lifecycle quarantine list`."
            )
        return _worded(rows[0]) | {
            "requests": self._all(
                f"{_REQUESTS} WHERE quarantine_id = %s ORDER BY request_id", quarantine_id
            ),
            "released_as": self._all(
                "SELECT position, event_id, type, client_id FROM event_log "
                "WHERE quarantine_id = %s ORDER BY position",
                quarantine_id,
            ),
        }

    def ask(
        self,
        quarantine_id: int,
        action: Action,
        corrected: bytes | None,
        *,
        reason: str,
        maker: str,
        now: dt.datetime,
    ) -> int:
        """Write a request down; return its id. Raises UsageError when one is waiting already."""
        try:
            rows = self._all(
                "INSERT INTO quarantine_request (quarantine_id, action, corrected, reason, maker, "
                "requested_at) VALUES (%s, %s, %s, %s, %s, %s) RETURNING request_id",
                quarantine_id,
                action,
                corrected,
                reason,
                maker,
                now,
            )
        except UniqueViolation:
            raise UsageError(
                f"A request for record {quarantine_id} is waiting: `lifecycle quarantine requests`."
            ) from None
        return int(rows[0]["request_id"])

    def requests(self, status: str | None) -> list[Row]:
        """Requests, newest first."""
        where = "WHERE status = %s" if status else ""
        return self._all(
            f"{_REQUESTS} {where} ORDER BY request_id DESC", *([status] if status else [])
        )

    def request(self, request_id: int) -> Request:
        """One request. Raises UsageError when unknown."""
        rows = self._all(
            "SELECT r.request_id, r.quarantine_id, r.action, r.maker, r.status, q.stage, "
            "r.corrected FROM quarantine_request AS r JOIN quarantine AS q USING (quarantine_id) "
            "WHERE request_id = %s",
            request_id,
        )
        if not rows:
            raise UsageError(
                f"There is no request {request_id}: `lifecycle quarantine requests --status all`."
            )
        return Request(**rows[0])

    def reject(self, request_id: int, checker: str, now: dt.datetime) -> None:
        """The record stays where it is."""
        self._decide(request_id, "REJECTED", checker, now)

    def close_record(self, request: Request, status: str, checker: str, now: dt.datetime) -> None:
        """Close a record without touching the stream: discarded, or a staged one let pass."""
        with unavailable(), self._connection.transaction():
            self._decide(request.request_id, "APPROVED", checker, now)
            self._connection.execute(
                "UPDATE quarantine SET status = %s, closed_at = %s "
                "WHERE quarantine_id = %s AND status = 'HELD'",
                (status, now, request.quarantine_id),
            )

    def _decide(self, request_id: int, status: str, checker: str, now: dt.datetime) -> None:
        decided = self._connection.execute(
            "UPDATE quarantine_request SET status = %s, checker = %s, decided_at = %s "
            "WHERE request_id = %s AND status = 'WAITING'",
            (status, checker, now, request_id),
        )
        if decided.rowcount != 1:
            raise UsageError(f"Request {request_id} was decided by somebody else just now.")

    def _all(self, query: str, *parameters: Any) -> list[Row]:
        with unavailable():
            return self._connection.execute(query, parameters).fetchall()  # type: ignore[return-value]


def _worded(row: Row) -> Row:
    """A record with its reason in words, behind the reason."""
    named: Row = {}
    for column, value in row.items():
        named[column] = value
        if column == "reason":
            named["reason_zh"], named["reason_en"] = worded(value)
    return named
