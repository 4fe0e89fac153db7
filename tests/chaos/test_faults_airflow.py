"""Fault 25: Airflow is killed part by part, its hints are lost, receivers do not answer.

Airflow carries no fact: what it lost, the next sweep or the next attempt finds in the tables.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
import psycopg
import pytest
import yaml
from deltalake import DeltaTable

from lifecycle import platform, settings
from lifecycle.alerts.dispatch import SWEEP_MESSAGES_MAX
from lifecycle.events.client import ClientRegistered
from lifecycle.platform.airflow import COMPONENTS
from lifecycle.settings import ROOT
from tests.airflow_api import address_of, api
from tests.chaos.receiver import Receiver
from tests.chaos.rig import PATIENCE, Rig
from tests.chaos.traffic import FIRST_DAY, Produced, good
from tests.support import outgoing, query, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
DATE = str(FIRST_DAY)
CHANNEL = "LIFECYCLE_CHANNEL_RISK"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


@pytest.fixture(scope="module")
def whole(receiver: Receiver) -> Iterator[Rig]:
    """Airflow, broker and database under the supervisor, and one day's facts consumed. The risk
    officer is reached by a webhook alone, so that what it took can be counted."""
    home = Path(tempfile.mkdtemp(prefix="lifecycle-airflow-"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LIFECYCLE_RULES", str(_rules(home)))
        environment.setenv("LIFECYCLE_CONSUMER_GROUP", "chaos-1")
        environment.setenv(CHANNEL, receiver.url)
        try:
            platform.up(home, {"topics", *COMPONENTS})
            rig = Rig(settings.load({"LIFECYCLE_HOME": str(home)}))
            rig.begin()
            for dag in ("ingest_watch", "quarantine_sweep", "alert_dispatch"):
                _pause(rig, dag, True)
            facts = rig.traffic()
            rig.publish([*_registered(facts), *facts])
            with rig.running(rig.consume()):
                rig.settle()
            yield rig
            rig.end()
            rig.close()
        finally:
            platform.down(home)
            shutil.rmtree(home, ignore_errors=True)


def _registered(facts: Sequence[Produced]) -> list[Produced]:
    """A profile is of a registered client."""
    clients = sorted({fact.key for fact in facts if fact.key})
    return good(
        outgoing(
            ClientRegistered(business_date=FIRST_DAY, client_id=client, client_type="INDIVIDUAL"),
            client,
        )
        for client in clients
    )


def _rules(home: Path) -> Path:
    rules = home / "rules"
    shutil.copytree(ROOT / "rules", rules)
    path = rules / "operations" / "owners.yaml"
    figures = yaml.safe_load(path.read_text())
    owners = figures["parameters"]["owners"]["value"]
    for role, owner in owners.items():
        owner["channels"] = [CHANNEL] if role == "RO" else ["file"]
    figures["parameters"]["retry_minutes"]["value"] = [0]
    path.write_text(yaml.safe_dump(figures, allow_unicode=True))
    return rules


# --- what a test does to Airflow --------------------------------------------------------------


def _call(rig: Rig, method: str, path: str, body: Any = None) -> Any:
    return api(rig.settings, "admin", method, f"/api/v2/dags/{path}", body)


def _pause(rig: Rig, dag: str, paused: bool) -> None:
    def done() -> bool:
        try:
            _call(rig, "PATCH", dag, {"is_paused": paused})
        except HTTPError:
            return False  # its file was not parsed yet, or Airflow is coming back
        return True

    wait_for(done, 120, f"{dag} is known")


def _start(rig: Rig, dag: str, conf: dict[str, str]) -> str:
    body = {"logical_date": None, "conf": conf}
    return str(_call(rig, "POST", f"{dag}/dagRuns", body)["dag_run_id"])


def _running_tasks(rig: Rig, dag: str) -> dict[str, str]:
    """Task -> id of its instance, of those that are running."""
    tasks = _call(rig, "GET", f"{dag}/dagRuns/~/taskInstances?state=running")["task_instances"]
    return {t["task_id"]: t["id"] for t in tasks}


def _kill_worker(rig: Rig, dag: str) -> str:
    """kill -9 the process that runs a task of this DAG; the task's name."""
    killed: list[str] = []

    def hit() -> bool:
        for task, instance in _running_tasks(rig, dag).items():
            for process in psutil.process_iter(["cmdline"]):
                title = " ".join(process.info["cmdline"] or ()).strip()
                # A process title has only so much room: the end of the id is cut off.
                _, _, shown = title.partition("airflow worker -- ")
                if len(shown) > 20 and instance.startswith(shown):
                    process.kill()
                    killed.append(task)
                    return True
        return False

    wait_for(hit, 120, "a task is running")
    return killed[0]


def _sweep_now(rig: Rig) -> None:
    """The schedule of the sweep has come, without anybody's hint."""
    url = address_of(rig.settings).database_url("airflow")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE dag SET next_dagrun = now(), next_dagrun_create_after = now(),"
            " next_dagrun_data_interval_start = now(), next_dagrun_data_interval_end = now() "
            "WHERE dag_id = 'alert_dispatch'"
        )


def _swept(rig: Rig) -> list[str]:
    """States of the sweeps that have ended, oldest first."""
    runs = _call(rig, "GET", "alert_dispatch/dagRuns?limit=100&order_by=run_after")["dag_runs"]
    assert all(run["run_type"] == "scheduled" for run in runs), "nobody gave a hint"
    return [run["state"] for run in runs if run["state"] in ("success", "failed")]


