"""Points, decay, levels and reviews of one client; working days."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.risk.aml.factor import FACTORS
from lifecycle.risk.aml.large import due_date, working_days_after
from lifecycle.risk.aml.score import (
    Inputs,
    Part,
    Total,
    decayed,
    model_version,
    next_review,
    score,
    total,
)
from lifecycle.risk.aml.typologies import TYPOLOGIES
from lifecycle.risk.score import Score, band_of
from lifecycle.settings import ROOT

FIGURES = load_rules(ROOT / "rules").parameters
TODAY = dt.date(2026, 3, 31)


def points_of(code: str) -> int:
    return int(FIGURES[f"aml_{code.lower()}"].value["points"])


def hit(code: str, age: int = 0, sources: tuple[str, ...] = ("E1",)) -> Part:
    return Part(code, points_of(code), sources, TODAY - dt.timedelta(days=age))


def factor(code: str) -> Part:
    return Part(code, points_of(code), ("F1",))


def of(factors: list[Part], hits: list[Part]) -> Score:
    return score(Inputs(tuple(factors), tuple(hits)), TODAY, FIGURES)


def totalled(factors: list[Part], hits: list[Part]) -> Total:
    return total(Inputs(tuple(factors), tuple(hits)), TODAY, FIGURES)


AGES = [(0, "25.0"), (30, "17.7"), (60, "12.5"), (120, "6.3"), (365, "0.4"), (-1, "25.0")]


@pytest.mark.parametrize(("age", "left"), AGES)
def test_points_halve_every_sixty_days(age: int, left: str) -> None:
    assert decayed(25, TODAY - dt.timedelta(days=age), TODAY, FIGURES) == Decimal(left)


def test_a_typology_counts_by_its_strongest_hit() -> None:
    made = of([], [hit("M01", 60), hit("M01", 0, ("E2",)), hit("M01", 5)])
    (reason,) = made.reasons
    assert (reason.points, made.evidence, made.value) == (25.0, ("E2",), 25)


def test_both_parts_have_a_most() -> None:
    both = [factor(code) for code in FACTORS], [hit(code) for code in TYPOLOGIES]
    found, made = totalled(*both), of(*both)
    assert (found.static, found.dynamic, made.value, made.band) == (40, 60, 100, "HIGH")
    assert len(made.reasons) == 4
    assert len(found.counted) == len(FACTORS) + len(TYPOLOGIES)


def test_reasons_come_by_points_with_texts_and_evidence() -> None:
    made = of([factor("S02")], [hit("M08"), hit("M01")])
    assert [(r.code, r.points) for r in made.reasons] == [("M01", 25), ("S02", 20), ("M08", 5)]
    assert all(r.zh and r.en for r in made.reasons)
    assert made.evidence == ("E1", "F1")


@pytest.mark.parametrize(
    ("value", "name"),
    [(0, "LOW"), (39, "LOW"), (40, "MEDIUM"), (69, "MEDIUM"), (70, "HIGH"), (100, "HIGH")],
)
def test_levels(value: int, name: str) -> None:
    assert band_of(value, FIGURES["aml_levels"].value) == name


@pytest.mark.parametrize(
    ("last", "level", "due"),
    [
        ("2026-01-15", "HIGH", "2026-07-15"),
        ("2026-01-15", "MEDIUM", "2027-01-15"),
        ("2026-01-15", "LOW", "2028-01-15"),
        ("2026-08-31", "HIGH", "2027-02-28"),
        ("2024-02-29", "MEDIUM", "2025-02-28"),
    ],
)
def test_the_next_review_is_by_level(last: str, level: str, due: str) -> None:
    assert next_review(dt.date.fromisoformat(last), level, FIGURES).isoformat() == due


@pytest.mark.parametrize(
    ("day", "holidays", "due"),
    [
        ("2026-03-30", (), "2026-04-06"),  # a Monday
        ("2026-03-27", (), "2026-04-03"),  # a Friday
        ("2026-03-28", (), "2026-04-03"),  # a Saturday
        ("2026-03-30", ("2026-04-01",), "2026-04-07"),
    ],
)
def test_working_days(day: str, holidays: tuple[str, ...], due: str) -> None:
    found = working_days_after(dt.date.fromisoformat(day), 5, (1, 2, 3, 4, 5), holidays)
    assert found.isoformat() == due


def test_a_report_is_due_after_the_working_days_of_the_rules() -> None:
    assert due_date(dt.date(2026, 3, 27), FIGURES) == dt.date(2026, 4, 3)


def test_the_list_and_the_stream_know_one_threshold(rule_set: RuleSet) -> None:
    stream = rule_set.rules["RT-07"].parameters
    for kind, limits in rule_set.parameters["aml_large"].value.items():
        assert {unit: stream[kind].value[unit] for unit in limits} == limits


def test_another_figure_is_another_model() -> None:
    half = msgspec.structs.replace(FIGURES["aml_half_life_days"], value=30)
    assert model_version(FIGURES) != model_version({**FIGURES, "aml_half_life_days": half})


HITS = st.lists(
    st.builds(hit, st.sampled_from(sorted(TYPOLOGIES)), st.integers(0, 365)), max_size=20
)
KNOWN = st.lists(st.sampled_from(sorted(FACTORS)), unique=True).map(lambda cs: [*map(factor, cs)])


@given(KNOWN, HITS)
def test_a_score_is_between_0_and_100(factors: Any, hits: Any) -> None:
    made = of(factors, hits)
    assert made.value is not None
    assert 0 <= made.value <= 100


@given(KNOWN, HITS, st.randoms())
def test_the_order_of_hits_says_nothing(factors: Any, hits: Any, random: Any) -> None:
    shuffled = random.sample(hits, len(hits))
    assert of(factors, shuffled) == of(factors, hits)


@given(KNOWN, HITS, HITS)
def test_another_hit_never_lowers_a_score(factors: Any, hits: Any, more: Any) -> None:
    less, with_more = of(factors, hits).value, of(factors, hits + more).value
    assert less is not None
    assert with_more is not None
    assert less <= with_more


@given(st.integers(0, 100), st.integers(0, 1_000), st.integers(0, 1_000))
def test_points_never_grow_with_age(points: int, one: int, other: int) -> None:
    younger, older = sorted((one, other))

    def left(age: int) -> Decimal:
        return decayed(points, TODAY - dt.timedelta(days=age), TODAY, FIGURES)

    assert 0 <= left(older) <= left(younger) <= points
