"""The numbers of the Operations page and of `lifecycle status`: one read-only snapshot."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
from psycopg.rows import dict_row

from lifecycle.adapters.postgres import connect

Row = dict[str, Any]

_COUNTERS = """
SELECT coalesce(sum(received), 0)::bigint AS received, coalesce(sum(applied), 0)::bigint AS applied,
       coalesce(sum(quarantined), 0)::bigint AS quarantined,
       coalesce(sum(duplicates), 0)::bigint AS duplicates,
       (SELECT count(*) FROM event_log) AS logged,
       (SELECT count(*) FROM quarantine WHERE stage = 'raw') AS held
  FROM consumer_offset
"""

_TODAY = """
SELECT topic, count(*) AS facts FROM event_log
 WHERE batch_id >= (SELECT min(batch_id) FROM micro_batch WHERE ingested_at >= %s)
 GROUP BY topic ORDER BY topic
"""

_GATES = """
SELECT stage, count(*) AS runs, count(*) FILTER (WHERE success) AS passed, max(run_at) AS last_run,
       (array_agg(failures ORDER BY run_at DESC) FILTER (WHERE NOT success))[1] AS last_failure
  FROM gate_result WHERE run_at >= %s GROUP BY stage ORDER BY stage
"""

_ALERTS = """
SELECT severity, count(*) AS open, count(*) FILTER (WHERE status = 'NEW') AS new,
       min(detected_at) AS oldest
  FROM alert WHERE status <> 'CLOSED' GROUP BY severity ORDER BY severity
"""


def snapshot(database_url: str, now: dt.datetime, midnight: dt.datetime) -> Row:
    """Reconciliation, facts today, quarantine, gates, alerts, last night and proof, publications.

    `midnight` is the start of today in the bank's zone. Numbers carry the time they were read.
    """
    with connect(database_url) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.cursor(row_factory=dict_row) as cursor:
            day_ago = now - dt.timedelta(days=1)
            return {
                "read_at": now,
                "reconciliation": _reconciliation(_rows(cursor, _COUNTERS)[0]),
                "facts_today": _rows(cursor, _TODAY, midnight),
                "quarantine": _rows(
                    cursor,
                    "SELECT stage, reason, count(*) AS rows, min(quarantined_at) AS oldest "
                    "FROM quarantine WHERE status = 'HELD' GROUP BY stage, reason ORDER BY 3 DESC",
                ),
                "gates": _rows(cursor, _GATES, day_ago),
                "alerts": _rows(cursor, _ALERTS),
                "deliveries": _rows(
                    cursor,
                    "SELECT count(*) FILTER (WHERE delivered_at IS NOT NULL) AS delivered, "
                    "count(*) FILTER (WHERE delivered_at IS NULL) AS failing FROM alert_delivery",
                )[0],
                "outbox_waiting": _rows(
                    cursor, "SELECT count(*) AS n FROM outbox WHERE published_at IS NULL"
                )[0]["n"],
                "nightly": _first(
                    cursor,
                    "SELECT business_date, status, reason, started_at, finished_at, published, equal,"
                    " steps FROM nightly_run ORDER BY started_at DESC LIMIT 1",
                ),
                "proof": _first(
                    cursor,
                    "SELECT proved_at, business_date, equal, clients, events, alerts FROM proof "
                    "ORDER BY proof_id DESC LIMIT 1",
                ),
                "publications": _rows(
                    cursor,
                    "SELECT product, as_of, published_at, stale, stale_reason FROM publication "
                    "ORDER BY product",
                ),
            }


def _reconciliation(counters: Row) -> Row:
    """in = applied + quarantined + duplicates + parked, and both agree with the rows that exist.

    Nothing is parked in this release: the fold takes facts in any order.
    """
    parked = 0
    accounted = (
        counters["applied"] + counters["quarantined"] + counters["duplicates"] + parked
    )
    return {
        "in": counters["received"],
        "applied": counters["applied"],
        "quarantined": counters["quarantined"],
        "duplicates": counters["duplicates"],
        "parked": parked,
        "balanced": counters["received"] == accounted
        and counters["applied"] == counters["logged"]
        and counters["quarantined"] == counters["held"],
    }


def _rows(cursor: psycopg.Cursor[Row], query: str, *parameters: Any) -> list[Row]:
    return cursor.execute(query, parameters).fetchall()


def _first(cursor: psycopg.Cursor[Row], query: str) -> Row | None:
    return cursor.execute(query).fetchone()
