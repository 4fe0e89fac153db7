"""Bring alerts to the people who own them.

An asset event is only the hint to look now; the sweep every five minutes finds what a lost hint
left behind. Detection never waits for this DAG, and no alert is carried by it: it reads the alert
table and the delivery rows.
"""

from __future__ import annotations

import datetime as dt

import pendulum
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task

ALERT = Asset(name="alert", uri="postgres://bank/bank/public/alert")


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/5 * * * *", timezone="UTC"), assets=[ALERT]
    ),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=30),
    default_args={"owner": "operations", "retries": 2, "retry_delay": dt.timedelta(seconds=30)},
    tags=["lifecycle", "alerts"],
    doc_md=__doc__,
)
def alert_dispatch() -> None:
    """dispatch"""

    @task(inlets=[ALERT], execution_timeout=dt.timedelta(minutes=20))
    def dispatch() -> dict:
        from lifecycle import app, settings

        done = app.dispatch(settings.load())
        if done.failed and not done.delivered:
            raise RuntimeError(f"No channel took a message; {done.failed} deliveries wait for a retry.")
        return {"delivered": done.delivered, "failed": done.failed}

    dispatch()


alert_dispatch()
