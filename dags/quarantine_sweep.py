"""Keep quarantine and parked facts moving, every five minutes.

* **expire**: facts that waited too long for what they refer to go to quarantine
  (`orphan_hours` in `rules/operations/ingest.yaml`);
* **waiting**: requests to release or discard that no second person has decided yet;
* **ask**: one run of `quarantine_review` per request and day. Who lets the question pass is asked
  again the next day; until somebody answers, the record stays where it is.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("4-59/5 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=10),
    default_args={
        "owner": "operations",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=5),
    },
    tags=["lifecycle", "quarantine"],
    doc_md=__doc__,
)
def quarantine_sweep() -> None:
    """expire; waiting >> ask"""

    @task(doc_md="Facts whose reference never came.")
    def expire() -> int:
        from lifecycle import app, settings

        return app.expire_parked(settings.load())

    @task(doc_md="Requests without an answer, as configurations of quarantine_review.")
    def waiting() -> list[dict[str, Any]]:
        from lifecycle import app, settings

        today = dt.datetime.now(dt.UTC).date().isoformat()
        with app.quarantine(settings.load()) as store:
            return [
                {
                    "trigger_run_id": f"request-{row['request_id']}-{today}",
                    "conf": {"request_id": row["request_id"]},
                }
                for row in store.requests("WAITING")
            ]

    expire()
    TriggerDagRunOperator.partial(
        task_id="ask",
        trigger_dag_id="quarantine_review",
        skip_when_already_exists=True,
        doc_md="One question per request and day.",
    ).expand_kwargs(waiting())


quarantine_sweep()
