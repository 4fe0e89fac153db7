"""Airflow in a real browser: the Operations page says what `status` says, and a record is released only
when a second person answers. In one file, since what is looked at in Airflow shares a platform."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from consumers.relay import producer_for, send
from lifecycle import app, platform
from lifecycle.adapters.model_registry import ModelRegistry
from lifecycle.ports import OutboxMessage
from lifecycle.settings import Settings
from tests.airflow_api import address_of, api, token_of
from tests.browser.browser import logged_in, needs_chromium
from tests.contract.test_model_registry import put
from tests.support import opened, outgoing, posted, query, wait_for

pytestmark = pytest.mark.browser
CLIENT = "REVIEW-1"
GOOD = outgoing(posted(1, account_id="R1"), CLIENT)


# --- the Operations page ----------------------------------------------------------------------


def _status_code(url: str, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["/lifecycle/operations", "/lifecycle/api/operations"])
def test_nothing_is_shown_without_a_log_in(whole: Settings, path: str) -> None:
    assert _status_code(address_of(whole).airflow_url + path) == 401


def test_every_alert_reaches_its_owner_once(whole: Settings) -> None:
    assert platform.run_dag(whole.home, "alert_dispatch", {}) == "success"
    with app.alerts(whole) as store:
        expected = {row["alert_id"] for row in store.list()}
    lines = [
        json.loads(line)
        for path in (whole.home / "notifications").glob("*.ndjson")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    keys = [line["key"] for line in lines]
    assert len(keys) == len(set(keys)), "a channel was told twice"
    assert {key.split("/")[0] for key in keys} == expected
    assert len(list((whole.home / "mail" / "new").iterdir())) >= len(expected)


@needs_chromium
@pytest.mark.parametrize("user", ["admin", "auditor"])
def test_the_page_shows_what_status_says(whole: Settings, user: str) -> None:
    with logged_in(whole, user) as page:
        page.goto(f"{address_of(whole).airflow_url}/plugin/operations")
        frame = page.frame_locator("iframe")
        frame.get_by_text("balanced").first.wait_for(timeout=30_000)
        text = frame.locator("body").inner_text()
        theme = frame.locator("html").get_attribute("data-theme")
    _agrees(text, app.status(whole))
    assert theme == "dark"


@needs_chromium
def test_a_number_that_is_too_old_is_unknown(whole: Settings) -> None:
    with logged_in(whole, "admin") as page:
        page.clock.install()
        page.goto(f"{address_of(whole).airflow_url}/lifecycle/operations")
        page.locator("#tile-books[data-state=good]").wait_for(timeout=30_000)
        page.route("**/lifecycle/api/operations", lambda route: route.abort())
        page.clock.fast_forward("02:00")
        page.locator("#tile-books[data-state=unknown]").wait_for(timeout=30_000)
        assert page.locator(".tile").count() == page.locator(".tile[data-state=unknown]").count()
        assert "unknown" in page.locator("#tile-books .value").inner_text()
        assert page.locator("#details section").count() == 0
        assert page.locator("#notice").is_visible()


def _agrees(text: str, status: dict[str, Any]) -> None:
    books = status["reconciliation"]
    assert books["balanced"]
    assert f"{books['in']:,} in = {books['applied']:,} applied" in text
    assert f"Night of {status['nightly']['business_date']}: PUBLISHED" in text
    for topic in status["lag"]:
        assert topic in text
    for row in status["alerts"]:
        assert row["severity"] in text


# --- four eyes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def request_id(whole: Settings) -> int:
    """What the officer asks for: that a broken record of the client is released, corrected."""
    account = outgoing(opened("R1", CLIENT), CLIENT)
    broken = GOOD.value.replace(b'"100.00"', b"100.0")
    producer = producer_for(whole.kafka_bootstrap)
    send(
        producer,
        [OutboxMessage(o.topic, o.key, v) for o, v in ((account, account.value), (GOOD, broken))],
    )
    producer.close()
    wait_for(lambda: bool(_held(whole)), 60, "the record is held")
    return app.ask_for_quarantined(
        whole, _held(whole)[0], "RELEASE", GOOD.value, reason="amount as text", maker="officer"
    )


def _held(configured: Settings) -> list[int]:
    return [
        number
        for (number,) in query(
            configured,
            "SELECT quarantine_id FROM quarantine WHERE client_id = %s AND status = 'HELD'",
            CLIENT,
        )
    ]


def _asked(configured: Settings, request_id: int, dag: str = "quarantine_review") -> str:
    """Start the review of a request; return its run once the question waits."""
    body = {"logical_date": None, "conf": {"request_id": request_id}}
    run = str(api(configured, "admin", "POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"])
    waiting = "/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false"

    def waits() -> bool:
        details = api(configured, "admin", "GET", waiting)["hitl_details"]
        asked = [d["task_instance"] for d in details]
        # The question is there a moment before its task has let go of its worker.
        return any(t["dag_run_id"] == run and t["state"] != "running" for t in asked)

    wait_for(waits, 120, "the question waits")
    time.sleep(1)  # no person answers while the process that asked is still going away
    return run


def _answer(
    configured: Settings, run: str, user: str, option: str, dag: str = "quarantine_review"
) -> None:
    task = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/decide/-1/hitlDetails"
    api(configured, user, "PATCH", task, {"chosen_options": [option], "params_input": {}})


def _end(configured: Settings, run: str, dag: str = "quarantine_review") -> dict[str, Any]:
    """Task -> state, once the run has ended."""
    path = f"/api/v2/dags/{dag}/dagRuns/{run}"

    def ended() -> bool:
        return api(configured, "admin", "GET", path)["state"] in ("success", "failed")

    wait_for(ended, 120, "the run ends")
    tasks = api(configured, "admin", "GET", f"{path}/taskInstances")["task_instances"]
    return {task["task_id"]: task["state"] for task in tasks}


@needs_chromium
@pytest.mark.timeout(600)
def test_the_question_says_what_is_asked_and_nothing_of_the_record(
    whole: Settings, request_id: int, tmp_path: Path
) -> None:
    run = _asked(whole, request_id)
    with logged_in(whole, "operator") as page:
        url = f"{address_of(whole).airflow_url}/dags/quarantine_review/runs/{run}"
        page.goto(f"{url}/tasks/decide/required_actions")
        page.get_by_role("button", name="Approve").wait_for(timeout=30_000)
        page.screenshot(path=tmp_path / "quarantine-review.png")
        text = page.locator("body").inner_text()
    _answer(whole, run, "operator", "Later")
    assert _end(whole, run)["carry_out"] == "skipped"
    for said in (
        "officer asks to release",
        "amount as text",
        "raw-07",
        "隔离记录处理审批",
        "Reject",
    ):
        assert said in text, text
    assert "100.0" not in text
    assert CLIENT not in text


@pytest.mark.timeout(600)
def test_a_second_person_decides(whole: Settings, request_id: int) -> None:
    later = _asked(whole, request_id)
    with pytest.raises(HTTPError, match="403"):
        _answer(whole, later, "auditor", "Approve")
    _answer(whole, later, "operator", "Later")
    assert _end(whole, later)["carry_out"] == "skipped"
    assert _held(whole), "nobody decided"

    own = _asked(whole, request_id)
    _answer(whole, own, "officer", "Approve")
    assert _end(whole, own)["carry_out"] == "failed"
    assert _held(whole), "who asked cannot approve"

    second = _asked(whole, request_id)
    _answer(whole, second, "operator", "Approve")
    assert _end(whole, second)["carry_out"] == "success"
    assert not _held(whole)
    assert not app.client(whole, CLIENT, actor="tester")["degraded"]
    with app.quarantine(whole) as store:
        (wish,) = [r for r in store.requests("APPROVED") if r["request_id"] == request_id]
    assert (wish["maker"], wish["checker"]) == ("officer", "operator")
    assert query(whole, "SELECT count(*) FROM event_log WHERE event_id = %s", GOOD.id) == [(1,)]
    assert app.prove(whole).equal


@pytest.mark.timeout(600)
def test_a_second_person_promotes_a_model(whole: Settings) -> None:
    dag = "model_promotion"
    registry = ModelRegistry(whole.database_url)
    put(registry, "m1")
    number = app.propose_model(whole, "m1", "CHALLENGER", reason="it holds", maker="officer")

    own = _asked(whole, number, dag)
    _answer(whole, own, "officer", "Approve", dag)
    assert _end(whole, own, dag)["carry_out"] == "failed", "who proposed it cannot approve"
    assert registry.model("m1").status == "DEVELOPMENT"

    second = _asked(whole, number, dag)
    _answer(whole, second, "operator", "Approve", dag)
    assert _end(whole, second, dag)["carry_out"] == "success"
    assert registry.model("m1").status == "CHALLENGER"
    assert registry.changes("m1")[-1].actor == "operator"
    registry.close()

    report = f"{address_of(whole).airflow_url}/lifecycle/models/m1/report"
    assert _status_code(report) == 401
    token = token_of(whole, "auditor")
    assert _status_code(report, token) == 200
    assert _status_code(report.replace("m1", "m9"), token) == 404
