"""The platform of the faults, and the table of results."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle import platform, settings
from tests.chaos import report
from tests.chaos.rig import EVENTS, SEED, Rig


@pytest.fixture(scope="package")
def faulty_platform() -> Iterator[Rig]:
    """A broker and a database under the real supervisor; the faults are free to break both."""
    home = Path(tempfile.mkdtemp(prefix="lifecycle-faults-"))
    try:
        platform.up(home, {"topics"})
        rig = Rig(settings.load({"LIFECYCLE_HOME": str(home)}))
        yield rig
        rig.close()
    finally:
        platform.down(home)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def rig(faulty_platform: Rig) -> Iterator[Rig]:
    """The platform with empty tables; no process outlives the test."""
    print(f"seed {SEED}, {EVENTS:,} events")
    faulty_platform.begin()
    yield faulty_platform
    faulty_platform.end()


_results: dict[str, report.Result] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    done = outcome.get_result()
    if done.when == "call" or done.outcome == "skipped":
        doc = getattr(item.function, "__doc__", None)  # type: ignore[attr-defined]
        result = report.result(item.name, doc, done.outcome, done.duration)
        if result:
            _results[item.name] = result


def pytest_sessionfinish() -> None:
    """`make chaos` asks for the table; a plain test run does not touch the documents."""
    if os.environ.get("LIFECYCLE_CHAOS_REPORT"):
        report.write(_results.values(), events=EVENTS, seed=SEED)
