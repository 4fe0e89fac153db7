"""Alerts as people work with them: list, show, acknowledge, close, deliver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect
from lifecycle.errors import UsageError

Row = dict[str, Any]

_COLUMNS = """
alert_id::text AS alert_id, alert_key, origin, rule_id, rule_version, severity, client_id, entity,
owner, status, event_time, detected_at, value, unit, hit_count, last_seen, max_value, message_zh,
message_en, evidence
"""

_DETAILS = """
SELECT a.*, a.alert_id::text AS alert_id, r.content AS rule_set, g.stage AS gate_stage,
       g.success AS gate_success, g.evaluated AS gate_evaluated, g.rows AS gate_rows
  FROM alert AS a JOIN rule_set AS r USING (rules_hash)
  LEFT JOIN gate_result AS g USING (gate_result_id)
 WHERE a.alert_id::text = %s OR a.alert_key = %s
"""

RETRY_MINUTES = (0, 1, 5, 15, 60)
"""Waiting time before the n-th attempt; the last one repeats."""

_MOVES = {"ack": ({"NEW"}, "ACKED"), "close": ({"NEW", "ACKED"}, "CLOSED")}
"""Action -> the states it is allowed in, and the state it leads to."""


class AlertStore:
    """One autocommit connection; each method is its own transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def list(
        self, *, client: str | None = None, rule: str | None = None, status: str | None = None
    ) -> list[Row]:
        """Alerts, gravest and newest first."""
        wanted = {"client_id": client, "rule_id": rule, "status": status}
        filters = {column: value for column, value in wanted.items() if value}
        where = " AND ".join(f"{column} = %s" for column in filters) or "true"
        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                f"SELECT {_COLUMNS} FROM alert WHERE {where} "
                "ORDER BY severity, detected_at DESC, alert_key",
                tuple(filters.values()),
            )
            return cursor.fetchall()

    def show(self, alert: str) -> Row:
        """Everything stored of one alert, by its id or its key. Raises UsageError when unknown."""
        with self._connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_DETAILS, (alert, alert)).fetchone()
            if row is None:
                raise UsageError(f"There is no alert {alert}: `lifecycle alerts list` has them all.")
            row["actions"] = cursor.execute(
                "SELECT action, actor, reason, acted_at FROM alert_action WHERE alert_id::text = %s "
                "ORDER BY action_id",
                (row["alert_id"],),
            ).fetchall()
            row["deliveries"] = cursor.execute(
                "SELECT channel, attempts, delivered_at, error FROM alert_delivery "
                "WHERE alert_id::text = %s ORDER BY channel",
                (row["alert_id"],),
            ).fetchall()
            return row

    def facts(self, evidence: list[Row]) -> list[bytes]:
        """The logged bytes of an alert's evidence, in its order."""
        rows = []
        for source in evidence:
            found = self._connection.execute(
                "SELECT payload FROM event_log WHERE event_id = %s AND topic = %s "
                "AND partition = %s AND kafka_offset = %s",
                (source["event_id"], source["topic"], source["partition"], source["offset"]),
            ).fetchone()
            rows += [found[0]] if found else []
        return rows

    def act(self, action: str, alert: str, *, actor: str, reason: str, now: dt.datetime) -> Row:
        """Acknowledge or close an alert, with who and why."""
        allowed, becomes = _MOVES[action]
        known = self.show(alert)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE alert SET status = %s WHERE alert_id = %s AND status = ANY(%s)",
                (becomes, known["alert_id"], list(allowed)),
            )
            if cursor.rowcount == 0:
                raise UsageError(
                    f"Alert {known['alert_id']} is {known['status']}: it cannot be "
                    f"{'acknowledged' if action == 'ack' else 'closed'} again."
                )
            cursor.execute(
                "INSERT INTO alert_action (alert_id, action, actor, reason, acted_at) "
                "VALUES (%s, %s, %s, %s, %s)",
                (known["alert_id"], action, actor, reason, now),
            )
        return {"alert_id": known["alert_id"], "status": becomes}

    # --- delivery -----------------------------------------------------------------------------

    def expect(self, channels: dict[str, list[str]]) -> None:
        """Write down which channels each alert has to reach: owner -> channel names. Idempotent."""
        pairs = [(owner, channel) for owner, names in channels.items() for channel in names]
        self._connection.execute(
            "INSERT INTO alert_delivery (alert_id, channel) "
            "SELECT a.alert_id, c.channel FROM alert AS a "
            "JOIN unnest(%s::text[], %s::text[]) AS c (owner, channel) USING (owner) "
            "ON CONFLICT DO NOTHING",
            ([owner for owner, _ in pairs], [channel for _, channel in pairs]),
        )

    @contextmanager
    def due(self, now: dt.datetime) -> Iterator[tuple[psycopg.Cursor[Any], Row | None]]:
        """One delivery that is due, locked against other dispatchers while it is being sent."""
        waits = " ".join(
            f"WHEN {attempts} THEN interval '{minutes} minutes'"
            for attempts, minutes in enumerate(RETRY_MINUTES[:-1])
        )
        query = (
            "SELECT d.alert_id::text AS alert_id, d.channel, a.severity, a.rule_id, a.client_id, "
            "a.entity, a.owner, a.message_zh, a.message_en, a.event_time "
            "FROM alert_delivery AS d JOIN alert AS a USING (alert_id) "
            "WHERE d.delivered_at IS NULL AND (d.last_attempt_at IS NULL OR d.last_attempt_at + "
            f"CASE d.attempts {waits} ELSE interval '{RETRY_MINUTES[-1]} minutes' END <= %s) "
            "ORDER BY a.severity, a.detected_at, d.channel LIMIT 1 FOR UPDATE OF d SKIP LOCKED"
        )
        with self._connection.transaction(), self._connection.cursor(row_factory=dict_row) as cursor:
            yield cursor, cursor.execute(query, (now,)).fetchone()

    def attempted(
        self, unit: psycopg.Cursor[Any], row: Row, now: dt.datetime, error: str | None
    ) -> None:
        """Record one attempt in the transaction that locked it: delivered when there is no error."""
        unit.execute(
            "UPDATE alert_delivery SET attempts = attempts + 1, last_attempt_at = %s, "
            "delivered_at = %s, error = %s WHERE alert_id = %s AND channel = %s",
            (now, None if error else now, error, row["alert_id"], row["channel"]),
        )
