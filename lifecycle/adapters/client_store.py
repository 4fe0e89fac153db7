"""What is served about one client."""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect
from lifecycle.errors import UsageError

Row = dict[str, Any]


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
            "scores": self._all(
                "SELECT score_id::text AS score_id, score_type, status, value, band, pd, calibrated, "
                "reason_codes, as_of, model_version FROM risk_score WHERE client_id = %s",
                client_id,
            ),
            "facilities": self._all(
                "SELECT facility_id, as_of, dpd, outstanding, currency, tier, stage, trigger "
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

    def _all(self, query: str, *parameters: Any) -> list[Row]:
        return self._connection.execute(query, parameters).fetchall()  # type: ignore[return-value]

    def _one(self, query: str, *parameters: Any) -> Row | None:
        return self._connection.execute(query, parameters).fetchone()  # type: ignore[return-value]
