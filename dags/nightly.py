"""The nightly path as a DAG: one task per step, one run per business date."""

from __future__ import annotations

import datetime as dt

from airflow.sdk import Asset, CronPartitionTimetable, Param, dag, task

from lifecycle.steps import STEPS

ZONE = "Asia/Shanghai"
EVENT_LOG = Asset(name="event_log", uri="postgres://bank/bank/public/event_log")
LAKE = Asset(name="lake", uri="file://lake/events")
PRODUCTS = {
    "seal": ([EVENT_LOG], [LAKE]),
    "profiles": ([LAKE], [Asset(name="client_profile", uri="postgres://bank/bank/public/client_profile")]),
    "scores": ([LAKE], [Asset(name="risk_score", uri="postgres://bank/bank/public/risk_score")]),
    "publish": (
        [Asset(name="risk_score", uri="postgres://bank/bank/public/risk_score")],
        [Asset(name="alert", uri="postgres://bank/bank/public/alert")],
    ),
}
"""Step -> what it reads and what it makes, for the asset graph."""


DOC = f"""{__doc__}

The partition key of a run is its business date: the run of 02:00 works on yesterday. A gate that
fails stops the run; what was served before stays served and is marked stale.

* Another date: trigger with the parameter `business_date`.
* Backfill: `airflow backfill create --dag-id nightly --from-date D --to-date D`.

""" + "\n".join(f"* **{name}**: {text}" for name, text in STEPS.items())


@dag(
    # At two in the morning, for the day before: the partition key is the business date.
    schedule=CronPartitionTimetable(
        "0 2 * * *", timezone=ZONE, run_offset=-1, key_format="%Y-%m-%d"
    ),
    # No start date: with one, a new installation would at once run a night without facts.
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(hours=4),
    default_args={"owner": "data-engineering", "retries": 1, "retry_delay": dt.timedelta(minutes=1)},
    tags=["lifecycle", "nightly"],
    params={
        "business_date": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Run this business date instead of the partition's (manual runs).",
        )
    },
    doc_md=DOC,
)
def nightly() -> None:
    """seal >> staged >> profiles >> scores >> alerts >> publish >> prove"""
    before = None
    for name, text in STEPS.items():
        step = _step(name, text)
        if before is not None:
            before >> step
        before = step


def _step(name: str, text: str):  # noqa: ANN202 - an Airflow operator, known at run time only
    reads, makes = PRODUCTS.get(name, ([], []))

    @task(task_id=name, inlets=reads, outlets=makes, doc_md=text, execution_timeout=dt.timedelta(hours=1))
    def run(params=None, dag_run=None) -> dict:  # noqa: ANN001 - filled in by Airflow
        from airflow.sdk.exceptions import AirflowFailException

        from lifecycle import app, settings
        from lifecycle.errors import LifecycleError

        try:
            done = app.nightly_step(
                settings.load(), name, business_date(params["business_date"], dag_run.partition_key)
            )
        except LifecycleError as error:
            # The answer will be the same in a minute: say it once, do not retry.
            raise AirflowFailException(str(error)) from error
        if done.gate == "different":
            raise AirflowFailException("The stream's state differs from the log: run `lifecycle prove`.")
        return {"name": done.name, "rows": done.rows, "seconds": done.seconds, "gate": done.gate}

    return run()


def business_date(chosen: str | None, partition_key: str | None) -> dt.date:
    """The date asked for, else the run's partition."""
    if not (chosen or partition_key):
        raise ValueError("Give business_date in the run's parameters: this run has no partition.")
    return dt.date.fromisoformat(chosen or partition_key)


nightly()
