"""What the Operations page and `lifecycle status` read from PostgreSQL: one read-only snapshot.

Everything but the count of the log costs as much as what is recent or open, not as history: the
log's count is what makes the books provable, and is an index-only scan.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect, unavailable

Row = dict[str, Any]
_Cursor = psycopg.Cursor[Row]

STAGES = ("raw", "raw_hour", "staged", "profile", "standing", "score", "alert")

_COUNTERS = """
SELECT coalesce(sum(received), 0)::bigint AS received, coalesce(sum(applied), 0)::bigint AS applied,
       coalesce(sum(quarantined), 0)::bigint AS quarantined,
       coalesce(sum(duplicates), 0)::bigint AS duplicates,
       coalesce(sum(parked), 0)::bigint AS parked,
       (SELECT count(*) FROM event_log) AS logged,
       (SELECT count(*) FROM quarantine WHERE stage = 'raw' AND status <> 'RELEASED') AS held,
       (SELECT count(*) FROM parked) AS waiting,
       (SELECT max(ingested_at) FROM micro_batch) AS last_batch_at
  FROM consumer_offset
"""

_LAST_FACT = """
SELECT ingested_at FROM micro_batch
 WHERE batch_id = (SELECT batch_id FROM event_log ORDER BY position DESC LIMIT 1)
"""

_FACTS = """
SELECT topic, count(*) AS facts FROM event_log WHERE batch_id >= %s GROUP BY topic ORDER BY topic
"""

_QUARANTINE = """
SELECT stage, reason, count(*) AS rows, min(quarantined_at) AS oldest, max(quarantined_at) AS newest
  FROM quarantine WHERE status = 'HELD' GROUP BY stage, reason ORDER BY rows DESC, stage, reason
"""

_PARKED = """
SELECT type, split_part(waits_for, '/', 1) AS waits_for, count(*) AS facts, min(parked_at) AS oldest
  FROM parked GROUP BY 1, 2 ORDER BY facts DESC, 1, 2
"""

_GAPS = """
SELECT source, count(*) AS clients, min(opened_at) AS oldest
  FROM open_gap GROUP BY source ORDER BY source
"""

_STOPPED = """
SELECT topic, partition, next_offset, stopped_at, stopped_reason AS reason
  FROM consumer_offset WHERE stopped_at IS NOT NULL ORDER BY topic, partition
"""

_GATES = """
SELECT s.stage, g.*
  FROM unnest(%s::text[]) WITH ORDINALITY AS s (stage, place),
       LATERAL (
           SELECT count(*) AS runs, count(*) FILTER (WHERE success) AS passed,
                  count(*) FILTER (WHERE failures @> '[{"action": "block"}]') AS blocked,
                  max(run_at) AS last_run,
                  max(run_at) FILTER (WHERE NOT success) AS last_failed,
                  (array_agg(failures ORDER BY run_at DESC) FILTER (WHERE NOT success))[1]
                      AS last_failure
             FROM gate_result WHERE stage = s.stage AND run_at >= %s
       ) AS g
 ORDER BY s.place
"""

_ALERTS = """
SELECT severity, count(*) AS open, count(*) FILTER (WHERE status = 'NEW') AS new,
       min(detected_at) AS oldest, min(detected_at) FILTER (WHERE status = 'NEW') AS oldest_new,
       count(*) FILTER (WHERE detected_at > %(hour)s) AS under_1h,
       count(*) FILTER (WHERE detected_at <= %(hour)s AND detected_at > %(day)s) AS under_1d,
       count(*) FILTER (WHERE detected_at <= %(day)s) AS older
  FROM alert WHERE status <> 'CLOSED' GROUP BY severity ORDER BY severity
"""

_DELIVERIES = """
SELECT d.channel, count(*) AS waiting, count(*) FILTER (WHERE d.attempts > 0) AS failing,
       min(a.detected_at) AS oldest, max(d.error) AS error
  FROM alert_delivery AS d JOIN alert AS a USING (alert_id)
 WHERE d.delivered_at IS NULL GROUP BY d.channel
 UNION ALL
SELECT 'not planned yet', count(*), 0, min(a.detected_at), NULL
  FROM alert AS a
 WHERE a.status <> 'CLOSED'
   AND NOT EXISTS (SELECT FROM alert_delivery AS d WHERE d.alert_id = a.alert_id)
HAVING count(*) > 0
 ORDER BY 1
"""

_NIGHTLY = """
SELECT business_date, status, reason, started_at, finished_at, published, equal, steps
  FROM nightly_run ORDER BY started_at DESC LIMIT 1
