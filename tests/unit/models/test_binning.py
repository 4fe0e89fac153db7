"""Bins: sizes, trends, weights of evidence, and what has no information."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.models.binning import _short, binned
from lifecycle.models.figures import Figures
from lifecycle.models.table import MISSING, Column

ROWS = 2_000


def drawn(shape, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    values = draw.uniform(-2, 2, ROWS)
    return values, (draw.random(ROWS) < 1 / (1 + np.exp(-shape(values)))).astype("int8")


SHAPES = [
    (lambda x: -1.5 - x, "ascending"),
    (lambda x: -1.5 + x, "descending"),
    (lambda x: -3 + 1.5 * x**2, "peak"),
    (lambda x: 0.5 - 1.5 * x**2, "valley"),
]


@pytest.mark.parametrize(("shape", "trend"), SHAPES)
def test_the_trend_is_found_and_points_follow_it(shape, trend: str, figures: Figures) -> None:
    values, bad = drawn(shape)
    found = binned(Column("number", values), bad, figures.binning)
    assert found.trend == trend
    assert found.bins > 3
    assert (found.rows[: found.bins] >= figures.binning.bin_share * ROWS).all()
    steps = np.sign(np.diff(found.woe[: found.bins]))
    assert (np.diff(steps[steps != 0]) != 0).sum() == (trend in {"peak", "valley"})


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), holes=st.floats(0, 0.5), digits=st.integers(1, 4))
def test_a_trend_turns_once_at_most_whatever_the_values(
    seed: int, holes: float, digits: int, figures: Figures
) -> None:
    values, bad = drawn(lambda x: -1 + np.sin(3 * x), seed)
    values = np.where(
        np.random.default_rng(seed).random(ROWS) < holes, np.nan, values.round(digits - 1)
    )
    found = binned(Column("number", values), bad, figures.binning)
    steps = np.sign(np.diff(found.woe[: found.bins]))
    steps = steps[steps != 0]
    assert (np.diff(steps) != 0).sum() <= 1
    assert found.rows.sum() == ROWS
    assert found.bads.sum() == bad.sum()
    assert found.rows[-1] == np.isnan(values).sum()


def test_weights_are_smoothed_shares_by_hand(figures: Figures) -> None:
    """400 rows: of 200 below zero 60 are bad, of 150 above 15, of 50 without a value 25."""
    values = np.repeat([-1.0, 1.0, np.nan], [200, 150, 50])
    bad = np.zeros(400, dtype="int8")
    bad[:60] = bad[200:215] = bad[350:375] = 1
    found = binned(Column("number", values), bad, figures.binning)
    assert found.rows.tolist() == [200, 150, 50]
    assert found.bads.tolist() == [60, 15, 25]
    goods, bads = np.array([140, 135, 25]), np.array([60, 15, 25])
    woe = np.log(((goods + 0.5) / 300) / ((bads + 0.5) / 100))
    assert found.woe == pytest.approx(woe)
    assert found.iv == pytest.approx(((goods / 300 - bads / 100) * woe).sum())
    assert found.evidence == pytest.approx(found.iv - 2 * (1 / 300 + 1 / 100))


def test_noise_has_no_evidence(figures: Figures) -> None:
    """Chance may still favour one of ten, as the cuts are the best of many."""
    kept = 0
    for seed in range(10):
        values, bad = drawn(lambda x: -1.5 + 0 * x, seed)
        kept += (
            binned(Column("number", values), bad, figures.binning).evidence >= figures.binning.iv
        )
    assert kept <= 1


def test_rare_and_unseen_categories_are_the_rest(figures: Figures) -> None:
    levels = ("a", "b", "c", "rare")
    draw = np.random.default_rng(1)
    codes = draw.choice([0, 1, 2, 3, MISSING], ROWS, p=[0.4, 0.3, 0.2, 0.005, 0.095]).astype(
        "int32"
    )
    rates = np.array([0.1, 0.3, 0.5, 0.5, 0.2])
    bad = (draw.random(ROWS) < rates[codes]).astype("int8")
    found = binned(Column("category", codes, levels), bad, figures.binning)
    assert {name for group in found.groups for name in group} == {"a", "b", "c"}
    assert found.rows.sum() == ROWS
    worst = found.woe[: found.bins].min()
    new = Column(
        "category", np.array([0, 1, 2, MISSING], dtype="int32"), ("c", "never seen", "rare")
    )
    weights = found.weights(new)
    assert weights[0] == worst
    assert weights[1] == weights[2] == found.woe[-1]
    assert weights[3] == found.woe[-2]


@pytest.mark.parametrize(
    "values",
    [
        np.full(ROWS, np.nan),
        np.full(ROWS, 3.0),
        np.where(np.arange(ROWS) < 10, 1.0, np.nan),
        np.where(np.arange(ROWS) % 3 == 0, np.inf, -np.inf),
    ],
)
def test_values_that_cannot_be_cut_are_one_bin(values: np.ndarray, figures: Figures) -> None:
    bad = (np.arange(ROWS) % 4 == 0).astype("int8")
    found = binned(Column("number", values), bad, figures.binning)
    assert found.bins <= 2
    assert found.rows.sum() == ROWS
    assert np.isfinite(found.woe).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20, unique=True), st.data())
def test_a_short_cut_parts_the_same_values(numbers: list[float], data) -> None:
    values = np.unique(numbers)
    place = data.draw(st.integers(1, len(values) - 1))
    middle = (values[place - 1] + values[place]) / 2
    cut = _short(values, middle)
    assert (values < cut).sum() == (values < middle).sum()
