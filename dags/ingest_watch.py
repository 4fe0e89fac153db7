"""Watch the stream: fail, visibly, when records do not become facts.

The consumers run outside Airflow. This DAG looks at their lag and books every five minutes, and
tells the asset graph that the Kafka topics became the event log.
"""

from __future__ import annotations

import datetime as dt

import pendulum
from airflow.sdk import Asset, CronTriggerTimetable, dag, task

TOPICS = [
    Asset(name=topic, uri=f"kafka://bank/{topic}")
    for topic in (
        "bank.client.v1",
        "bank.consent.v1",
        "bank.account.v1",
        "bank.credit.v1",
        "bank.interaction.v1",
        "bank.product.v1",
    )
]
EVENT_LOG = Asset(name="event_log", uri="postgres://bank/bank/public/event_log")


@dag(
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=5),
    default_args={"owner": "operations", "retries": 0},
    tags=["lifecycle", "stream"],
    doc_md=__doc__,
)
def ingest_watch() -> None:
    """watch"""

    @task(inlets=TOPICS, outlets=[EVENT_LOG], execution_timeout=dt.timedelta(minutes=3))
    def watch() -> dict:
        from lifecycle import app, settings

        numbers = app.operations(settings.load())
        books = numbers["reconciliation"]
        if not books["balanced"]:
            raise RuntimeError(f"The books do not balance: {books}. Every record must be accounted for.")
        return {"lag": sum(sum(p.values()) for p in numbers["lag"].values()), "in": books["in"]}

    watch()


ingest_watch()
