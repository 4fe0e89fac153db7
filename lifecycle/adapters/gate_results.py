"""A gate's verdict as a row: no values, no personal data."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg

from lifecycle.adapters.ingest_store import failures_json
from lifecycle.ports import Verdict


def record(
    connection: psycopg.Connection[Any],
    verdict: Verdict,
    business_date: dt.date | None,
    now: dt.datetime,
) -> int:
    """Insert the verdict; return its id."""
    row = connection.execute(
        "INSERT INTO gate_result (stage, business_date, run_at, rows, success, evaluated, "
        "expected, milliseconds, failures) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "RETURNING gate_result_id",
        (
            verdict.stage,
            business_date,
            now,
            verdict.rows,
            verdict.success,
            verdict.evaluated,
            verdict.expected,
            verdict.milliseconds,
            failures_json(verdict.failures),
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])
