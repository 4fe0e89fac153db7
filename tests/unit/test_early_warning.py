"""Lead times, false alarms and discrimination against cases worked by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.early_warning import (
    Alarms,
    Watch,
    discrimination,
    held,
    judged,
    lead_days,
    months_before,
    threshold_of,
)
from lifecycle.models import metrics

ENDS = tuple(
    dt.date.fromisoformat(f"2026-{text}")
    for text in ("01-31", "02-28", "03-31", "04-30", "05-31", "06-30")
)
EVENT = dt.date(2026, 7, 10)


@pytest.mark.parametrize(
    ("raised", "days"),
    [
        ("......", 0),
        (".....!", 10),
        ("....!!", 40),
        ("!!!!!!", 160),
        # A warning that went away is worth nothing, and one that came back counts anew.
        ("!!!!!.", 0),
        ("!!!.!!", 40),
    ],
)
def test_a_lead_is_counted_from_the_first_warning_that_still_stands(raised: str, days: int) -> None:
    assert lead_days(ENDS, [mark == "!" for mark in raised], EVENT) == days


def test_without_a_month_end_there_is_no_lead() -> None:
    assert lead_days((), (), EVENT) == 0


def watch(name: str, risks: str, event: dt.date | None = None) -> Watch:
    """Risks of one digit each."""
    return Watch(name, ENDS[: len(risks)], tuple(map(float, risks)), event)


BOOK = [
    watch("warned", "145555", EVENT),
    watch("late", "111115", EVENT),
    watch("lost", "555511", EVENT),
    watch("never", "12", dt.date(2026, 3, 5)),
    watch("calm", "111211"),
    watch("nervous", "161661"),
    watch("young", "1"),
]


def test_leads_and_alarms_of_a_book_of_loans() -> None:
    found = judged(BOOK, 5, (30, 60, 90))
    # 2026-03-31 to 07-10 is 101 days, 06-30 is 10; two had no warning that stood.
    assert found.lead == (4, 5.0, 0.0, {30: 0.25, 60: 0.25, 90: 0.25})
    assert found.alarms == Alarms(months=13, standing=3, fresh=2)
    assert found.alarms.per_thousand == pytest.approx(3000 / 13)
    assert found.alarms.fresh_per_thousand == pytest.approx(2000 / 13)


def test_a_lower_threshold_warns_earlier_and_more_often() -> None:
    assert judged(BOOK, 4, (90,)).lead.median == 5.0
    assert judged(BOOK, 2, (90,)).alarms.standing == 4
    assert judged(BOOK, 1, (90,)).lead.shares[90] == 0.75


@pytest.mark.parametrize(
    ("per_thousand", "threshold"),
    # Of 13 month-ends of good loans nine have a risk of 1, one of 2 and three of 6.
    [(1000, 1.0), (350, 2.0), (300, 4.0), (231, 4.0)],
)
def test_the_lowest_threshold_within_a_budget_of_alarms(
    per_thousand: float, threshold: float
) -> None:
    assert threshold_of(BOOK, per_thousand) == threshold


def test_a_budget_that_no_risk_keeps_warns_of_nobody() -> None:
    assert judged(BOOK, threshold_of(BOOK, 100), (90,)).alarms.standing == 0
    assert threshold_of(BOOK, 100) > 6


@pytest.mark.parametrize(
    ("risks", "months", "standing"),
    [("131211", 1, "131211"), ("131211", 3, "133322"), ("5", 3, "5"), ("", 3, "")],
)
def test_a_warning_is_held_for_some_months(risks: str, months: int, standing: str) -> None:
    assert held(watch("a", risks, EVENT), months) == watch("a", standing, EVENT)


@pytest.mark.parametrize(
    ("first", "last", "risks"),
    [(1, 1, (6.0,)), (2, 3, (4.0, 5.0)), (4, 9, (1.0, 2.0, 3.0)), (7, 9, ())],
)
def test_months_before_the_event(first: int, last: int, risks: tuple[float, ...]) -> None:
    assert tuple(months_before(first, last)(watch("a", "123456", EVENT))) == risks


def test_the_last_month_before_the_event_against_good_months() -> None:
    found = discrimination(BOOK, months_before(1, 1), resamples=200, coverage=0.95)
    # 5 is above ten good month-ends of 13 (twice); 1 ties with nine, once; 2 is above nine, ties one.
    assert found is not None
    assert found.events == 4
    assert found.auc == pytest.approx((10 + 10 + 4.5 + 9.5) / 4 / 13)
    assert found.low <= found.auc <= found.high


def test_no_event_so_long_before_says_nothing() -> None:
    assert discrimination(BOOK, months_before(7, 12), resamples=10, coverage=0.95) is None


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_with_one_month_end_a_loan_it_is_the_auc_of_the_models(
    bads: list[int], goods: list[int]
) -> None:
    book = [watch(f"b{n}", str(risk), EVENT) for n, risk in enumerate(bads)]
    book += [watch(f"g{n}", str(risk)) for n, risk in enumerate(goods)]
    found = discrimination(book, months_before(1, 1), resamples=1, coverage=0.95)
    risks, bad = [*bads, *goods], [1] * len(bads) + [0] * len(goods)
    counted = metrics.counts(np.array(risks, float), np.array(bad, np.int8))
    assert found is not None
    assert found.auc == pytest.approx(metrics.auc(counted))
