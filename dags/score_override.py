"""The second pair of eyes on a score: one run asks one person whether another band shall count.

* **question**: which score, its band, the one that is asked for, by whom, why and until when;
* **decide**: Approve, Reject or Later in the Airflow UI (*Required Actions*). Nobody answers: Later;
* **carry_out**: writes the answer down; what is approved counts at once. The person who asked is
  refused; the override then waits, and is asked for again the next day, or at once when `decide` is
  cleared.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import dag, task

ANSWERS = {"Approve": "APPROVED", "Reject": "REJECTED"}
LATER = "Later"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    # A question keeps its run open: many may wait at the same time.
    max_active_runs=500,
    dagrun_timeout=dt.timedelta(hours=24),
    params={"override_id": 0},
    default_args={
        "owner": "operations",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=5),
    },
    tags=["lifecycle", "scores"],
    doc_md=__doc__,
)
def score_override() -> None:
    """question >> decide >> carry_out"""

    @task(doc_md="The override in words.")
    def question(params: dict[str, Any]) -> dict[str, str]:
        from airflow.sdk.exceptions import AirflowFailException

        from lifecycle import app, settings
        from lifecycle.errors import LifecycleError

        try:
            return app.override_question(settings.load(), int(params["override_id"]))
        except LifecycleError as error:
            raise AirflowFailException(str(error)) from None

    asked = question()
    decide = HITLOperator(
        task_id="decide",
        subject="{{ ti.xcom_pull(task_ids='question')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='question')['body'] }}",
        options=[*ANSWERS, LATER],
        defaults=[LATER],
        response_timeout=dt.timedelta(hours=20),
        execution_timeout=dt.timedelta(hours=21),
        doc_md="A second person answers; after 20 hours the answer is Later.",
    )

    @task(doc_md="The answer is written down; what is approved counts at once.")
    def carry_out(answer: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        from lifecycle import app, settings
        from lifecycle.errors import LifecycleError

        chosen, person = answer["chosen_options"][0], answer.get("responded_by_user")
        if chosen == LATER or not person:
            raise AirflowSkipException("Nobody decided: the band of the score counts.")
        try:
            return app.decide_override(
                settings.load(), int(params["override_id"]), ANSWERS[chosen], checker=person["id"]
            )
        except LifecycleError as error:
            raise AirflowFailException(str(error)) from None

    asked >> decide
    carry_out(decide.output)


score_override()
