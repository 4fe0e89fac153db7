"""Gate raw_hour on a real database: counted, judged once, told by the watch."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import psycopg
import pytest

from lifecycle import app
from lifecycle.settings import Settings
from tests.support import query

pytestmark = pytest.mark.integration

NOW = dt.datetime(2026, 3, 2, 10, 7, tzinfo=ZoneInfo("Asia/Shanghai"))
HOUR = NOW.replace(hour=9, minute=0)
"""The last whole hour: a Monday, in business hours."""


def arrive(
    configured: Settings, at: dt.datetime, facts: int, *, age: dt.timedelta = dt.timedelta(0)
) -> None:
    """One micro-batch of entries that arrives at an instant and is so old then."""
    with psycopg.connect(configured.database_url) as connection:
        connection.execute("INSERT INTO rule_set VALUES ('test', '{}') ON CONFLICT DO NOTHING")
        row = connection.execute(
            "INSERT INTO micro_batch (consumer, ingested_at, rules_hash, code_version, gate_result_id)"
            " VALUES ('test', %s, 'test', 'test', 1) RETURNING batch_id",
            (at,),
        ).fetchone()
        assert row is not None
        connection.execute(
            "INSERT INTO event_log (event_key, event_id, source, type, subject, client_id, time, "
            "recordedtime, business_date, topic, partition, kafka_offset, batch_id, payload) "
            "SELECT 'k', 'e', '/test', 't', 's', 'C1', %(time)s, %(time)s, %(time)s, "
            "'bank.account.v1', 0, n, %(batch)s, '' FROM generate_series(1, %(facts)s) AS n",
            {"time": at - age, "batch": row[0], "facts": facts},
        )
        connection.execute(
            "UPDATE consumer_offset SET received = received + %(facts)s, applied = applied + %(facts)s"
            " WHERE topic = 'bank.account.v1' AND partition = 0",
            {"facts": facts},
        )


def weeks_before(configured: Settings, weeks: int, facts: int = 10) -> None:
    for week in range(1, weeks + 1):
        arrive(configured, HOUR - dt.timedelta(weeks=week, minutes=-30), facts)


def verdicts(configured: Settings) -> list[tuple[bool, list[str]]]:
    rows = query(
        configured,
        "SELECT success, failures FROM gate_result WHERE stage = 'raw_hour' ORDER BY run_at",
    )
    return [(success, [f["expectation"] for f in failures]) for success, failures in rows]


def test_an_hour_like_the_weeks_before_passes_and_is_judged_once(clean: Settings) -> None:
    weeks_before(clean, 4)
    arrive(clean, HOUR + dt.timedelta(minutes=5), 10)
    # The hours beside it do not count.
    arrive(clean, HOUR - dt.timedelta(seconds=1), 500)
    arrive(clean, HOUR + dt.timedelta(hours=1), 500)
    assert app.judge_hour(clean, NOW) == []
    assert app.judge_hour(clean, NOW + dt.timedelta(minutes=5)) == []
    assert verdicts(clean) == [(True, [])]


def test_an_unusual_hour_warns_and_lets_the_watch_go_on(clean: Settings) -> None:
    weeks_before(clean, 4)
    arrive(clean, HOUR, 30)
    assert app.judge_hour(clean, NOW) == []
    assert verdicts(clean) == [(False, ["raw-08"])]


def test_a_silent_hour_fails_the_watch_until_the_hour_is_over(clean: Settings) -> None:
    weeks_before(clean, 8)
    (sentence,) = app.judge_hour(clean, NOW)
    assert "the hour from 09:00 on 2026-03-02 (SILENT_HOUR)" in sentence
    assert app.judge_hour(clean, NOW + dt.timedelta(minutes=5)) == [sentence]
    assert verdicts(clean) == [(False, ["raw-08", "raw-08-silent"])]
    assert app.judge_hour(clean, NOW + dt.timedelta(hours=1)) == [], "ten o'clock has no weeks"


def test_a_new_installation_has_no_verdict(clean: Settings) -> None:
    weeks_before(clean, 3)
    assert app.judge_hour(clean, NOW) == []
    assert verdicts(clean) == []


def test_a_replay_of_history_is_neither_a_flood_nor_a_reference(clean: Settings) -> None:
    old = dt.timedelta(hours=25)
    for week in range(1, 5):
        arrive(clean, HOUR - dt.timedelta(weeks=week), 900, age=old)
    assert app.judge_hour(clean, NOW) == []
    assert verdicts(clean) == []
    weeks_before(clean, 4)
    arrive(clean, HOUR, 10)
    arrive(clean, HOUR, 900, age=old)
    assert app.judge_hour(clean, NOW) == []
    assert verdicts(clean) == [(True, [])]
