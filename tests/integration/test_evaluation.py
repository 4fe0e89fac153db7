"""On a small bank the nights find what is planted, and alarm nobody who lives quietly."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from benchmarks import evaluation_page, profiles
from lifecycle import settings
from lifecycle.clients.lifecycle import STATES
from lifecycle.commands import application

DAYS = profiles.STATES_DAYS
CLIENTS = 200
NIGHTS = [
    lived
    for lived in profiles.schedule(DAYS)
    if lived % 91 == 0
    or (lived > DAYS - 120 and profiles.ends_month(profiles.date_of(lived)))
    or (lived > DAYS - 60 and lived % profiles.WEEK == 0)
    or lived > DAYS - 3
]
"""Far fewer than the command runs: enough for two runs in a row and two month-ends."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """As `lifecycle bench profiles --json` prints it."""
    configured = settings.load({"LIFECYCLE_HOME": str(tmp_path_factory.mktemp("home"))})
    measured = profiles.measure(configured, NIGHTS, clients=CLIENTS, seed=1, note=lambda text: None)
    return msgspec.json.decode(msgspec.json.encode(measured))  # type: ignore[no-any-return]


def test_every_false_declaration_is_found(result: dict[str, Any]) -> None:
    planted = result["checks"]["planted"]
    assert {row["check"] for row in planted} == {
        "CV01",
        "CV02",
        "CV03",
        "CV04",
        "CV05",
        "CV06",
        "CV09",
    }
    assert sum(row["clients"] for row in planted if row["planted"] == "FAIL") > 10
    assert [row for row in result["checks"]["missed"] if row["planted"] == "FAIL"] == []


def test_nobody_who_lives_quietly_is_alarmed(result: dict[str, Any]) -> None:
    for row in result["checks"]["false_alarms"]:
        assert row["quiet_clients"] == CLIENTS // 5
        assert row["quiet_alarms"] == 0, row


def test_sure_states_are_found(result: dict[str, Any]) -> None:
    (judged,) = result["states"]
    expected = set(STATES) - {"ONBOARDING"}
    assert expected <= judged["by_state"].keys()
    for state, row in judged["by_state"].items():
        assert row["recall"] == 1, state
    # Nothing is planted on these; what a company's balance does may look like a risk.
    assert {row["truth"] for row in judged["wrong"]} <= {"ACTIVE or GROWING"}
    assert judged["right"] / judged["judged"] > 0.95


def test_stories_are_shown_by_an_attribute(result: dict[str, Any]) -> None:
    for row in result["stories"]:
        assert (row["planted"], row["shown"], row["quiet_shown"]) == (4, 4, 0), row


def test_what_a_client_declares_firmly_is_confirmed(result: dict[str, Any]) -> None:
    firm = [row for row in result["needs"] if row["strength"] > 1]
    assert firm
    for row in firm:
        assert set(row["states"]) <= {"CONFIRMED", "none"}, row


def test_the_document(result: dict[str, Any]) -> None:
    assert set(result) == {
        "bank",
        "states",
        "checks",
        "stories",
        "needs",
        "seconds",
        "peak_rss_mb",
        "machine",
    }
    assert result["bank"]["clients"] == CLIENTS
    assert result["bank"]["events"] > 50_000
    assert result["bank"]["nights"] == len(NIGHTS)
    assert result["bank"]["last_day"] == str(dt.date(2026, 1, 1) + dt.timedelta(days=DAYS - 1))


def test_the_page_keeps_what_stands_outside_the_markers(
    result: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "evaluation.md"
    page.write_text(
        "before\n{}\nold\n{}\nafter\n".format(*evaluation_page.markers("evaluation")),
        encoding="utf-8",
    )
    evaluation_page.write(page, evaluation_page.tables(result))
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    for check in ("CV01", "CV09"):
        assert f"| {check} |" in text


def test_a_page_without_markers_is_refused_before_anything_is_simulated(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no place for tables", encoding="utf-8")
    answer = CliRunner().invoke(application, ["bench", "profiles", "--write", str(page)])
    assert answer.exit_code != 0
    assert "evaluation: begin" in str(answer.exception)
