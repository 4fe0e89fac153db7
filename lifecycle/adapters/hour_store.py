"""Live facts per topic and hour in PostgreSQL, and the verdicts on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lifecycle.adapters import gate_results
from lifecycle.adapters.postgres import connect
from lifecycle.hours import HOUR
from lifecycle.ports import Verdict

STAGE = "raw_hour"

_BATCHES = """
SELECT min(batch_id), max(batch_id) FROM micro_batch WHERE ingested_at >= %s AND ingested_at < %s
"""

# Batches of several consumers interleave, so the range of an hour may hold some of its neighbours.
_FACTS = """
SELECT e.topic, count(*)
  FROM event_log AS e JOIN micro_batch AS b USING (batch_id)
 WHERE e.batch_id BETWEEN %s AND %s AND b.ingested_at >= %s AND b.ingested_at < %s
   AND e.time > b.ingested_at - %s
 GROUP BY e.topic
"""


class HourStore:
    """One connection, autocommit."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def verdict_since(self, end: dt.datetime) -> list[dict[str, Any]] | None:
        """What failed in the hour that ended then; None when nobody has judged it yet."""
        row = self._connection.execute(
            "SELECT failures FROM gate_result WHERE stage = %s AND run_at >= %s "
            "ORDER BY run_at DESC LIMIT 1",
            (STAGE, end),
        ).fetchone()
        return row[0] if row else None

    def facts(self, starts: Sequence[dt.datetime], live: dt.timedelta) -> dict[str, list[int]]:
        """Topic -> facts that came in each of these hours and were not older than `live` then."""
        counts: dict[str, list[int]] = {}
        for place, start in enumerate(starts):
            for topic, facts in self._hour(start.astimezone(dt.UTC), live):
                counts.setdefault(topic, [0] * len(starts))[place] = facts
        return counts

    def _hour(self, start: dt.datetime, live: dt.timedelta) -> list[tuple[str, int]]:
        # Asked first and passed as numbers: only then does the planner know how few rows that is.
        hour = (start, start + HOUR)
        batches = self._connection.execute(_BATCHES, hour).fetchone()
        if batches is None or batches[0] is None:
            return []
        return self._connection.execute(_FACTS, (*batches, *hour, live)).fetchall()

    def record(self, verdict: Verdict, now: dt.datetime) -> None:
        gate_results.record(self._connection, verdict, None, now)
