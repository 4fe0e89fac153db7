"""PDs, their shift, grades and bands; the scale of points."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.models.calibration import LEAST, Calibration, logit, prior_shift
from lifecycle.models.figures import Figures

ODDS = st.floats(-1e4, 1e4)


def test_the_scale_is_that_of_the_specification(figures: Figures) -> None:
    assert round(figures.scale.factor, 2) == 28.85
    assert round(figures.scale.offset, 2) == 487.12
    assert figures.scale.clip(figures.scale.offset + figures.scale.factor * math.log(100)) == 620


@given(st.floats(0.01, 3), st.floats(-3, 3), ODDS, ODDS)
def test_a_pd_rises_with_the_odds_and_stays_within_0_and_1(
    slope: float, intercept: float, one: float, other: float
) -> None:
    line = Calibration(intercept, slope)
    low, high = sorted((one, other))
    assert 0 < LEAST <= line.pd(low) <= line.pd(high) < 1


@given(st.floats(0.001, 0.9), st.floats(0.001, 0.9))
def test_a_shift_moves_the_average_row_to_the_other_bad_rate(own: float, target: float) -> None:
    line = Calibration(0.0, 1.0, prior_shift(target, own))
    assert line.pd(logit(own)) == pytest.approx(target, rel=1e-5)


@given(st.floats(0.01, 0.99), ODDS)
def test_a_share_of_the_bads_is_that_share_of_the_pd(share: float, odds: float) -> None:
    whole, part = Calibration(0.0, 1.0), Calibration(0.0, 1.0, share=share)
    assert part.pd(odds) == pytest.approx(max(share * whole.pd(odds), LEAST), rel=1e-4)


RATINGS = [
    (0.000001, 1, "A"),
    (0.000999, 1, "A"),
    (0.001, 2, "A"),
    (0.00999, 4, "A"),
    (0.01, 5, "B"),
    (0.03, 6, "C"),
    (0.0799, 7, "C"),
    (0.08, 8, "D"),
    (0.1999, 9, "D"),
    (0.2, 9, "E"),
    (0.3, 10, "E"),
    (0.999999, 10, "E"),
]


@pytest.mark.parametrize(("pd", "grade", "band"), RATINGS)
def test_each_end_belongs_to_the_next_one(
    pd: float, grade: int, band: str, figures: Figures
) -> None:
    assert (figures.ratings.grade(pd), figures.ratings.band(pd)) == (grade, band)
