"""Bring alerts to the people who own them.

Each alert goes once to each channel of its owner (`rules/operations/owners.yaml`): a mail, a line
in a file, any Apprise URL. What compliance owns never goes to a relationship manager.

The asset event is only the hint to look now. The sweep every five minutes finds what a lost hint
left behind, and tries again, with growing pauses, what a channel did not take. A message that was
sent by a worker that died before it could write so down is sent again with the same key.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from lifecycle.assets import ASSETS

ALERT = Asset(**ASSETS["alert"])


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/5 * * * *", timezone="UTC"), assets=[ALERT]
    ),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=30),
    # The next sweep is the retry.
    default_args={
        "owner": "operations",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=20),
    },
    tags=["lifecycle", "alerts"],
    doc_md=__doc__,
)
def alert_dispatch() -> None:
    """dispatch"""

    @task(inlets=[ALERT], doc_md="One sweep over what is undelivered and due.")
    def dispatch() -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException

        from lifecycle import app, settings

        done = app.dispatch(settings.load())
        wrong = [f"{channel} failed ({error})" for channel, error in done.errors.items()]
        wrong += [f"nobody is reached for owner {owner}" for owner in done.unrouted]
        if wrong:
            raise AirflowFailException(
                f"{done.delivered} messages were delivered and {done.failed + done.left} wait for "
                f"a later sweep: {'; '.join(wrong)}."
            )
        return {"delivered": done.delivered}

    dispatch()


alert_dispatch()