"""

_PROOF = """
SELECT proved_at, business_date, equal, clients, events, alerts
  FROM proof ORDER BY proof_id DESC LIMIT 1
"""

_BACKFILLS = """
SELECT business_date, facts, clients, seal_id, requested_at
  FROM backfill_request WHERE status = 'OPEN' ORDER BY business_date
"""


def read(database_url: str, now: dt.datetime, zone: ZoneInfo) -> Row:
    """All numbers as of one moment. Raises NotRunning when the database does not answer."""
    with unavailable(), connect(database_url, options="-c statement_timeout=20s") as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.cursor(row_factory=dict_row) as cursor:
            ages = {"hour": now - dt.timedelta(hours=1), "day": now - dt.timedelta(days=1)}
            return {
                "counters": _row(cursor, _COUNTERS),
                "facts": _facts(cursor, zone),
                "quarantine": _rows(cursor, _QUARANTINE),
                "parked": _rows(cursor, _PARKED),
                "gaps": _rows(cursor, _GAPS),
                "stopped": _rows(cursor, _STOPPED),
                "gates": _rows(cursor, _GATES, (list(STAGES), ages["day"])),
                "alerts": _rows(cursor, _ALERTS, ages),
                "deliveries": _rows(cursor, _DELIVERIES),
                "outbox": _row(
                    cursor,
                    "SELECT count(*) AS waiting, min(created_at) AS oldest FROM outbox "
                    "WHERE published_at IS NULL",
                ),
                "nightly": _row(cursor, _NIGHTLY),
                "published_at": _value(
                    cursor, "SELECT max(published_at) AS value FROM publication"
                ),
                "proof": _row(cursor, _PROOF),
                "backfills": _rows(cursor, _BACKFILLS),
                "publications": _rows(
                    cursor,
                    "SELECT product, as_of, published_at, stale, stale_reason FROM publication "
                    "ORDER BY product",
                ),
            }


def has_facts(database_url: str, business_date: dt.date) -> bool:
    """Whether any accepted fact has this business date."""
    with unavailable(), connect(database_url) as connection:
        # The planner hopes to meet a row early and would read the whole log where there is none.
        connection.execute("SET LOCAL enable_seqscan = off")
        found = connection.execute(
            "SELECT EXISTS (SELECT FROM event_log WHERE business_date = %s)", (business_date,)
        ).fetchone()
        return bool(found and found[0])


def backfill_requests(database_url: str) -> list[Row]:
    """Business dates whose night has to be run again, oldest first."""
    with unavailable(), connect(database_url, row_factory=dict_row) as connection:
        return connection.execute(_BACKFILLS).fetchall()  # type: ignore[return-value]


def waiting_alerts(database_url: str) -> int:
    """Open alerts nobody was told of yet: planned and not delivered, or not planned at all."""
    with unavailable(), connect(database_url) as connection:
        found = connection.execute(
            "SELECT (SELECT count(DISTINCT alert_id) FROM alert_delivery WHERE delivered_at IS NULL) "
            "+ (SELECT count(*) FROM alert AS a WHERE status <> 'CLOSED' AND NOT EXISTS "
            "(SELECT FROM alert_delivery AS d WHERE d.alert_id = a.alert_id))"
        ).fetchone()
        return int(found[0]) if found else 0


def _facts(cursor: _Cursor, zone: ZoneInfo) -> Row:
    """Facts by topic of the last day on which any arrived, by the day they were ingested."""
    last = _row(cursor, _LAST_FACT)
    if last is None:
        return {"last_at": None, "day": None, "topics": []}
    day = last["ingested_at"].astimezone(zone).date()
    midnight = dt.datetime.combine(day, dt.time(), zone)
    # Asked first and passed as a number: only then does the planner know how few rows that is.
    cursor.execute(
        "SELECT min(batch_id) AS first FROM micro_batch WHERE ingested_at >= %s", (midnight,)
    )
    first = cursor.fetchone()
    return {
        "last_at": last["ingested_at"],
        "day": day,
        "topics": _rows(cursor, _FACTS, (first["first"],)) if first else [],
    }


def _rows(cursor: _Cursor, query: str, parameters: Any = ()) -> list[Row]:
    return cursor.execute(query, parameters).fetchall()


def _row(cursor: _Cursor, query: str) -> Row | None:
    return cursor.execute(query).fetchone()


def _value(cursor: _Cursor, query: str) -> Any:
    row = _row(cursor, query)
    return row["value"] if row else None
