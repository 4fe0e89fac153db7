"""Every typology, worked by hand."""

from __future__ import annotations

import pytest

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.typologies import TYPOLOGIES
from tests.lakes import ZONE, lake_of
from tests.unit.aml.cases import Case, all_cases
from tests.unit.attributes.bank import AS_OF

CASES = all_cases()
Found = dict[tuple[str, str], list[dict]]


@pytest.fixture(scope="module")
def found(rule_set: RuleSet, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Hits by code and client, by day."""
    lake = lake_of(tmp_path_factory.mktemp("aml") / "lake", CASES.bank.facts)
    hits: Found = {}
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, AS_OF, ZONE, frozenset())
        for code, typology in TYPOLOGIES.items():
            for row in engine.run(typology.hits(facts, rule_set.parameters)).to_pylist():
                hits.setdefault((code, row["client_id"]), []).append(row)
    return {key: sorted(rows, key=lambda row: row["day"]) for key, rows in hits.items()}


@pytest.mark.parametrize("case", CASES.expected, ids=lambda case: f"{case.code}-{case.client}")
def test_a_hit_is_what_was_worked_out(found: Found, case: Case) -> None:
    rows = found.get((case.code, case.client), [])
    assert [row["day"].isoformat() for row in rows] == list(case.days)
    if case.sources is not None:
        assert sorted(rows[0]["sources"]) == sorted(case.sources)
    if case.figures is not None:
        shown = {figure["name"]: str(figure["value"]) for figure in rows[0]["figures"]}
        assert shown == case.figures


def test_every_typology_has_a_case_of_both_kinds() -> None:
    assert {case.code for case in CASES.expected if case.days} == set(TYPOLOGIES)
    assert {case.code for case in CASES.expected if not case.days} == set(TYPOLOGIES)


def test_points_are_those_of_the_rules(found: Found, rule_set: RuleSet) -> None:
    for (code, _), rows in found.items():
        points = rule_set.parameters[f"aml_{code.lower()}"].value["points"]
        assert {row["points"] for row in rows} == {points}
