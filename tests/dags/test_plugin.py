"""The Operations page's plugin: closed to strangers, light for tasks, cheap for the database."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lifecycle.settings import ROOT

FILE = ROOT / "plugins" / "lifecycle_operations.py"


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lifecycle_operations", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(FILE.parent.glob("*.py")), ids=lambda path: path.stem)
def test_plugin_files_have_names_of_their_own(path: Path) -> None:
    """Airflow registers a plugin file by its bare stem: `kafka.py` would replace kafka-python."""
    assert path.stem.startswith("lifecycle_")


def test_airflow_takes_the_plugin(plugin: ModuleType) -> None:
    (view,) = plugin.LifecycleOperations.external_views
    assert view["name"] == "Operations"
    assert view["destination"] == "nav"
    (app,) = plugin.LifecycleOperations.fastapi_apps
    assert view["href"].startswith(app["url_prefix"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/operations", 401),
        ("/api/operations", 401),
        ("/models/m/report", 401),
        ("/docs", 404),
        ("/openapi.json", 404),
    ],
)
def test_a_stranger_sees_nothing(plugin: ModuleType, path: str, status: int) -> None:
    from fastapi.testclient import TestClient

    assert TestClient(plugin.LazyApp()).get(path).status_code == status


def test_importing_it_imports_no_web_framework() -> None:
    """Every Airflow process imports it, tasks included."""
    code = (
        "import sys, json\nfrom airflow.plugins_manager import AirflowPlugin\n"
        "before = set(sys.modules)\n"
        f"exec(compile(open({str(FILE)!r}).read(), {str(FILE)!r}, 'exec'), "
        f"{{'__name__': 'p', '__file__': {str(FILE)!r}}})\n"
        "print('NEW ' + json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("NEW ")]
    new = json.loads(line.removeprefix("NEW "))
    assert [n for n in new if n.split(".")[0] in ("fastapi", "lifecycle", "psycopg", "kafka")] == []


def test_a_slow_reading_is_shown_for_longer(
    plugin: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 100.0}
    reads = []

    class Slow(plugin.Numbers):  # type: ignore[name-defined, misc]
        @staticmethod
        def _read() -> bytes:
            clock["now"] += 2.0
            reads.append(clock["now"])
            return b"%d" % len(reads)

    monkeypatch.setattr(plugin.time, "monotonic", lambda: clock["now"])
    numbers: Any = Slow()
    assert numbers.body() == b"1"
    clock["now"] += 19.0
    assert numbers.body() == b"1", "two seconds of reading rest for twenty"
    clock["now"] += 1.0
    assert numbers.body() == b"2"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = FILE.with_suffix(".html").read_text(encoding="utf-8")
    for outside in ("http://", "https://", "//cdn", "@import", "src="):
        assert outside not in page
