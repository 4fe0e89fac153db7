"""Rule files: read whole, hashed, refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.alerts.realtime import RULES
from lifecycle.alerts.rules import RuleSet, load_rules, parse_rules
from lifecycle.errors import UsageError
from lifecycle.settings import ROOT


def test_a_stored_rule_set_is_the_same_rule_set(rule_set: RuleSet) -> None:
    assert parse_rules(rule_set.content) == rule_set


def test_every_wired_rule_is_defined(rule_set: RuleSet) -> None:
    assert {rule_id for rule_id, _, _ in RULES} <= rule_set.rules.keys()


def test_every_figure_says_where_it_is_from(rule_set: RuleSet) -> None:
    figures = [*rule_set.parameters.values()]
    for rule in rule_set.rules.values():
        figures += rule.parameters.values()
    assert figures
    assert all(figure.source and figure.unit and figure.effective_from for figure in figures)


def test_a_changed_figure_changes_the_hash(tmp_path: Path, rule_set: RuleSet) -> None:
    for path in (ROOT / "rules").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.replace('CNY: "50000"', 'CNY: "60000"'), "utf-8")
    assert load_rules(tmp_path).hash != rule_set.hash


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("parameters: {x: {value: 1}}", "not valid"),
        ("rules: [", "not valid"),
        ("surprise: 1", "not valid"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(UsageError, match=part) as refused:
        load_rules(tmp_path)
    assert "bad.yaml" in str(refused.value)


def test_a_figure_is_defined_once(tmp_path: Path) -> None:
    figure = "{value: 1, unit: u, source: s, effective_from: 2026-01-01, verified: true}"
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"parameters: {{x: {figure}}}")
    with pytest.raises(UsageError, match="twice"):
        load_rules(tmp_path)


def test_an_empty_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rules"):
        load_rules(tmp_path)
