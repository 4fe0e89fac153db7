"""The DAG files: they parse, cheaply, follow the conventions and draw the whole path."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from lifecycle.assets import ASSETS, TOPICS
from lifecycle.events import SOURCE_TOPICS
from lifecycle.settings import ROOT
from lifecycle.steps import STEPS

FILES = sorted((ROOT / "dags").glob("*.py"))
QUESTIONS = ("quarantine_review", "model_promotion", "score_override")
HEAVY = (
    "adbc_driver_manager",
    "apprise",
    "consumers",
    "deltalake",
    "duckdb",
    "expectations",
    "great_expectations",
    "ibis",
    "kafka",
    "lifecycle.adapters",
    "lifecycle.app",
    "msgspec",
    "numpy",
    "pandas",
    "psycopg",
    "pyarrow",
    "requests",
    "yaml",
)
"""What a DAG file must not bring in when it is parsed, which happens every half minute."""

PARSE = """
import json, sys
from airflow.sdk import (Asset, AssetOrTimeSchedule, CronPartitionTimetable, CronTriggerTimetable,
                         ExceptionRetryPolicy, Param, PokeReturnValue, dag, task)
task.sensor
before = set(sys.modules)
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"__name__": "parsed"})
print("NEW " + json.dumps(sorted(set(sys.modules) - before)))
"""


def test_every_file_parses_and_holds_one_dag(bag: Any) -> None:
    assert bag.import_errors == {}
    assert sorted(bag.dags) == [path.stem for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parsing_imports_nothing_heavy(path: Any) -> None:
    """Counted in modules, not in seconds: a slow machine must not fail it, a new import must."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("NEW ")]
    new = json.loads(line.removeprefix("NEW "))
    heavy = [name for name in new if any(name == h or name.startswith(f"{h}.") for h in HEAVY)]
    assert heavy == []
    assert len([name for name in new if not name.startswith("airflow")]) <= 60, new


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_conventions(name: str, bag: Any) -> None:
    dag = bag.dags[name]
    assert len(dag.doc_md) > 200
    assert "lifecycle" in dag.tags
    assert len(dag.tags) > 1
    assert dag.owner in ("operations", "data-engineering")
    assert dag.catchup is False
    # A question to a person keeps its run open; everything else runs alone.
    assert dag.max_active_runs == (500 if name in QUESTIONS else 1)
    assert dag.dagrun_timeout is not None
    if name == "nightly":
        # With a start date a new installation would at once run the night before it existed.
        assert dag.start_date is None
    else:
        assert dag.start_date.tzinfo is not None
    for task in dag.tasks:
        assert task.execution_timeout is not None, task.task_id
        assert task.doc_md, task.task_id
        assert task.owner == dag.owner


def test_the_night_runs_its_steps_one_after_the_other(bag: Any) -> None:
    dag = bag.dags["nightly"]
    order = ["day_complete", *STEPS]
    assert [task.task_id for task in dag.topological_sort()] == order
    for before, after in itertools.pairwise(order):
        assert dag.get_task(after).upstream_task_ids == {before}
        assert dag.get_task(after).trigger_rule == "all_success"


def test_only_what_another_attempt_can_mend_is_tried_again(bag: Any) -> None:
    from airflow.sdk.definitions.retry_policy import RetryAction

    from lifecycle.errors import GateFailed, NotRunning

    for task in bag.dags["nightly"].tasks:
        assert task.retries == 3

        def answer(error: Exception, policy: Any = task.retry_policy) -> RetryAction:
            return policy.evaluate(error, 1, 3).action

        assert answer(NotRunning("down")) == RetryAction.RETRY
        assert answer(GateFailed("bad data")) == RetryAction.FAIL
        assert answer(KeyError("a bug")) == RetryAction.FAIL
    for name in ("alert_dispatch", "ingest_watch"):
        assert {task.retries for task in bag.dags[name].tasks} == {0}


def _core_timetable(bag: Any, name: str) -> Any:
    """The timetable as the scheduler sees it: after a trip through the database."""
    from airflow.serialization.serialized_objects import DagSerialization

    stored = json.loads(json.dumps(DagSerialization.to_dict(bag.dags[name])))
    return DagSerialization.from_dict(stored).timetable


def test_the_partition_of_a_night_is_the_day_that_ended(bag: Any) -> None:
    from airflow.timetables.base import TimeRestriction

    timetable = _core_timetable(bag, "nightly")
    info = timetable.next_dagrun_info_v2(
        last_dagrun_info=None, restriction=TimeRestriction(None, None, catchup=False)
    )
    local = info.run_after.in_timezone("Asia/Shanghai")
    assert (local.hour, local.minute) == (0, 0)
    assert info.partition_key == (local.date() - dt.timedelta(days=1)).isoformat()
    assert info.run_after > dt.datetime.now(dt.UTC), "nothing is run for days before the start"


def test_a_backfill_takes_both_its_dates(bag: Any) -> None:
    timetable = _core_timetable(bag, "nightly")
    first, last = (dt.datetime(1994, 3, day, tzinfo=dt.UTC) for day in (28, 30))
    infos = timetable.iter_partition_dagrun_infos(earliest=first, latest=last)
    assert [info.partition_key for info in infos] == ["1994-03-28", "1994-03-29", "1994-03-30"]


@pytest.mark.parametrize(
    ("chosen", "key", "run_after", "expected"),
    [
        ("1994-03-30", None, "2026-03-02T03:00+00:00", "1994-03-30"),
        (None, "1994-03-29", "2026-03-02T03:00+00:00", "1994-03-29"),
        ("1994-03-30", "1994-03-29", "2026-03-02T03:00+00:00", "1994-03-30"),
        (None, None, "2026-03-02T03:00+00:00", "2026-03-01"),
        (None, None, "2026-03-02T17:00+00:00", "2026-03-02"),
    ],
    ids=[
        "asked for",
        "partition",
        "asked for wins",
        "day before",
        "day before, in the bank's zone",
    ],
)
def test_the_business_date_of_a_run(
    chosen: str | None, key: str | None, run_after: str, expected: str, bag: Any
) -> None:
    module = sys.modules[bag.dags["nightly"].get_task("seal").python_callable.__module__]
    run = SimpleNamespace(partition_key=key, run_after=dt.datetime.fromisoformat(run_after))
    assert module.business_date(chosen, run).isoformat() == expected


def test_alerts_are_dispatched_on_a_hint_and_by_a_sweep(bag: Any) -> None:
    timetable = bag.dags["alert_dispatch"].timetable
    assert [asset.name for asset in timetable.asset_condition.objects] == ["alert"]
    assert timetable.timetable.expression == "*/5 * * * *"


def test_topics_of_the_graph_are_the_topics_there_are() -> None:
    assert set(TOPICS) == set(SOURCE_TOPICS)


def test_the_asset_graph_leads_from_every_topic_to_the_alert(bag: Any) -> None:
    makes: dict[str, set[str]] = {}
    for dag in bag.dags.values():
        for task in dag.tasks:
            for read in task.inlets:
                makes.setdefault(read.name, set()).update(made.name for made in task.outlets)
    for topic in TOPICS:
        seen, todo = set(), [topic]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += makes.get(name, set())
        assert seen == {topic} | (set(ASSETS) - set(TOPICS))


def test_an_asset_is_the_same_in_every_dag(bag: Any) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            for asset in (*task.inlets, *task.outlets):
                assert {"name": asset.name, "uri": asset.uri, "group": asset.group} == ASSETS[
                    asset.name
                ]
