"""The whole platform, once for everything that is looked at in Airflow."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle import app, platform, settings
from lifecycle.settings import Settings
from tests.support import received, wait_for


@pytest.fixture(scope="package")
def whole() -> Iterator[Settings]:
    """The whole platform with a small bank's facts and one night run by its DAG."""
    home = Path(tempfile.mkdtemp(prefix="lifecycle-browser-"))
    try:
        platform.up(home)
        configured = settings.load({"LIFECYCLE_HOME": str(home)})
        source = app.simulator(
            configured, seed=2, clients=50, first_day=dt.date(2026, 1, 1), days=60
        )
        sent = app.publish(
            configured, source, first=None, last=None, speed=None, progress=lambda n: None
        )
        wait_for(lambda: received(configured) == sent.events, 60, "consume")
        state = platform.run_dag(home, "nightly", {"business_date": "2026-03-01"})
        assert state == "success", "the nightly DAG is not green"
        yield configured
    finally:
        platform.down(home)
        shutil.rmtree(home, ignore_errors=True)
