"""Metrics against cases counted by hand and against scikit-learn."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from lifecycle.models import metrics
from lifecycle.models.figures import Figures

PD = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.6])
BAD = np.array([0, 0, 1, 0, 1, 1], dtype="int8")
BY_HAND = {
    # Of 9 pairs: 0.2 beats 0.1 and ties 0.2; 0.4 and 0.6 beat all three goods.
    "auc": 7.5 / 9,
    "gini": 2 * 7.5 / 9 - 1,
    # At 0.3: all goods, one bad of three.
    "ks": 2 / 3,
    "pr_auc": (1 + 1 + 3 / 5) / 3,
    "brier": (0.01 + 0.04 + 0.64 + 0.09 + 0.36 + 0.16) / 6,
    # A tenth of six rows is six tenths of the worst row, a bad.
    "capture_10": 0.6 / 3,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_case_by_hand(name: str) -> None:
    assert metrics.METRICS[name](metrics.counts(PD, BAD)) == pytest.approx(BY_HAND[name])


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(20, 300), st.integers(1, 3))
def test_scikit_learn_agrees(seed: int, rows: int, digits: int) -> None:
    draw = np.random.default_rng(seed)
    pd = np.clip(np.round(draw.random(rows), digits), 0.001, 0.999)
    bad = (draw.random(rows) < pd).astype("int8")
    bad[:2] = 0, 1
    c = metrics.counts(pd, bad)
    assert metrics.auc(c) == pytest.approx(roc_auc_score(bad, pd))
    assert metrics.pr_auc(c) == pytest.approx(average_precision_score(bad, pd))
    assert metrics.brier(c) == pytest.approx(brier_score_loss(bad, pd))


def test_calibration_is_a_logistic_regression() -> None:
    draw = np.random.default_rng(1)
    pd = draw.uniform(0.01, 0.6, 2_000)
    bad = (draw.random(2_000) < pd / 2).astype("int8")
    c, odds = metrics.counts(pd, bad), np.log(pd / (1 - pd))
    free = LogisticRegression(C=np.inf, tol=1e-10).fit(odds[:, None], bad)
    assert metrics.calibration_slope(c) == pytest.approx(free.coef_[0, 0], abs=1e-4)
    shift = metrics.calibration_in_the_large(c)
    assert np.mean(1 / (1 + np.exp(-odds - shift))) == pytest.approx(bad.mean())
    assert shift < 0


@given(st.floats(0.05, 0.95))
def test_the_true_pd_of_all_rows_needs_no_shift(rate: float) -> None:
    rows = 1_000.0
    c = metrics.Counts(np.array([rate]), np.array([rows]), np.array([rate * rows]))
    assert metrics.calibration_in_the_large(c) == pytest.approx(0, abs=1e-6)


def test_delong_by_hand() -> None:
    """Bads have 0.8, 0.4 and goods 0.6, 0.2 in one model; the other parts them."""
    bad = np.array([1, 1, 0, 0], dtype="int8")
    one, other = np.array([0.8, 0.4, 0.6, 0.2]), np.array([0.9, 0.8, 0.2, 0.1])
    found = metrics.delong(one, other, bad)
    # Shares of pairs won: bads 1 and 1/2, goods 1/2 and 1; variances 1/8 each, over two of each.
    assert (found.auc, found.other, found.difference) == (0.75, 1.0, 0.25)
    deviation = (0.125 / 2 + 0.125 / 2) ** 0.5
    assert found.high - found.low == pytest.approx(2 * 1.959964 * deviation, rel=1e-5)
    assert found.p == pytest.approx(0.4795, abs=1e-4)


def test_delong_of_a_model_and_itself_is_no_difference() -> None:
    assert metrics.delong(PD, PD * 0.5, BAD)[2:] == (0.0, 0.0, 0.0, 1.0)


def test_psi_by_hand() -> None:
    spread = metrics.Distribution((500.0,), (0.5, 0.5))
    counted = spread.spread(np.array([400.0, 500.0, 500.0, 501.0]))
    assert counted.tolist() == [3, 1]
    assert metrics.psi(spread.shares, counted) == pytest.approx(
        0.25 * np.log(1.5) - 0.25 * np.log(0.5)
    )
    assert metrics.psi(spread.shares, np.array([7.0, 7.0])) == 0
    assert 0 < metrics.psi(spread.shares, np.array([7.0, 0.0])) < np.inf


@given(st.lists(st.integers(300, 850), min_size=2, max_size=200))
def test_development_is_spread_like_itself(scores: list[int]) -> None:
    own = np.array(scores, dtype=float)
    spread = metrics.distribution(own)
    assert sum(spread.shares) == pytest.approx(1)
    assert metrics.psi(spread.shares, spread.spread(own)) == pytest.approx(0, abs=1e-9)


def test_intervals_hold_the_value_and_come_again(figures: Figures) -> None:
    few = msgspec.structs.replace(figures.validation, resamples=50)
    draw = np.random.default_rng(3)
    pd = draw.uniform(0.02, 0.5, 800)
    bad = (draw.random(800) < pd).astype("int8")
    spread = metrics.distribution(pd)
    found = metrics.measured(pd, bad, few, pd[::-1] * 1.1, spread)
    assert found == metrics.measured(pd, bad, few, pd[::-1] * 1.1, spread)
    for name in metrics.METRICS:
        low, high = found.intervals[name]
        assert low < found.values[name] < high, name
    assert found.values["psi"] > 0


def test_without_development_there_is_no_psi(figures: Figures) -> None:
    few = msgspec.structs.replace(figures.validation, resamples=5)
    found = metrics.document(metrics.measured(PD, BAD, few))
    assert found["psi"] is None
    assert found["intervals"]["psi"] is None
    assert found["n"], found["n_bad"] == (6, 3)
