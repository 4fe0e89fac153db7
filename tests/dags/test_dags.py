"""The DAGs: they parse, keep the conventions, import nothing heavy, and say what they do."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.settings import ROOT
from lifecycle.steps import STEPS

DAGS = ROOT / "dags"
HEAVY = ("great_expectations", "pandas", "ibis", "pyarrow", "psycopg", "kafka", "deltalake")
TAGS = {"lifecycle", "nightly", "alerts", "stream"}


@pytest.fixture(scope="module")
def bag() -> Iterator[Any]:
    """All DAGs, parsed with an Airflow that has a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        before = dict(os.environ)
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        from airflow.dag_processing.dagbag import DagBag

        yield DagBag(str(DAGS))
        os.environ.clear()
        os.environ.update(before)


def test_they_parse(bag: Any) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {"nightly", "alert_dispatch", "ingest_watch"}


def test_conventions(bag: Any) -> None:
    for dag in bag.dags.values():
        assert dag.doc_md
        assert "lifecycle" in dag.tags
        assert dag.tags <= TAGS
        assert not dag.catchup
        assert dag.max_active_runs == 1
        assert dag.dagrun_timeout
        for task in dag.tasks:
            assert task.owner in ("data-engineering", "operations")
            assert task.execution_timeout or dag.dag_id == "nightly"


def test_the_night_runs_the_steps_in_order(bag: Any) -> None:
    dag = bag.dags["nightly"]
    order = [task.task_id for task in dag.topological_sort()]
    assert [name for name in order if name in STEPS] == list(STEPS)
    for before, after in zip(list(STEPS), list(STEPS)[1:], strict=False):
        assert dag.get_task(before).downstream_task_ids == {after}


def test_the_asset_graph_goes_from_topic_to_alert(bag: Any) -> None:
    makes: dict[str, set[str]] = {}
    for dag in bag.dags.values():
        for task in dag.tasks:
            for inlet in task.inlets:
                makes.setdefault(inlet.name, set()).update(o.name for o in task.outlets)
    reached, todo = set(), ["bank.account.v1"]
    while todo:
        name = todo.pop()
        reached.add(name)
        todo += [n for n in makes.get(name, ()) if n not in reached]
    assert {"event_log", "lake", "client_profile", "risk_score", "alert"} <= reached


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda p: p.stem)
def test_nothing_heavy_is_imported_when_a_file_is_parsed(path: Path) -> None:
    code = (
        "import sys, runpy; before = set(sys.modules); import airflow.sdk;"
        f"known = set(sys.modules); runpy.run_path({str(path)!r});"
        f"print(sorted({set(HEAVY)!r} & {{m.split('.')[0] for m in set(sys.modules) - known}}))"
    )
    environment = {**os.environ, "AIRFLOW_HOME": tempfile.gettempdir()}
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert loaded.stdout.strip().splitlines()[-1] == "[]", loaded.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").glob("*.py")), ids=lambda p: p.stem)
def test_plugin_files_have_names_of_their_own(path: Path) -> None:
    """Airflow registers a plugin file by its bare stem: `kafka.py` would replace kafka-python."""
    assert path.stem.startswith("lifecycle_")
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
