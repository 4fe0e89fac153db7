"""Bring proposals about models before a second person, every fifteen minutes.

* **waiting**: proposals that nobody has decided yet (`lifecycle models requests`);
* **ask**: one run of `model_promotion` per proposal and day. Who lets the question pass is asked again
  the next day; until somebody answers, the model stays what it is.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("7-59/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=10),
    default_args={
        "owner": "operations",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=5),
    },
    tags=["lifecycle", "models"],
    doc_md=__doc__,
)
def model_sweep() -> None:
    """waiting >> ask"""

    @task(doc_md="Proposals without an answer, as configurations of model_promotion.")
    def waiting() -> list[dict[str, Any]]:
        from lifecycle import app, settings

        today = dt.datetime.now(dt.UTC).date().isoformat()
        with app.models(settings.load()) as registry:
            return [
                {
                    "trigger_run_id": f"request-{request.request_id}-{today}",
                    "conf": {"request_id": request.request_id},
                }
                for request in registry.requests("WAITING")
            ]

    TriggerDagRunOperator.partial(
        task_id="ask",
        trigger_dag_id="model_promotion",
        skip_when_already_exists=True,
        doc_md="One question per proposal and day.",
    ).expand_kwargs(waiting())


model_sweep()
