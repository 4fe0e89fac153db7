"""Quality of a profile: cases worked by hand, bounds, and that age never improves it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alerts.rules import Parameter, load_rules
from lifecycle.clients.attribute import Attribute, Figures, NullReason, Value, attribute
from lifecycle.clients.checks import Check
from lifecycle.clients.facts import Facts
from lifecycle.clients.quality import Quality, completeness, freshness, quality, validity
from lifecycle.clients.verdicts import Result
from lifecycle.settings import ROOT

AS_OF = dt.datetime(2026, 3, 31, 16, tzinfo=dt.UTC)  # midnight in Shanghai
FIGURES = load_rules(ROOT / "rules").parameters
KINDS = FIGURES["freshness_half_life"].value
NULLS: tuple[NullReason, ...] = ("UNKNOWN", "NOT_APPLICABLE", "NOT_CONSENTED", "SUPPRESSED")


def of_kind(ages: str) -> Attribute:
    @attribute("unit", ages=ages)
    def derived(facts: Facts, figures: Figures) -> ir.Table:
        raise NotImplementedError

    return derived


ATTRIBUTES = {kind: of_kind(kind) for kind in KINDS}
"""One attribute of each kind, named after it."""


def known(name: str, days: float | None = 0) -> Value:
    """A value whose newest fact is so many days old."""
    return Value(
        name=name,
        value="1",
        unit="unit",
        purpose="P1_SERVICE",
        confidence=1.0,
        null_reason=None,
        source_event_ids=("e1",),
        source_time=None if days is None else AS_OF - dt.timedelta(days=days),
    )


def null(name: str, why: NullReason) -> Value:
    return Value(
        name=name,
        value=None,
        unit="unit",
        purpose="P1_SERVICE",
        confidence=0.0,
        null_reason=why,
        source_event_ids=(),
        source_time=None,
    )


def results(*found: Result) -> list[Check]:
    return [
        Check(
            id=f"CV{number:02d}",
            result=result,
            na_reason="UNKNOWN" if result == "NA" else None,
            left=None,
            right=None,
            measure=None,
            reason_zh="",
            reason_en="",
            preferred=None,
            owner=None,
            due_days=None,
        )
        for number, result in enumerate(found, 1)
    ]


def weighted(**weights: Any) -> Figures:
    return FIGURES | {
        "attribute_weights": Parameter(
            value=weights, unit="u", source="s", effective_from="2026-01-01", verified=False
        )
    }


@pytest.mark.parametrize(
    ("profile", "weights", "share"),
    [
        ([], {}, "0"),
        ([known("income")], {}, "1/7"),
        ([known(kind) for kind in KINDS], {}, "1"),
        ([null(kind, "UNKNOWN") for kind in KINDS], {}, "0"),
        ([null(kind, "NOT_CONSENTED") for kind in KINDS], {}, "0"),
        ([known("income"), null("kyc", "NOT_CONSENTED"), null("balances", "NOT_APPLICABLE")], {}, "1/5"),
        ([known("income"), null("kyc", "UNKNOWN"), null("balances", "SUPPRESSED")], {}, "1/7"),
        ([known("income")], {"income": 2}, "2/8"),
        ([known("income")], {"kyc": "0.5", "balances": 0}, "1/5.5"),
        ([known("income"), known("no attribute")], {}, "1/7"),
    ],
)  # fmt: skip
def test_completeness(profile: list[Value], weights: dict[str, Any], share: str) -> None:
    part, _, whole = share.partition("/")
    got = completeness({v.name: v for v in profile}, ATTRIBUTES, weighted(**weights))
    assert got == Decimal(part) / Decimal(whole or 1)


@pytest.mark.parametrize(
    ("profile", "weights", "share"),
    [
        ([], {}, "0"),
        ([known("income", 0.9)], {}, "1"),
        ([known("income", 45)], {}, "0.5"),
        ([known("income", 90)], {}, "0.25"),
        ([known("balances", 1)], {}, "0.5"),
        ([known("kyc", 365)], {}, "0.5"),
        ([known("tolerance", 180)], {}, "0.5"),
        ([known("statements", 200)], {}, "0.5"),
        ([known("interaction", 60)], {}, "0.5"),
        ([known("identity", 20_000)], {}, "1"),
        ([known("identity", None)], {}, "1"),
        ([known("income", None)], {}, "0"),
        ([known("income", 45), known("kyc", 0)], {}, "0.75"),
        ([known("income", 45), null("kyc", "UNKNOWN"), null("balances", "NOT_CONSENTED")], {}, "0.5"),
        ([known("income", 45), known("kyc", 0)], {"income": 3}, "0.625"),
        ([known("income", -5)], {}, "1"),
    ],
)  # fmt: skip
def test_freshness(profile: list[Value], weights: dict[str, Any], share: str) -> None:
    got = freshness({v.name: v for v in profile}, ATTRIBUTES, AS_OF, weighted(**weights))
    assert got == Decimal(share)


@pytest.mark.parametrize(
    ("found", "share"),
    [
        ((), "1"),
        (("NA",), "1"),
        (("PASS", "PASS"), "1"),
        (("FAIL",), "0"),
        (("WARN",), "0.5"),
        (("PASS", "PASS", "WARN", "FAIL"), "0.625"),
        (("PASS", "FAIL", "NA", "NA"), "0.5"),
    ],
)
def test_validity(found: tuple[Result, ...], share: str) -> None:
    assert validity(results(*found)) == Decimal(share)


def test_quality_is_put_together() -> None:
    profile = {"income": known("income", 45), "kyc": null("kyc", "UNKNOWN")}
    attributes = {name: ATTRIBUTES[name] for name in profile}
    found = quality(profile, results("PASS", "WARN"), attributes, AS_OF, FIGURES)
    assert found == Quality(
        completeness=Decimal("0.5000"),
        freshness=Decimal("0.5000"),
        validity=Decimal("0.7500"),
        profile_quality=Decimal("0.5500"),  # 0.45 * 0.5 + 0.35 * 0.5 + 0.2 * 0.75
        grade="C",
    )


@pytest.mark.parametrize(
    ("present", "failed", "whole", "grade"),
    [
        # 0.45 * present / 100 + 0.35 if any is present + 0.20 * (100 - failed) / 100
        (100, 0, "1.0000", "A"),
        (100, 75, "0.8500", "A"),
        (100, 76, "0.8480", "B"),
        (75, 63, "0.7615", "B"),
        (40, 15, "0.7000", "B"),
        (40, 16, "0.6980", "C"),
        (0, 50, "0.1000", "D"),
        (20, 70, "0.5000", "C"),
        (20, 71, "0.4980", "D"),
    ],
)
def test_grades(present: int, failed: int, whole: str, grade: str) -> None:
    names = [f"a{number}" for number in range(100)]
    attributes = {name: of_kind("identity") for name in names}
    profile = {name: known(name) for name in names[:present]}
    found = results(*["FAIL"] * failed, *["PASS"] * (100 - failed))  # type: ignore[list-item]
    got = quality(profile, found, attributes, AS_OF, FIGURES)
    assert (got.profile_quality, got.grade) == (Decimal(whole), grade)


values = st.one_of(
    st.builds(known, st.just(""), st.none() | st.floats(0, 40_000)),
    st.builds(null, st.just(""), st.sampled_from(NULLS)),
)
profiles = st.dictionaries(st.sampled_from(sorted(KINDS)), values)
found_results = st.lists(st.sampled_from(["PASS", "WARN", "FAIL", "NA"]))
weights = st.dictionaries(st.sampled_from(sorted(KINDS)), st.integers(0, 9))


@given(profiles, found_results, weights)
def test_every_figure_is_a_share(
    profile: dict[str, Value], found: list[Result], weights: dict[str, int]
) -> None:
    got = quality(profile, results(*found), ATTRIBUTES, AS_OF, weighted(**weights))
    for share in (got.completeness, got.freshness, got.validity, got.profile_quality):
        assert 0 <= share <= 1
    assert got.grade in "ABCD"


@given(profiles, weights, st.integers(0, 3000))
def test_a_profile_that_gets_older_gets_no_better(
    profile: dict[str, Value], weights: dict[str, int], days: int
) -> None:
    later = AS_OF + dt.timedelta(days=days)
    now, then = (
        freshness(profile, ATTRIBUTES, when, weighted(**weights)) for when in (AS_OF, later)
    )
    assert then <= now


@given(profiles, st.sampled_from(sorted(KINDS)), st.sampled_from(NULLS[1:3]))
def test_what_is_not_allowed_counts_as_if_it_were_no_attribute(
    profile: dict[str, Value], name: str, why: NullReason
) -> None:
    fewer = {kind: row for kind, row in ATTRIBUTES.items() if kind != name}
    without = quality(profile, [], fewer, AS_OF, FIGURES)
    assert quality(profile | {name: null(name, why)}, [], ATTRIBUTES, AS_OF, FIGURES) == without
