"""The suites as they stand: every rule of the specification, each with an id, an action and both
languages."""

from __future__ import annotations

from importlib import import_module

import pytest

from expectations.gate import Rule

STAGES = ("raw", "raw_hour", "staged")
RULES: tuple[Rule, ...] = tuple(
    rule for stage in STAGES for rule in import_module(f"expectations.{stage}").RULES
)


def test_ids_and_reasons_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.reason for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_rule_says_what_it_does_in_both_languages(rule: Rule) -> None:
    assert rule.action in ("quarantine", "block", "warn")
    assert rule.reason == rule.reason.upper()
    assert any("\u4e00" <= sign <= "\u9fff" for sign in rule.zh)
    assert rule.en.isascii()
    assert rule.en


@pytest.mark.parametrize(("stage", "last"), [("raw", 12), ("staged", 16)])
def test_every_number_of_the_specification_has_its_rule(stage: str, last: int) -> None:
    numbers = {rule.id.split("-")[1] for rule in RULES if rule.id.split("-")[0] == stage}
    assert numbers == {f"{number:02d}" for number in range(1, last + 1)}
