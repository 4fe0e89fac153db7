"""Keep profiles alive between two nights.

Every five minutes, and whenever facts were seen to arrive,

* a consent that was **withdrawn** takes its values away from what is served (gate: none; a read of a
  profile looks at the consents itself, so nobody sees them from the moment the fact is in);
* clients whose facts **changed** get their attributes anew, through gate "profile", up to
  `refresh_clients_max` of `rules/profile.yaml`; the rest is left for the night, which builds everybody.

It is skipped when nothing changed, and while a step of a night runs, whose rows will be newer. A gate
that blocks fails it with the reason; what was served before stays served. By hand:
`lifecycle refresh`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from lifecycle.assets import ASSETS

EVENT_LOG = Asset(**ASSETS["event_log"])
CLIENT_PROFILE = Asset(**ASSETS["client_profile"])


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("4-59/5 * * * *", timezone="UTC"), assets=[EVENT_LOG]
    ),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(minutes=15),
    # The next look is the retry.
    default_args={
        "owner": "data-engineering",
        "retries": 0,
        "execution_timeout": dt.timedelta(minutes=10),
    },
    tags=["lifecycle", "profile"],
    doc_md=__doc__,
)
def profile_refresh() -> None:
    """refresh"""

    @task(
        inlets=[EVENT_LOG],
        outlets=[CLIENT_PROFILE],
        doc_md="Take away what is no longer allowed; build changed clients anew.",
    )
    def refresh() -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        from lifecycle import app, settings
        from lifecycle.errors import GateFailed

        try:
            done = app.refresh_profiles(settings.load())
        except GateFailed as failed:
            raise AirflowFailException(str(failed)) from None
        if done is None:
            raise AirflowSkipException("A night runs: what it publishes will be newer.")
        if not done.clients:
            raise AirflowSkipException("No client's facts changed.")
        return done._asdict()

    refresh()


profile_refresh()