def _sweep(rig: Rig) -> str:
    """Let one sweep run to its end; its state."""
    wait_for(lambda: not _sweeping(rig), PATIENCE + 120, "earlier sweeps end")
    before = len(_swept(rig))
    _sweep_now(rig)
    wait_for(lambda: len(_swept(rig)) > before, PATIENCE + 120, "a sweep ends")
    return _swept(rig)[-1]


def _sweeping(rig: Rig) -> list[str]:
    """Ids of the sweeps that have not ended."""
    runs = _call(rig, "GET", "alert_dispatch/dagRuns?state=running&state=queued")["dag_runs"]
    return [run["dag_run_id"] for run in runs]


# --- the faults -------------------------------------------------------------------------------


def test_fault_25_airflow_is_killed_during_a_night(whole: Rig) -> None:
    """Inject: a night runs; the worker of one of its tasks, then scheduler, DAG processor and
    triggerer are killed with kill -9. Expect: all come back, the task is tried again, the night
    ends green; one profile version, one publication, one seal of the facts; 0 lost, 0 doubled."""
    rig = whole
    run = _start(rig, "nightly", {"business_date": DATE})
    print("killed the worker of", _kill_worker(rig, "nightly"))
    for part in ("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"):
        before = rig.pid(part)
        os.kill(before, signal.SIGKILL)
        rig.wait_new(part, before)

    def ended() -> bool:
        state = _call(rig, "GET", f"nightly/dagRuns/{run}")["state"]
        assert state != "failed", "the night failed"
        return bool(state == "success")

    wait_for(ended, PATIENCE + 600, "the night ends")
    assert query(rig.settings, "SELECT status, published, equal FROM nightly_run") == [
        ("PUBLISHED", True, True)
    ]
    served = "SELECT count(*), count(DISTINCT (client_id, name)) FROM client_profile"
    assert len(set(query(rig.settings, served)[0])) == 1
    lake = DeltaTable(str(rig.settings.lake / "client_profile")).to_pyarrow_table()
    keys = [(r["client_id"], r["name"], r["as_of"]) for r in lake.to_pylist()]
    assert len(keys) == len(set(keys)) > 0, "one profile version"
    sealed = DeltaTable(str(rig.settings.lake / "bank.account.transaction_posted.v1"))
    positions = sealed.to_pyarrow_table()["position"].to_pylist()
    assert len(positions) == len(set(positions)) > 0, "each fact is in the lake once"


def test_fault_25_hints_are_lost_and_a_receiver_does_not_answer(
    whole: Rig, receiver: Receiver
) -> None:
    """Inject: no asset event ever comes; the risk officer's receiver takes messages and does not
    answer; the worker of a sweep is killed in the middle; then it answers. Expect: the scheduled
    sweeps bring every alert to every channel of its owner; what was sent again has the same key;
    nothing is delivered twice to who answers."""
    rig = whole
    owed = "SELECT count(*) FROM alert WHERE owner LIKE '%%RO%%'"
    alerts = rig.ask(owed)
    assert alerts
    receiver.answers.clear()
    _pause(rig, "alert_dispatch", False)
    _sweep_until_it_fails(rig, receiver)
    unanswered = dict(receiver.taken)
    assert unanswered
    assert (
        rig.ask("SELECT count(*) FROM alert_delivery WHERE channel LIKE %s", f"%{CHANNEL}%")
        == alerts
    )

    _killed_sweep(rig)
    receiver.answers.set()
    messages = rig.ask("SELECT count(*) FROM alert_delivery")
    for _ in range(3 + messages // SWEEP_MESSAGES_MAX):
        if rig.ask("SELECT count(*) FROM alert_delivery WHERE delivered_at IS NULL") == 0:
            break
        _sweep(rig)
    assert rig.ask("SELECT count(*) FROM alert_delivery WHERE delivered_at IS NULL") == 0
    assert set(receiver.taken) >= set(unanswered), "the same keys again"
    assert len(receiver.taken) == alerts, "one key for each alert"
    assert _lines_twice(rig) == [], "who answers at once gets each message once"


def _sweep_until_it_fails(rig: Rig, receiver: Receiver) -> None:
    """The gravest go first and a sweep has its limit: the first ones may be for others alone."""
    alerts = rig.ask("SELECT count(*) FROM alert")
    for _ in range(1 + alerts // SWEEP_MESSAGES_MAX):
        if _sweep(rig) == "failed":
            return
        assert not receiver.taken, "the channel failed, and the DAG says so"
    raise AssertionError("no sweep came to the receiver")


def _killed_sweep(rig: Rig) -> None:
    """kill -9 the worker of a sweep while it waits for the receiver."""
    before = len(_swept(rig))
    _sweep_now(rig)
    _kill_worker(rig, "alert_dispatch")
    wait_for(lambda: len(_swept(rig)) > before, 300, "the killed sweep is noticed")


def _lines_twice(rig: Rig) -> list[str]:
    """Messages that a notification file holds twice."""
    found = []
    for path in (rig.settings.home / "notifications").glob("*.ndjson"):
        lines = Counter(path.read_text(encoding="utf-8").splitlines())
        found += [line for line, times in lines.items() if times > 1]
    return found
