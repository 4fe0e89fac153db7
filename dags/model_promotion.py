"""The second pair of eyes over models: one run asks one person whether a model moves on.

* **question**: who proposes what and why, the artefact's hash, the validation in short and a link to the
  report;
* **decide**: Approve, Reject or Later in the Airflow UI (*Required Actions*). Nobody answers: Later;
* **carry_out**: does it, in one transaction. Who made the model or the proposal is refused, and so is an
  artefact that is not the one that was proposed; then the proposal waits and is asked for again the next
  day, or at once when `decide` is cleared.

A model that becomes champion retires the one before. `lifecycle models approve` does the same.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import dag, task

ANSWERS = {"Approve": "APPROVE", "Reject": "REJECT"}
LATER = "Later"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    # A question keeps its run open: many may wait at the same time.
    max_active_runs=500,
    dagrun_timeout=dt.timedelta(hours=24),
    params={"request_id": 0},
    default_args={
        "owner": "operations",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=5),
    },
    tags=["lifecycle", "models"],
    doc_md=__doc__,
)
def model_promotion() -> None:
    """question >> decide >> carry_out"""

    @task(doc_md="The proposal in words, with the validation in short.")
    def question(params: dict[str, Any]) -> dict[str, str]:
        from airflow.sdk.exceptions import AirflowFailException

        from lifecycle import app, settings
        from lifecycle.errors import LifecycleError

        try:
            return app.model_question(settings.load(), int(params["request_id"]))
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

    @task(doc_md="What was decided is done, in one transaction.")
    def carry_out(answer: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        from lifecycle import app, settings
        from lifecycle.errors import LifecycleError

        chosen, person = answer["chosen_options"][0], answer.get("responded_by_user")
        if chosen == LATER or not person:
            raise AirflowSkipException("Nobody decided: the model stays what it is.")
        try:
            return app.decide_model(
                settings.load(), int(params["request_id"]), ANSWERS[chosen], checker=person["id"]
            )
        except LifecycleError as error:
            raise AirflowFailException(str(error)) from None

    asked >> decide
    carry_out(decide.output)


model_promotion()
