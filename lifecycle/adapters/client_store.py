"""What is served about one client."""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from collections.abc import Iterator
from typing import Any

from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect
from lifecycle.errors import UsageError

Row = dict[str, Any]

ROWS_PER_FETCH = 20_000
RECENT_FACTS = 12
"""How many of a client's newest facts its page shows."""


class ClientStore:
    """Read only; one connection."""

    def __init__(self, database_url: str, gap_age: dt.timedelta) -> None:
        """`gap_age` is how long a sequence gap may be open before its client is incomplete."""
        self._connection = connect(database_url, row_factory=dict_row)
        self._gap_age = gap_age
        self._connection.read_only = True

    def close(self) -> None:
        self._connection.close()

    def page(self, client_id: str) -> Row:
        """Profile, scores, facilities, what is held and missing. Raises UsageError for an unknown
        client."""
        known = self._one(
            "SELECT facts FROM client_state WHERE client_id = %s AND facts > 0", client_id
        )
        attributes = self._all(
            "SELECT name, value, unit, as_of, purpose, confidence, null_reason, source_event_ids, "
            "source_time "
            "FROM client_profile WHERE client_id = %s ORDER BY name",
            client_id,
        )
        if known is None and not attributes:
            raise UsageError(
                f"There is no client {client_id}: no fact of that client was ever accepted."
            )
        held = self._one("SELECT held FROM degraded_client WHERE client_id = %s", client_id)
        return {
            "as_of": attributes[0]["as_of"] if attributes else None,
            "attributes": attributes,
            "summary": self._one("SELECT * FROM client_summary WHERE client_id = %s", client_id),
            "moves": self._all(
                "SELECT on_date AS on, from_state, to_state, rule_id, evidence "
                "FROM lifecycle_transition WHERE client_id = %s ORDER BY on_date",
                client_id,
            ),
            "tasks": self._all(
                "SELECT task_key, check_id, owner, due, reason_zh, reason_en, opened_as_of "
                "FROM client_task WHERE client_id = %s AND closed_as_of IS NULL ORDER BY due",
                client_id,
            ),
            "facts": self._all(
                "SELECT event_id, topic, business_date, payload FROM event_log "
                "WHERE client_id = %s ORDER BY position DESC LIMIT %s",
                client_id,
                RECENT_FACTS,
            ),
            "scores": self._all(
                "SELECT score_id::text AS score_id, score_type, status, value, band, pd, calibrated, "
                "reason_codes, source_event_ids, as_of, feature_hash, model_version, "
                "calibration_version, data_quality_grade, override "
                "FROM risk_score WHERE client_id = %s ORDER BY score_type",
                client_id,
            ),
            "facilities": self._all(
                "SELECT facility_id, as_of, dpd, outstanding, currency, tier, tier_trigger, stage, "
                "trigger, state, expected_loss "
                "FROM facility_stage WHERE client_id = %s ORDER BY facility_id",
                client_id,
            ),
            "held": held["held"] if held else 0,
            "gaps": self._all(
                "SELECT source, missing, opened_at, opened_at <= now() - %s::interval AS incomplete "
                "FROM open_gap WHERE client_id = %s ORDER BY source",
                self._gap_age,
                client_id,
            ),
        }

    def everybody(self) -> Iterator[tuple[Row, list[Row]]]:
        """Every served client in the order of ids: its summary without documents, and its attributes."""
        with self._connection.cursor(name="everybody") as cursor:
            cursor.itersize = ROWS_PER_FETCH
            cursor.execute(
                "SELECT p.client_id, p.name, p.value, p.purpose, p.null_reason, p.confidence, p.as_of,"
                " s.client_type, s.state, s.since, s.grade "
                "FROM client_profile AS p LEFT JOIN client_summary AS s USING (client_id) "
                "ORDER BY p.client_id, p.name"
            )
            every: Iterator[Row] = iter(cursor)  # type: ignore[arg-type]
            for client, rows in itertools.groupby(every, operator.itemgetter("client_id")):
                own = list(rows)
                columns = ("as_of", "client_type", "state", "since", "grade")
                yield {"client_id": client, **{name: own[0][name] for name in columns}}, own

    def _all(self, query: str, *parameters: Any) -> list[Row]:
        return self._connection.execute(query, parameters).fetchall()  # type: ignore[return-value]

    def _one(self, query: str, *parameters: Any) -> Row | None:
        return self._connection.execute(query, parameters).fetchone()  # type: ignore[return-value]
