"""Whose turn it is among nights that were started together.

A backfill starts many nights at once and Airflow has no order for them, but a night compares with
what the night before it published. So each night asks for its turn until it gets it.
"""

from __future__ import annotations

import datetime as dt

from lifecycle.adapters.postgres import connect, unavailable

FORGOTTEN_AFTER = dt.timedelta(minutes=2)
"""A night that has not asked for this long is no longer waiting (asks are 15 s apart)."""
DEAD_AFTER = dt.timedelta(hours=4)
"""A night that has been running for this long was killed."""

_ASKED_BEFORE = "SELECT FROM nightly_turn WHERE business_date = %(date)s AND seen_at > %(asked)s"

_ASK = """
INSERT INTO nightly_turn (business_date, seen_at) VALUES (%(date)s, %(now)s)
ON CONFLICT (business_date) DO UPDATE SET seen_at = excluded.seen_at
"""

_EARLIER = """
SELECT FROM nightly_turn AS t LEFT JOIN nightly_run AS r USING (business_date)
 WHERE business_date < %(date)s
   AND (t.seen_at > %(asked)s AND coalesce(r.finished_at < t.seen_at, true)
        OR r.status = 'RUNNING' AND r.started_at > %(alive)s)
 LIMIT 1
"""


def take_turn(database_url: str, business_date: dt.date, now: dt.datetime) -> bool:
    """Ask; True when no earlier night waits or runs.

    The first ask never gets it: nights that were started in the same moment have to be seen first.
    """
    figures = {
        "date": business_date,
        "now": now,
        "asked": now - FORGOTTEN_AFTER,
        "alive": now - DEAD_AFTER,
    }
    with unavailable(), connect(database_url) as connection, connection.cursor() as cursor:
        asked_before = cursor.execute(_ASKED_BEFORE, figures).fetchone() is not None
        cursor.execute(_ASK, figures)
        return asked_before and cursor.execute(_EARLIER, figures).fetchone() is None
