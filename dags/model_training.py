"""A credit scorecard from the bank's own history, every month or by hand.

* **table**: every client with live credit at month-ends, its features before and whether it defaulted
  within a year after; kept in the lake, whose version the model names;
* **train**: a scorecard and a gradient-boosting challenger, judged out of time beside today's champion,
  with a validation report;
* **register**: into the registry as DEVELOPMENT. Nothing scores with it: `lifecycle models propose` asks
  a second person, and `model_promotion` decides.

Too few defaults, no history of a year, or data that give the model there is already: the run is skipped
and says why. By hand: `lifecycle models train`, then `lifecycle models register`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pendulum
from airflow.sdk import CronTriggerTimetable, Param, dag, task

from lifecycle.settings import bank_zone


def _date(title: str, description: str) -> Param:
    return Param(None, type=["null", "string"], format="date", title=title, description=description)


@dag(
    # When the night of the month's end was looked at, and in the day, when no night is at work.
    schedule=CronTriggerTimetable("0 9 5 * *", timezone=str(bank_zone())),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(hours=12),
    # The same table gives the same model: another attempt would fail again.
    default_args={
        "owner": "data-engineering",
        "retries": 0,
        "execution_timeout": dt.timedelta(hours=4),
    },
    params={
        "from": _date(
            "From", "The first day whose end of month may count. Empty: as the rules say."
        ),
        "to": _date("To", "The last one. Empty: the latest whose outcome is known."),
        "test_from": _date(
            "Test from", "Month-ends from this day on test. Empty: as many as the rules say."
        ),
    },
    tags=["lifecycle", "models"],
    doc_md=__doc__,
)
def model_training() -> None:
    """table >> train >> register"""

    @task(doc_md="Label and describe clients at month-ends; keep the rows in the lake.")
    def table(params: dict[str, Any]) -> dict[str, Any]:
        from lifecycle import app, settings

        with _answered():
            made = app.training_table(settings.load(), _day(params["from"]), _day(params["to"]))
        return {"as_of": made.as_of.isoformat(), "version": made.version} | made.outcomes

    @task(doc_md="Fit scorecard and challenger, judge both and the champion out of time.")
    def train(made: dict[str, Any], params: dict[str, Any]) -> str:
        from lifecycle import app, settings

        config = settings.load()
        folder = config.home / "models" / f"credit-{made['as_of']}-{made['version']}"
        with _answered():
            judged = app.train_model(
                config,
                folder,
                as_of=dt.date.fromisoformat(made["as_of"]),
                version=made["version"],
                test_from=_day(params["test_from"]),
                note=print,
            )
        print(judged.champion.model_version, judged.champion.metrics, judged.validation)
        return str(folder)

    @task(doc_md="Into the registry as DEVELOPMENT; the owner is who asked for the run.")
    def register(folder: str, dag_run: Any = None) -> str:
        from pathlib import Path

        from lifecycle import app, settings
        from lifecycle.commands.console import log_in_name

        owner = dag_run.triggering_user_name or log_in_name()
        with _answered():
            made = app.register_model(settings.load(), Path(folder), owner=owner)
        return made.model_version

    register(train(table()))


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


@contextmanager
def _answered() -> Iterator[None]:
    """An answer that is no skips the task, a mistake fails it: the sentence is enough for either."""
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    from lifecycle.errors import AnswerIsNo, LifecycleError

    try:
        yield
    except AnswerIsNo as no:
        raise AirflowSkipException(str(no)) from None
    except LifecycleError as error:
        raise AirflowFailException(str(error)) from None


model_training()
