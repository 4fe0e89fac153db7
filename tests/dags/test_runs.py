"""The DAGs run in process: a failure ends a run with one sentence, a gate blocks what follows."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.publish import publish
from lifecycle import app
from lifecycle.adapters.model_registry import ModelRegistry
from lifecycle.settings import ROOT, Settings
from lifecycle.sources.simulator import SimulatorSource
from lifecycle.steps import STEPS
from tests.contract.test_model_registry import put
from tests.integration.test_hours import arrive
from tests.support import consumer, insert_alert, query, received, wait_for


def run(bag: Any, name: str, conf: dict[str, Any] | None = None) -> dict[str, str]:
    """Run a DAG once; task -> state."""
    done = bag.dags[name].test(
        run_after=dt.datetime.now(dt.UTC), logical_date=None, run_conf=conf or {}
    )
    return {ti.task_id: str(ti.state) for ti in done.get_task_instances()}


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIFECYCLE_HOME", str(tmp_path))


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, clean: Settings) -> Settings:
    monkeypatch.setenv("LIFECYCLE_HOME", str(clean.home))
    return clean


@pytest.mark.usefixtures("metadata", "nothing_runs")
def test_the_watch_fails_with_a_sentence_when_nothing_runs(
    bag: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    states = run(bag, "ingest_watch")
    assert states == {"watch": "failed", "raised": "upstream_failed"}
    said = caplog.text + "".join(capfd.readouterr())
    assert "No database is configured: run `lifecycle up` first." in said


@pytest.mark.integration
@pytest.mark.usefixtures("metadata")
def test_the_hint_is_given_only_when_alerts_wait(bag: Any, platform: Settings) -> None:
    assert run(bag, "ingest_watch") == {"watch": "success", "raised": "skipped"}
    insert_alert(platform)
    assert run(bag, "ingest_watch") == {"watch": "success", "raised": "success"}


@pytest.mark.integration
@pytest.mark.usefixtures("metadata")
def test_the_watch_fails_when_an_hour_of_business_brought_nothing(
    bag: Any,
    platform: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    thresholds = rules / "operations" / "thresholds.yaml"
    figures = yaml.safe_load(thresholds.read_text(encoding="utf-8"))
    always = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": 0, "to": 24}
    figures["parameters"]["business_hours"]["value"] = always
    thresholds.write_text(yaml.safe_dump(figures), encoding="utf-8")
    monkeypatch.setenv("LIFECYCLE_RULES", str(rules))
    # The last whole hour, and the next one in case it ends while we look.
    for hours_ago in (0, 1):
        hour = dt.datetime.now(dt.UTC).replace(minute=0) - dt.timedelta(hours=hours_ago)
        for week in range(1, 5):
            arrive(platform, hour - dt.timedelta(weeks=week), 3)
    assert run(bag, "ingest_watch") == {"watch": "failed", "raised": "upstream_failed"}
    assert "SILENT_HOUR" in caplog.text + "".join(capfd.readouterr())


@pytest.mark.integration
@pytest.mark.usefixtures("metadata")
def test_the_sweep_delivers_what_no_event_told_it_of(
    bag: Any, platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFECYCLE_SMTP", "127.0.0.1:1")
    insert_alert(platform, owner="OPS")
    assert run(bag, "alert_dispatch") == {"dispatch": "failed"}, "mail has no server here"
    written = (platform.home / "notifications" / "OPS.ndjson").read_text().splitlines()
    assert len(written) == 1
    assert run(bag, "alert_dispatch") == {"dispatch": "success"}, "mail waits for its pause"
    again = (platform.home / "notifications" / "OPS.ndjson").read_text().splitlines()
    assert again == written


@pytest.mark.integration
@pytest.mark.usefixtures("metadata")
def test_a_night_by_hand_and_a_gate_that_blocks(
    bag: Any, platform: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = dt.date(2026, 1, 1)
    source = SimulatorSource(
        seed=3, clients=50, first_day=first, days=40, timezone=platform.timezone
    )
    sent = publish(source.events(None, None), platform.kafka_bootstrap)
    with consumer(platform):
        wait_for(lambda: received(platform) == sent.events, 120, "consume")

    states = run(bag, "nightly", {"business_date": "1999-01-01"})
    assert states["day_complete"] == "failed", "no fact of that date"
    assert {states[step] for step in STEPS} == {"upstream_failed"}

    states = run(bag, "nightly", {"business_date": "2026-02-05"})
    assert set(states.values()) == {"success"}, states
    assert query(platform, "SELECT status, equal FROM nightly_run") == [("PUBLISHED", True)]
    served = query(platform, "SELECT product, as_of, stale FROM publication ORDER BY 1")
    assert served
    assert not any(stale for *_, stale in served)

    # A gate that takes no row at all: the real gate, with another figure.
    strict = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", strict)
    figures = yaml.safe_load((strict / "staging.yaml").read_text())
    figures["parameters"]["quarantine_share_max"]["value"] = "-1"
    (strict / "staging.yaml").write_text(yaml.safe_dump(figures))
    monkeypatch.setenv("LIFECYCLE_RULES", str(strict))
    states = run(bag, "nightly", {"business_date": "2026-02-06"})
    assert (states["seal"], states["staged"]) == ("success", "failed")
    assert {states[s] for s in ("profiles", "scores", "alerts", "publish", "prove")} == {
        "upstream_failed"
    }
    (row,) = query(
        platform, "SELECT status, reason FROM nightly_run WHERE business_date = '2026-02-06'"
    )
    assert row[0] == "BLOCKED"
    assert "Gate staged fails 0 of" in row[1]
    still = query(platform, "SELECT product, as_of, stale FROM publication ORDER BY 1")
    assert still == [(product, as_of, True) for product, as_of, _ in served]
    monkeypatch.setenv("LIFECYCLE_RULES", str(ROOT / "rules"))
    assert json.dumps(still, default=str).count("2026-02-05") == len(still)


@pytest.mark.integration
@pytest.mark.usefixtures("metadata")
def test_before_the_first_night_no_model_is_trained_or_watched(
    bag: Any, platform: Settings
) -> None:
    assert run(bag, "model_training") == dict.fromkeys(("table", "train", "register"), "skipped")
    assert run(bag, "model_monitoring") == {"watch": "skipped"}
    assert run(bag, "model_sweep") == {"waiting": "success", "ask": "skipped"}


@pytest.mark.usefixtures("metadata", "nothing_runs")
def test_training_fails_with_a_sentence_when_nothing_runs(bag: Any) -> None:
    states = run(bag, "model_training")
    assert states == {"table": "failed", "train": "upstream_failed", "register": "upstream_failed"}
    from airflow.sdk.exceptions import AirflowFailException

    table = bag.dags["model_training"].get_task("table")
    with pytest.raises(
        AirflowFailException, match="No database is configured: run `lifecycle up` first"
    ):
        table.python_callable({"from": None, "to": None})


@pytest.mark.integration
def test_the_question_about_a_model_is_answered_by_its_tasks(bag: Any, platform: Settings) -> None:
    """What the tasks around the question do; the question itself is Airflow's."""
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    registry = ModelRegistry(platform.database_url)
    put(registry, "m1")
    number = app.propose_model(platform, "m1", "CHALLENGER", reason="why", maker="asker")
    tasks = {t.task_id: t for t in bag.dags["model_promotion"].tasks}
    params = {"request_id": number}
    asked = tasks["question"].python_callable(params)
    assert "m1 to CHALLENGER" in asked["subject"]

    def answered(option: str, person: str | None) -> Any:
        user = {"id": person, "name": person} if person else None
        answer = {"chosen_options": [option], "responded_by_user": user}
        return tasks["carry_out"].python_callable(answer, params)

    for option, person in (("Later", "checker"), ("Approve", None)):
        with pytest.raises(AirflowSkipException, match="Nobody decided"):
            answered(option, person)
    for person in ("asker", "maker"):
        with pytest.raises(AirflowFailException, match="another person has to decide"):
            answered("Approve", person)
    assert registry.model("m1").status == "DEVELOPMENT"
    assert answered("Approve", "checker")["status"] == "CHALLENGER"
    with pytest.raises(AirflowFailException, match="APPROVED already"):
        answered("Reject", "checker")
    registry.close()
