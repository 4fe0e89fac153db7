"""Alerts as people work with them: list, show, acknowledge, close."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.alerts.actions import Action, next_status
from lifecycle.errors import UsageError

Row = dict[str, Any]

_STANDING = """
EXISTS (SELECT FROM degraded_client AS q WHERE q.client_id = a.client_id) AS degraded,
EXISTS (SELECT FROM open_gap AS g WHERE g.client_id = a.client_id
         AND g.opened_at <= now() - %s::interval) AS incomplete
"""
"""What is not right about an alert's client now."""

_COLUMNS = f"""
alert_id::text AS alert_id, alert_key, origin, late, rule_id, rule_version, severity, client_id, entity,
owner, status, event_time, detected_at, value, unit, hit_count, last_seen, max_value, message_zh,
message_en, evidence, {_STANDING}
"""

_DETAILS = f"""
SELECT a.*, a.alert_id::text AS alert_id, r.content AS rule_set, g.stage AS gate_stage,
       g.success AS gate_success, g.evaluated AS gate_evaluated, g.rows AS gate_rows, {_STANDING}
  FROM alert AS a JOIN rule_set AS r USING (rules_hash)
  LEFT JOIN gate_result AS g USING (gate_result_id)
 WHERE a.alert_id::text = %s OR a.alert_key = %s
"""


class AlertStore:
    """One autocommit connection; each method is its own transaction."""

    def __init__(self, database_url: str, gap_age: dt.timedelta) -> None:
        """`gap_age` is how long a sequence gap may be open before its client is incomplete."""
        self._connection = connect(database_url, autocommit=True)
        self._gap_age = gap_age

    def close(self) -> None:
        self._connection.close()

    def list(
        self,
        *,
        client: str | None = None,
        rule: str | None = None,
        status: str | None = None,
        severity: str | None = None,
        owner: str | None = None,
    ) -> list[Row]:
        """Alerts that match every filter given, gravest and newest first."""
        wanted = {
            "client_id": client,
            "rule_id": rule,
            "status": status,
            "severity": severity,
            "owner": owner,
        }
        filters = {column: value for column, value in wanted.items() if value}
        where = " AND ".join(f"{column} = %s" for column in filters) or "true"
        with unavailable(), self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                f"SELECT {_COLUMNS} FROM alert AS a WHERE {where} "
                "ORDER BY severity, detected_at DESC, alert_key",
                (self._gap_age, *filters.values()),
            )
            return cursor.fetchall()

    def show(self, alert: str) -> Row:
        """Everything stored of one alert, by its id or its key. Raises UsageError when unknown."""
        with unavailable(), self._connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_DETAILS, (self._gap_age, alert, alert)).fetchone()
            if row is None:
                raise UsageError(
                    f"There is no alert {alert}: `lifecycle alerts list` has them all."
                )
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

    def facts(self, evidence: Sequence[Row]) -> Sequence[bytes]:
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

    def act(self, action: Action, alert: str, *, actor: str, reason: str, now: dt.datetime) -> Row:
        """Acknowledge or close an alert, with who and why. Raises UsageError when it may not be."""
        alert_id = self.show(alert)["alert_id"]
        with (
            unavailable(),
            self._connection.transaction(),
            self._connection.cursor(row_factory=dict_row) as cursor,
        ):
            known = cursor.execute(
                "SELECT status, severity, owner, (SELECT actor FROM alert_action "
                "WHERE alert_id = a.alert_id AND action = 'ack' ORDER BY action_id DESC LIMIT 1) "
                "AS acked_by FROM alert AS a WHERE alert_id = %s FOR UPDATE",
                (alert_id,),
            ).fetchone()
            assert known is not None  # alerts are never deleted, and show() just found it
            status = next_status(action, alert_id=alert_id, actor=actor, reason=reason, **known)
            cursor.execute("UPDATE alert SET status = %s WHERE alert_id = %s", (status, alert_id))
            cursor.execute(
                "INSERT INTO alert_action (alert_id, action, actor, reason, acted_at) "
                "VALUES (%s, %s, %s, %s, %s)",
                (alert_id, action, actor, reason, now),
            )
        return {"alert_id": alert_id, "status": status, "actor": actor, "reason": reason}
