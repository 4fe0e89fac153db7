"""The nightly path: seal the day, rebuild it through every gate, publish it, prove it.

One run per business date; the run's partition key is that date. The run of 00:00 (bank's zone) is
for the day that just ended: it waits until 02:00 and until the consumers have caught up, so that
late facts are in. A gate that blocks fails its task with the reason: what follows does not run,
what was served before stays served and is marked stale, and operations is told. A day on which no
fact arrived is skipped.

* Run a date by hand: *Trigger* with the parameter `business_date`, or
  `airflow dags trigger nightly --conf '{"business_date": "1994-03-30"}'`.
* Run many: `airflow backfill create --dag-id nightly --from-date D1 --to-date D2`, both included.
* Run a step again: clear it and what follows; a repeat changes nothing twice.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    Param,
    PokeReturnValue,
    RetryAction,
    RetryRule,
    dag,
    task,
)

from lifecycle.assets import ASSETS
from lifecycle.errors import LifecycleError, NotRunning
from lifecycle.settings import bank_zone
from lifecycle.steps import STEPS

ZONE = bank_zone()
LATE_FACTS = dt.timedelta(hours=2)
"""How long after midnight a day's facts may still come in before its night starts."""
WAIT_AT_MOST = dt.timedelta(hours=4)
"""Past this the night is late: it fails, and a person looks."""

READS_AND_MAKES = {
    "seal": (("event_log",), ("lake",)),
    "profiles": (("lake",), ("client_profile",)),
    "scores": (("lake", "client_profile"), ("risk_score",)),
    "publish": (("risk_score",), ("alert",)),
}
"""Step -> assets it reads and makes."""

RETRIES = {
    "retries": 3,
    "retry_delay": dt.timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": dt.timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy([
        RetryRule(NotRunning, RetryAction.RETRY, reason="a part of the platform is down"),
        RetryRule(Exception, RetryAction.FAIL, reason="it would fail again"),
    ]),
}
"""Only what another attempt can mend is tried again: a part that is down, or a killed worker."""


def tell_operations(context: dict[str, Any]) -> None:
    """A night that failed is an event for people: say it on the channels of operations."""
    from lifecycle import app, settings

    config = settings.load()
    run = context["dag_run"]
    date = business_date((run.conf or {}).get("business_date"), run)
    night = app.operations(config)["nightly"]
    known = night is not None and night["business_date"] == date
    reason = night["reason"] if known else None
    app.tell_operations(
        config,
        f"[P1] nightly {date}",
        f"夜间批处理未完成,对外仍提供上一版数据。\n"
        f"The night of {date} did not come to its end; what was served before stays served.\n\n"
        f"{reason or context.get('reason') or 'The log of the failed task says why.'}\n\n"
        f"Airflow: DAG nightly, run {run.run_id}",
        f"nightly/{run.run_id}",
    )


@dag(
    # At midnight for the day before. Not at two: a backfill takes the ticks between the midnights
    # of its two dates, so a tick at two would leave out the last date.
    schedule=CronPartitionTimetable(
        "0 0 * * *",
        timezone=str(ZONE),
        run_offset=-1,
        key_format="%Y-%m-%d",
        # False would still run the tick that is less than a tenth of a day old: a new installation
        # shortly after midnight would wait for a night before it existed, and run none by hand.
        run_immediately=dt.timedelta(0),
    ),
    # No start date: with one, a new installation would at once run the night before it existed.
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=WAIT_AT_MOST + dt.timedelta(hours=4),
    default_args={"owner": "data-engineering", "execution_timeout": dt.timedelta(hours=2)}
    | RETRIES,
    on_failure_callback=tell_operations,
    tags=["lifecycle", "nightly"],
    params={
        "business_date": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Business date",
            description="For a run by hand: the date to run. Empty: the day before today.",
        )
    },
    doc_md=__doc__ + "\n" + "\n".join(f"* **{name}**: {text}" for name, text in STEPS.items()),
)
def nightly() -> None:
    """day_complete >> seal >> staged >> profiles >> scores >> alerts >> publish >> prove"""
    before = day_complete()
    for name, text in STEPS.items():
        step = _step(name, text)
        before >> step
        before = step


@task.sensor(
    mode="reschedule",
    poke_interval=15,
    timeout=WAIT_AT_MOST.total_seconds(),
    doc_md="Waits until the day's facts are in (two hours after midnight, and no lag to speak of), "
    "and in a backfill until earlier dates are done.",
)
def day_complete(params=None, dag_run=None) -> PokeReturnValue:
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    from lifecycle import app, settings

    config = settings.load()
    date = business_date(params["business_date"], dag_run)
    waiting = None
    if dag_run.run_type == "scheduled":
        start = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), ZONE) + LATE_FACTS
        late = app.waiting_for_facts(config)
        waiting = late or (f"It starts at {start}." if dt.datetime.now(dt.UTC) < start else None)
    if waiting is None and not app.has_facts(config, date):
        reason = f"No fact of {date} has arrived: there is nothing to seal."
        raise (AirflowFailException if dag_run.run_type == "manual" else AirflowSkipException)(
            reason
        )
    if dag_run.run_type == "backfill" and not app.take_turn(config, date):
        waiting = "Earlier dates of the backfill come first."
    if waiting:
        print(waiting)
    return PokeReturnValue(is_done=waiting is None, xcom_value=date.isoformat())


def _step(name: str, text: str):
    reads, makes = (
        [Asset(**ASSETS[a]) for a in side] for side in READS_AND_MAKES.get(name, ((), ()))
    )

    @task(task_id=name, inlets=reads, outlets=makes, doc_md=text)
    def run(params=None, dag_run=None) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException

        from lifecycle import app, settings

        date = business_date(params["business_date"], dag_run)
        try:
            done = app.nightly_step(settings.load(), name, date)
        except NotRunning:
            raise
        except LifecycleError as error:
            # A gate that blocks, or a mistake: the sentence is enough, the stack says nothing more.
            raise AirflowFailException(str(error)) from None
        if done.gate == "different":
            raise AirflowFailException(
                f"The night of {date} is published, but the stream's state differs from the log: "
                "this is an incident, and `lifecycle prove` says where."
            )
        return {"name": done.name, "rows": done.rows, "seconds": done.seconds, "gate": done.gate}

    return run()


def business_date(chosen: str | None, dag_run: Any) -> dt.date:
    """The date asked for, else the run's partition, else the day before the run (bank's zone)."""
    if chosen or dag_run.partition_key:
        return dt.date.fromisoformat(chosen or dag_run.partition_key)
    return dag_run.run_after.astimezone(ZONE).date() - dt.timedelta(days=1)


nightly()
