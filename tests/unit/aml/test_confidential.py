"""What is suspected is seen by compliance alone: fields and texts of every surface of the others."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from lifecycle import client_list
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.dispatch import text
from lifecycle.alerts.owners import ROLES, Owner, routes
from lifecycle.alerts.rules import RuleSet
from lifecycle.aml_scoring import AmlNight, aml_night, refresh_tasks
from lifecycle.client_page import page
from lifecycle.clients import labels, reading
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.consent import permissions
from lifecycle.clients.facts import Facts
from lifecycle.clients.selection import FIELDS
from lifecycle.commands.console import out
from lifecycle.commands.page import print_page
from tests.lakes import ZONE, lake_of
from tests.scored import scored
from tests.unit.aml.cases import Cases, cash, structuring
from tests.unit.attributes.bank import AS_OF

CLIENT = "m01-three"
OTHERS = [role for role in (*ROLES, None) if role != "CO"]
TELLING = (
    "aml",
    "launder",
    "洗钱",
    "suspici",
    "可疑",
    "structuring",
    "化整为零",
    "typolog",
    "high-risk",
    "高风险国家",
    "m01",
    "s05",
)
"""What would tell a reader that something is suspected."""


@pytest.fixture(scope="module")
def night(rule_set: RuleSet, tmp_path_factory: pytest.TempPathFactory) -> AmlNight:
    cases = Cases()
    structuring(cases)
    large = cases.person("large", source_channel="MOBILE")
    cash(large, "2026-03-30", "60000")
    lake = lake_of(tmp_path_factory.mktemp("aml") / "lake", cases.bank.facts)
    with DuckDBEngine(lake) as engine:
        return aml_night(engine, Facts(engine, AS_OF, ZONE, frozenset()), rule_set.parameters)


@pytest.fixture(scope="module")
def served(night: AmlNight, rule_set: RuleSet) -> dict[str, Any]:
    """What the stores serve of a client once the score is published."""
    score = scored("AML", night.candidates, AS_OF, rule_set)[CLIENT] | {"override": None}
    assert score["value"] > 0
    score["reason_codes"] = msgspec.json.decode(score["reason_codes"])
    alert = {
        "rule_id": "RT-07",
        "severity": "P1",
        "owner": "CO",
        "status": "NEW",
        "message_zh": "可疑交易：化整为零",
        "message_en": "structuring",
    }
    credit = score | {
        "score_type": "CREDIT",
        "reason_codes": [],
        "inputs": "{}",
        "source_event_ids": [],
        "model_version": "expert-1",
    }
    return {
        "as_of": AS_OF,
        "attributes": [],
        "summary": None,
        "moves": [],
        "held": 0,
        "gaps": [],
        "tasks": [
            {
                "owner": "CO",
                "due": AS_OF,
                "reason_en": "suspicious",
                "reason_zh": "可疑",
                "days_overdue": 0,
            }
        ],
        "scores": [score, credit],
        "facilities": [],
        "alerts": [alert],
        "facts": [],
    }


def page_for(role: str | None, served: dict[str, Any], rule_set: RuleSet) -> dict[str, Any]:
    allowed = permissions([], rule_set.parameters["purposes_without_consent"].value)
    return page(CLIENT, served, allowed, "P1_SERVICE", role, rule_set.parameters)


def told(words: str) -> list[str]:
    return [word for word in TELLING if word in words.lower().replace(CLIENT, "")]


@pytest.mark.parametrize("role", ["RM", "RO", "CP", "OPS"])
def test_a_page_tells_nothing(role: str, served: dict[str, Any], rule_set: RuleSet) -> None:
    shown = page_for(role, served, rule_set)
    assert [score["score_type"] for score in shown["scores"]] == ["CREDIT"]
    assert told(msgspec.json.encode(shown, enc_hook=str).decode()) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_in_a_terminal_tells_nothing(
    language: Any, served: dict[str, Any], rule_set: RuleSet
) -> None:
    def printed(role: str) -> str:
        with out.capture() as capture:
            print_page(page_for(role, served, rule_set), language)
        return capture.get()

    assert told(printed("RM")) == []
    assert {"m01", {"en": "launder", "zh": "洗钱"}[language]} <= set(told(printed("CO")))


@pytest.mark.parametrize("role", OTHERS)
def test_scores_hits_factors_and_the_list_are_for_compliance(
    role: str | None, night: AmlNight, rule_set: RuleSet
) -> None:
    scores = list(scored("AML", night.candidates, AS_OF, rule_set).values())
    assert reading.scores(scores, role) == []
    assert reading.scores(scores, "CO") == scores
    for table in (night.hits, night.factors, night.large):
        rows = table.to_pylist()
        assert rows
        assert reading.confidential(rows, role) == []
        assert reading.confidential(rows, "CO") == rows


def test_no_attribute_condition_or_export_tells_of_it(tmp_path: Path) -> None:
    names = {*ATTRIBUTES, *FIELDS}
    words = " ".join(f"{name} {' '.join(labels.ATTRIBUTES.get(name, ()))}" for name in names)
    assert told(words) == []
    row = {"client_id": "C1", "attributes": {}, "aml": "HIGH", "reason_codes": "M01"}
    client_list.export([row], tmp_path / "list.csv")
    (exported,) = csv.DictReader((tmp_path / "list.csv").open(encoding="utf-8"))
    assert told(" ".join([*exported, *exported.values()])) == []


def test_messages_of_compliance_reach_no_relationship_manager() -> None:
    owners = {role: Owner(role, role, f"{role}@bank", ("mail", "file")) for role in ROLES}
    for owner in ("CO", "CO+RM", "RM+CO"):
        assert routes(owner, owners)
        assert not [name for name in routes(owner, owners) if name.startswith("RM:")]


def test_the_relationship_manager_gets_one_neutral_task(night: AmlNight, rule_set: RuleSet) -> None:
    figures, names = rule_set.parameters, ("client_id", "band", "last_review", "next_review")
    due = AS_OF + dt.timedelta(days=20)
    rows = [("high", "HIGH"), ("medium", "MEDIUM"), ("low", "LOW")]
    rows = [dict(zip(names, (*row, dt.date(2025, 4, 20), due), strict=True)) for row in rows]
    later = rows[0] | {"client_id": "later", "next_review": AS_OF + dt.timedelta(days=31)}
    suppressed = rows[0] | {"client_id": "suppressed", "next_review": None}
    tasks = refresh_tasks(pa.Table.from_pylist([*rows, later, suppressed]), AS_OF, figures)
    assert set(tasks) == {"high", "medium", "low"}
    assert len(set(tasks.values())) == 1  # nothing tells the levels apart
    (task,) = set(tasks.values())
    assert (task.owner, task.due) == ("RM", due)
    assert told(msgspec.json.encode(task).decode()) == []


def test_a_task_that_is_overdue_is_due_today(rule_set: RuleSet) -> None:
    row = {
        "client_id": "C1",
        "last_review": dt.date(2024, 1, 1),
        "next_review": dt.date(2026, 1, 1),
    }
    tasks = refresh_tasks(pa.Table.from_pylist([row]), AS_OF, rule_set.parameters)
    assert tasks["C1"].due == AS_OF


def test_a_message_of_an_alert_is_what_the_alert_says() -> None:
    """The words of a message come from the alert alone, which routes keep from the others."""
    alert = {
        "severity": "P1",
        "rule_id": "RT-07",
        "entity": "client/C1",
        "message_zh": "zh",
        "message_en": "en",
        "degraded": False,
        "client_id": "C1",
        "owner": "CO",
        "event_time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "alert_id": "A1",
    }
    assert told(" ".join(text(alert))) == []
