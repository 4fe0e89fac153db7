"""Airflow for tests: its own home and database in a temporary folder, set before Airflow is imported."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.settings import ROOT

HOME = Path(tempfile.mkdtemp(prefix="lifecycle-airflow-"))

os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-tests-and-long-enough-for-hs512-" * 2,
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
}


@pytest.fixture(scope="session", autouse=True)
def airflow_home() -> Iterator[Path]:
    yield HOME
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def bag() -> Any:
    """Every DAG of the folder, parsed as Airflow parses it."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(ROOT / "dags"))


@pytest.fixture(scope="session")
def metadata(airflow_home: Path) -> None:
    """A migrated Airflow database, for dag.test()."""
    from airflow.utils.db import initdb

    initdb()
