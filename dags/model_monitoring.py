"""Watch the champion, every morning after the night.

* **watch**: drift of the score and of each feature (PSI, CSI), the mean PD against the defaults of the
  last twelve months, and how often people decided against the score, on the newest night. The reading is
  kept (`lifecycle models show`); what turned red is alert NT-18 for the model's owner.

It is skipped while no model scores. Repeating it changes nothing twice. By hand:
`lifecycle models monitor --date DATE`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from lifecycle.settings import bank_zone


@dag(
    # By then the night is published, or operations knows of it.
    schedule=CronTriggerTimetable("0 7 * * *", timezone=str(bank_zone())),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(hours=3),
    default_args={
        "owner": "data-engineering",
        "retries": 1,
        "execution_timeout": dt.timedelta(hours=1),
    },
    tags=["lifecycle", "models"],
    doc_md=__doc__,
)
def model_monitoring() -> None:
    """watch"""

    @task(doc_md="Measure the champion on the newest night; raise NT-18 for what turned red.")
    def watch() -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        from lifecycle import app, settings
        from lifecycle.errors import AnswerIsNo, NotRunning, UsageError

        try:
            watched = app.watch_champion(settings.load(), None)
        except AnswerIsNo as error:
            raise AirflowSkipException(str(error)) from None
        except NotRunning:
            raise
        except UsageError as error:
            raise AirflowFailException(str(error)) from None
        if watched is None:
            raise AirflowSkipException("There is no credit champion, or nobody it was made for.")
        return {
            "model_version": watched.reading.model_version,
            "business_date": watched.reading.business_date.isoformat(),
            "psi": watched.reading.psi,
            "light": watched.light,
            "raised": watched.raised is not None,
        }

    watch()


model_monitoring()
