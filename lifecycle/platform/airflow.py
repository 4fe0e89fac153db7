"""Airflow's environment and health. Nothing here imports Airflow: it runs in its own processes."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from lifecycle.errors import NotRunning
from lifecycle.platform.address import USERS, Address
from lifecycle.settings import LOOPBACK, ROOT

PARALLELISM = "4"
PRELOAD = ROOT / "expectations" / "preload"
"""Holds airflow_local_settings.py: imports Great Expectations once in the scheduler, so that the
tasks it forks do not pay two seconds each."""

COMPONENTS = {
    "airflow-api-server": "metadatabase",
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}
"""Part -> its name in Airflow's health answer."""


def environment(address: Address) -> dict[str, str]:
    """Settings of all four Airflow processes; secrets are read from their files."""

    def secret(name: str) -> str:
        return (address.secrets / name).read_text()

    return {
        "AIRFLOW_HOME": str(address.home / "airflow"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": PARALLELISM,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": secret("fernet.key"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address.airflow_url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{user}:{role}" for user, role in USERS.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(address.passwords),
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(address.ports["airflow"]),
        "AIRFLOW__API__BASE_URL": address.airflow_url,
        "AIRFLOW__API__SECRET_KEY": secret("api.key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secret("jwt.key"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address.database_url(
            "airflow", "postgresql+psycopg"
        ),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": address.database_url(
            "airflow", "postgresql+psycopg_async"
        ),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A killed worker is noticed, and its task tried again, within a minute instead of five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # So are tasks that a killed scheduler was about to start.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(address.ports["worker_log"]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(address.ports["trigger_log"]),
        "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps({
            "conn_type": "smtp",
            "host": LOOPBACK,
            "port": address.ports["smtp"],
            "extra": {
                "disable_ssl": True,
                "disable_tls": True,
                "from_email": "lifecycle@localhost",
            },
        }),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PRELOAD), os.environ.get("PYTHONPATH")))),
    }


def schema_marker(address: Address) -> Path:
    """Exists once Airflow's database is at the installed version."""
    return address.home / "airflow" / f"schema-{version('apache-airflow-core')}"


def healthy(address: Address, part: str) -> str | None:
    """None when Airflow says this component is healthy, else what it says."""
    try:
        with urllib.request.urlopen(
            f"{address.airflow_url}/api/v2/monitor/health", timeout=3
        ) as answer:
            components = json.load(answer)
    except (URLError, OSError, ValueError) as error:
        why = error.reason if isinstance(error, URLError) else error
        return f"no answer on {address.airflow_url}: {why}"
    status = components[COMPONENTS[part]]["status"]
    return None if status == "healthy" else f"Airflow reports {COMPONENTS[part]} {status}"


def run_dag(address: Address, dag_id: str, conf: dict[str, str], seconds_max: float) -> str:
    """Trigger a DAG and wait for its end; returns the run's state. Raises NotRunning.

    A DAG file is parsed some seconds after Airflow is up, so an unknown DAG is waited for.
    """
    deadline = time.monotonic() + seconds_max
    token = _call(address, "/auth/token", _log_in(address), None)["access_token"]
    runs = f"/api/v2/dags/{dag_id}/dagRuns"
    run: dict[str, str] = {}
    while time.monotonic() < deadline:
        try:
            if not run:
                run = _call(address, runs, {"logical_date": None, "conf": conf}, token)
            state = _call(address, f"{runs}/{run['dag_run_id']}", None, token)["state"]
            if state in ("success", "failed"):
                return str(state)
        except HTTPError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise NotRunning(f"Airflow refused to run {dag_id}: {error}.") from error
        time.sleep(1)
    raise NotRunning(
        f"{dag_id} did not end within {seconds_max:.0f} s: look at {address.airflow_url}."
    )


def _log_in(address: Address) -> dict[str, str]:
    return {"username": "admin", "password": json.loads(address.passwords.read_text())["admin"]}


def _call(
    address: Address, path: str, body: dict[str, Any] | None, token: str | None
) -> dict[str, Any]:
    request = urllib.request.Request(
        address.airflow_url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
