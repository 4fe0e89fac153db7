"""Overrides of scores as people work with them: ask, list, decide."""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect
from lifecycle.errors import UsageError
from lifecycle.override import Answer, Override, check_answer, check_override

Row = dict[str, Any]

PUT_OVERRIDES = """
UPDATE risk_score AS s
   SET override = CASE WHEN o.valid_until >= s.as_of AND s.status = 'SCORED' THEN
       jsonb_build_object('band', o.band, 'reason', o.reason, 'maker', o.maker,
                          'checker', o.checker, 'valid_until', o.valid_until) END
  FROM (SELECT DISTINCT ON (client_id, score_type) * FROM score_override
         WHERE status = 'APPROVED' ORDER BY client_id, score_type, override_id DESC) AS o
 WHERE o.client_id = s.client_id AND o.score_type = s.score_type
"""
"""The newest override that is approved stands beside the served score until it is over; the ones before it
never come back."""


class OverrideStore:
    """One connection; each method is its own transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        self._connection.close()

    def ask(self, wanted: Override, *, maker: str, days_max: int, now: dt.datetime) -> int:
        """Write down what a person wants; returns its id. Raises UsageError when there is no such score,
        when it may not be asked for, or when somebody asked already."""
        score = self._one(
            "SELECT status, coalesce(override ->> 'band', band) AS band, as_of FROM risk_score "
            "WHERE client_id = %s AND score_type = %s",
            wanted.client_id,
            wanted.score_type,
        )
        if score is None:
            raise UsageError(
                f"Client {wanted.client_id} has no score of type {wanted.score_type}: "
                f"`lifecycle client {wanted.client_id}` shows which there are."
            )
        check_override(wanted, score["status"], score["band"], score["as_of"], days_max)
        try:
            made = self._one(
                "INSERT INTO score_override "
                "(client_id, score_type, band, reason, valid_until, maker, requested_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING override_id",
                wanted.client_id,
                wanted.score_type,
                wanted.band,
                wanted.reason,
                wanted.valid_until,
                maker,
                now,
            )
        except UniqueViolation:
            raise UsageError(
                f"An override of the {wanted.score_type} score of {wanted.client_id} waits for its answer "
                "already: `lifecycle overrides list`."
            ) from None
        assert made is not None
        return int(made["override_id"])

    def list(self, status: str | None) -> list[Row]:
        """Overrides of a status, or all of them, the newest first."""
        return self._connection.execute(
            "SELECT * FROM score_override WHERE %(status)s::text IS NULL OR status = %(status)s "
            "ORDER BY override_id DESC",
            {"status": status},
        ).fetchall()  # type: ignore[return-value]

    def show(self, override_id: int) -> Row:
        """One override with `own_band`, `value` and `as_of` of the score as it is served. Raises UsageError when there
        is no such override."""
        row = self._one(
            "SELECT o.*, s.band AS own_band, s.value, s.as_of FROM score_override AS o "
            "LEFT JOIN risk_score AS s USING (client_id, score_type) WHERE override_id = %s",
            override_id,
        )
        if row is None:
            raise UsageError(f"There is no override {override_id}: `lifecycle overrides list`.")
        return row

    def decide(self, override_id: int, answer: Answer, *, checker: str, now: dt.datetime) -> Row:
        """Write down a second person's answer; what is approved counts at once. Raises UsageError when
        there is no such override, or when this person may not decide."""
        with self._connection.transaction():
            # A night that replaces the scores would not see what is decided meanwhile.
            self._connection.execute("LOCK TABLE risk_score IN SHARE ROW EXCLUSIVE MODE")
            self._one("SELECT 1 FROM score_override WHERE override_id = %s FOR UPDATE", override_id)
            row = self.show(override_id)
            check_answer(row, answer, checker)
            self._connection.execute(
                "UPDATE score_override SET status = %s, checker = %s, decided_at = %s "
                "WHERE override_id = %s",
                (answer, checker, now, override_id),
            )
            self._connection.execute(PUT_OVERRIDES)
        return row | {"status": answer, "checker": checker, "decided_at": now}

    def _one(self, query: str, *parameters: Any) -> Row | None:
        return self._connection.execute(query, parameters).fetchone()  # type: ignore[return-value]
