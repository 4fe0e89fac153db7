"""Watch the stream, and fail where everyone sees it when records do not become facts.

The consumers run outside Airflow and need nothing of it. Every five minutes this DAG

* **watch**: looks at lag, books and outbox, and fails with what is wrong when the stream is stuck,
  the books do not balance or the numbers cannot be read (thresholds: `rules/operations/thresholds.yaml`),
  or when an hour of business brought nothing where the weeks before did (gate "raw_hour", once an hour);
* **raised**: when alerts wait that nobody was told of, gives the hint that starts `alert_dispatch`
  at once; it is skipped when there are none.

What to do when it fails: `docs/operations.md`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.sdk import Asset, CronTriggerTimetable, dag, task

from lifecycle.assets import ASSETS, TOPICS

EVENT_LOG = Asset(**ASSETS["event_log"])
ALERT = Asset(**ASSETS["alert"])


@dag(
    # Between the sweeps of alert_dispatch, so that the hint halves what an alert waits for.
    schedule=CronTriggerTimetable("2-59/5 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=5),
    # The next look is five minutes away: a retry would only hide the first failure.
    default_args={
        "owner": "operations",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=3),
    },
    tags=["lifecycle", "stream"],
    doc_md=__doc__,
)
def ingest_watch() -> None:
    """watch >> raised"""

    @task(
        inlets=[Asset(**ASSETS[topic]) for topic in TOPICS],
        outlets=[EVENT_LOG],
        doc_md="Lag, books and outbox of the stream, and the facts of the last whole hour.",
    )
    def watch() -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException

        from lifecycle import app, settings
        from lifecycle.operations import trouble

        configured = settings.load()
        shown = app.operations(configured)
        wrong = trouble(shown) or app.judge_hour(configured, dt.datetime.now(dt.UTC))
        if wrong:
            raise AirflowFailException(" ".join(wrong))
        return {"lag": shown["lag_total"], "in": shown["reconciliation"]["in"]}

    @task(inlets=[EVENT_LOG], outlets=[ALERT], doc_md="The hint that alerts wait for delivery.")
    def raised() -> int:
        from airflow.sdk.exceptions import AirflowSkipException

        from lifecycle import app, settings

        waiting = app.waiting_alerts(settings.load())
        if not waiting:
            raise AirflowSkipException("Every alert was brought to its owner.")
        return waiting

    watch() >> raised()


ingest_watch()
