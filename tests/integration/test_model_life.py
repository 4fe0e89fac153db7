"""A model through the commands of people and the tasks of Airflow, on the real database."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from lifecycle import app
from lifecycle.adapters.model_registry import ModelRegistry
from lifecycle.alerts.models import Drift, Reading, decide_drift
from lifecycle.alerts.rules import RuleSet
from lifecycle.commands import application
from lifecycle.errors import UsageError
from lifecycle.models.artefact import Stored, Training, save_champion
from lifecycle.models.figures import figures_of
from lifecycle.models.metrics import Distribution
from lifecycle.models.scorecard import Scorecard
from lifecycle.settings import Settings
from tests.support import DAY, at
from tests.unit.models.cards import card

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path, rule_set: RuleSet) -> Path:
    """A model folder as `models train` leaves it, its figures made up."""
    # As a file has it: whole numbers that were written as such are floats there.
    written = msgspec.json.encode(card(figures_of(rule_set.parameters)))
    made = msgspec.json.decode(written, type=Scorecard)
    known = Training(120, 12, "bad", ("load",), None, None, None, None, "hash", {"table": 4})
    stored = Stored(made.version, made, known, Distribution((500.0,), (0.5, 0.5)), {}, (), {})
    save_champion(tmp_path, stored)
    (tmp_path / "report.html").write_text("<p>it was validated</p>", "utf-8")
    validation = {"model_version": made.version, "comparison": None, "against_champion": None}
    (tmp_path / "validation.json").write_bytes(msgspec.json.encode(validation))
    return tmp_path


def said(settings: Settings, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setenv("LIFECYCLE_HOME", str(settings.home))
    done = CliRunner().invoke(application, ["models", *words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_from_a_folder_to_the_champion_by_commands(
    clean: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    registered = app.register_model(clean, folder, owner="maker")
    version = registered.model_version
    assert app.champion(clean, "CREDIT") is None
    (listed,) = said(clean, monkeypatch, "list")
    assert (listed["model_version"], listed["status"], listed["lake"]) == (
        version,
        "DEVELOPMENT",
        {"table": 4},
    )
    words = ("propose", version, "--to", "challenger", "--reason", "first")
    number = said(clean, monkeypatch, *words)["request_id"]
    (waiting,) = said(clean, monkeypatch, "requests")
    assert waiting["artefact_hash"] == registered.artefact_hash
    # Who is at the keyboard proposed it.
    monkeypatch.setenv("LIFECYCLE_HOME", str(clean.home))
    with pytest.raises(UsageError, match="another person"):
        CliRunner().invoke(application, ["models", "approve", str(number)], catch_exceptions=False)
    assert app.decide_model(clean, number, "APPROVE", checker="checker")["status"] == "CHALLENGER"
    again = app.propose_model(clean, version, "CHAMPION", reason="it holds", maker="asker")
    app.decide_model(clean, again, "APPROVE", checker="checker")
    assert app.champion(clean, "CREDIT") == (folder / "scorecard.json").read_bytes()
    shown = said(clean, monkeypatch, "show", version)
    assert [change["after"] for change in shown["changes"]] == [
        "DEVELOPMENT",
        "CHALLENGER",
        "CHAMPION",
    ]
    said(clean, monkeypatch, "report", version, "--out", str(tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_text("utf-8") == "<p>it was validated</p>"


def test_a_validation_of_another_model_is_refused(clean: Settings, folder: Path) -> None:
    other = {"model_version": "scorecard-other"}
    (folder / "validation.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(UsageError, match="of another model"):
        app.register_model(clean, folder, owner="maker")


def test_an_alert_about_a_model_is_explained_and_replayed(
    clean: Settings, folder: Path, rule_set: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = app.register_model(clean, folder, owner="maker").model_version
    red = Reading(
        business_date=DAY,
        as_of=at(DAY),
        model_version=version,
        scored=1000,
        psi=0.31,
        csi={"load": 0.4},
        mean_pd=0.05,
        cohort=0,
        defaults=0,
        calibration_p=None,
        decisions=0,
        overrides=0,
    )
    raised = decide_drift(Drift(None, red), rule_set)
    assert raised is not None
    registry = ModelRegistry(clean.database_url)
    registry.record(
        red, "RED", raised, rules=rule_set, code_version="1", now=dt.datetime.now(dt.UTC)
    )
    registry.close()
    replayed = app.replay_alerts(clean, None)
    assert (replayed["alerts"], replayed["identical"]) == (1, 1)
    assert app.prove(clean).equal
    monkeypatch.setenv("LIFECYCLE_HOME", str(clean.home))
    done = CliRunner().invoke(
        application, ["explain", raised.alert.alert_id], catch_exceptions=False
    )
    assert "none: it is about a model" in done.stdout
    assert "0.31" in done.stdout
    told = app.dispatch(clean)
    assert told.unrouted == []
    (line,) = (clean.home / "notifications" / "MO.ndjson").read_text("utf-8").splitlines()
    assert version in line
