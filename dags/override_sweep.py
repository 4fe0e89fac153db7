"""Bring overrides of scores before a second person, every fifteen minutes.

* **waiting**: overrides that nobody has decided yet (`lifecycle overrides list`);
* **ask**: one run of `score_override` per override and day. Who lets the question pass is asked again
  the next day; until somebody answers, the band of the score counts.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("11-59/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=10),
    default_args={
        "owner": "operations",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=5),
    },
    tags=["lifecycle", "scores"],
    doc_md=__doc__,
)
def override_sweep() -> None:
    """waiting >> ask"""

    @task(doc_md="Overrides without an answer, as configurations of score_override.")
    def waiting() -> list[dict[str, Any]]:
        from lifecycle import app, settings

        today = dt.datetime.now(dt.UTC).date().isoformat()
        with app.overrides(settings.load()) as store:
            return [
                {
                    "trigger_run_id": f"override-{row['override_id']}-{today}",
                    "conf": {"override_id": row["override_id"]},
                }
                for row in store.list("WAITING")
            ]

    TriggerDagRunOperator.partial(
        task_id="ask",
        trigger_dag_id="score_override",
        skip_when_already_exists=True,
        doc_md="One question per override and day.",
    ).expand_kwargs(waiting())


override_sweep()
