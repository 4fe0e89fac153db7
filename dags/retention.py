"""Forget what is only needed for a while, once a day (days: `rules/operations/retention.yaml`).

* **purge**: identities of the inbox that are older than `inbox_days`, and messages of the outbox
  that were published and are older than `outbox_days`; makes the outbox's partitions of the next days.

Facts, states, alerts and decisions stay. A fact older than what the inbox holds is looked up in the
event log when it comes again, so it is still known as a duplicate or a correction: docs/recovery.md.
It may be stopped at any moment and repeated; `lifecycle purge` does the same.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    # Nobody's night: the bank's own ends hours before, and consumers have little to do.
    schedule=CronTriggerTimetable("30 20 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(hours=2),
    default_args={
        "owner": "operations",
        "retries": 1,
        "execution_timeout": dt.timedelta(hours=1),
    },
    tags=["lifecycle", "retention"],
    doc_md=__doc__,
)
def retention() -> None:
    """purge"""

    @task(doc_md="Old identities and published messages.")
    def purge() -> dict[str, Any]:
        import msgspec

        from lifecycle import app, settings

        done = app.purge(settings.load(), dry_run=False, progress=print)
        return dict(msgspec.to_builtins(done))

    purge()


retention()
