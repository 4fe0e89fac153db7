"""Deliveries on PostgreSQL: one row per alert and channel, locked while its message is sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.alerts.dispatch import Due, Row

_DUE = """
SELECT alert_id::text, channel, attempts
  FROM (SELECT d.alert_id, d.channel, d.attempts, a.severity, a.detected_at, a.alert_key,
               row_number() OVER (PARTITION BY d.channel
                                  ORDER BY a.severity, a.detected_at, a.alert_key) AS place
          FROM alert_delivery AS d JOIN alert AS a USING (alert_id)
         WHERE d.delivered_at IS NULL AND d.channel = ANY(%(channels)s)
           AND (d.last_attempt_at IS NULL OR d.last_attempt_at + make_interval(mins =>
                (%(minutes)s::int[])[least(d.attempts, cardinality(%(minutes)s::int[]))]
               ) <= %(now)s)) AS due
 WHERE place <= %(limit)s
 ORDER BY severity, detected_at, alert_key, channel
"""

_CLAIM = """
SELECT a.alert_id::text AS alert_id, a.severity, a.rule_id, a.client_id, a.entity, a.owner,
       a.message_zh, a.message_en, a.event_time,
       EXISTS (SELECT FROM degraded_client AS q WHERE q.client_id = a.client_id) AS degraded
  FROM alert_delivery AS d JOIN alert AS a USING (alert_id)
 WHERE d.alert_id = %s AND d.channel = %s AND d.attempts = %s AND d.delivered_at IS NULL
   FOR UPDATE OF d SKIP LOCKED
"""


class DeliveryStore:
    """One connection; a claim holds its one transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def unplanned(self) -> list[tuple[str, str]]:
        with unavailable():
            return self._connection.execute(
                "SELECT alert_id::text, owner FROM alert AS a WHERE status <> 'CLOSED' AND NOT EXISTS "
                "(SELECT 1 FROM alert_delivery AS d WHERE d.alert_id = a.alert_id)"
            ).fetchall()

    def plan(self, pairs: Sequence[tuple[str, str]]) -> None:
        with unavailable():
            self._connection.execute(
                "INSERT INTO alert_delivery (alert_id, channel) "
                "SELECT * FROM unnest(%s::uuid[], %s::text[]) ON CONFLICT DO NOTHING",
                ([alert for alert, _ in pairs], [channel for _, channel in pairs]),
            )

    def due(
        self, now: dt.datetime, channels: Sequence[str], retry_minutes: Sequence[int], limit: int
    ) -> list[Due]:
        figures = {
            "now": now,
            "channels": list(channels),
            "minutes": list(retry_minutes),
            "limit": limit,
        }
        with unavailable():
            return [Due(*row) for row in self._connection.execute(_DUE, figures)]

    @contextmanager
    def claim(self, due: Due) -> Iterator[Row | None]:
        with unavailable(), self._connection.transaction():
            with self._connection.cursor(row_factory=dict_row) as cursor:
                row = cursor.execute(_CLAIM, due).fetchone()
            yield row

    def settle(self, due: Due, now: dt.datetime, error: str | None) -> None:
        self._connection.execute(
            "UPDATE alert_delivery SET attempts = attempts + 1, last_attempt_at = %s, "
            "delivered_at = %s, error = %s WHERE alert_id = %s AND channel = %s",
            (now, None if error else now, error, due.alert_id, due.channel),
        )
