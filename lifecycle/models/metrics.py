"""How well PDs tell bads from goods, and how true they are. Everything is counted from (PD, rows, bads):
rows of one PD are one point, so that ties and resampling cost nothing extra.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lifecycle.models.figures import Validation

Floats = npt.NDArray[np.float64]
SEED = 20260101


class Counts(NamedTuple):
    """By PD, from low to high: rows and bads. Counts may be resampled ones."""

    pd: Floats
    rows: Floats
    bads: Floats

    @property
    def goods(self) -> Floats:
        return self.rows - self.bads


def counts(pd: Floats, bad: npt.NDArray[np.int8]) -> Counts:
    """Count rows and bads of each PD."""
    levels, place = np.unique(pd, return_inverse=True)
    return Counts(
        levels,
        np.bincount(place).astype(float),
        np.bincount(place, weights=bad).astype(float),
    )


def auc(c: Counts) -> float:
    """The chance that a bad has a higher PD than a good; a tie is half of one."""
    below = np.cumsum(c.goods) - c.goods
    return float(np.sum(c.bads * (below + c.goods / 2)) / (c.bads.sum() * c.goods.sum()))


def gini(c: Counts) -> float:
    return 2 * auc(c) - 1


def ks(c: Counts) -> float:
    """The largest distance between the distributions of goods and bads."""
    goods, bads = np.cumsum(c.goods) / c.goods.sum(), np.cumsum(c.bads) / c.bads.sum()
    return float(np.max(np.abs(goods - bads)))


def pr_auc(c: Counts) -> float:
    """Average precision: mean of the precision at each PD, by the bads it adds."""
    rows, bads = np.cumsum(c.rows[::-1]), np.cumsum(c.bads[::-1])
    precision = np.divide(bads, rows, out=np.zeros_like(bads), where=rows > 0)
    return float(np.sum(precision * c.bads[::-1]) / bads[-1])


def brier(c: Counts) -> float:
    """Mean square of PD less outcome."""
    squares = c.rows * c.pd**2 - 2 * c.pd * c.bads + c.bads
    return float(squares.sum() / c.rows.sum())


def capture(c: Counts, share: float = 0.1) -> float:
    """The share of all bads among the worst rows; rows of the PD at the border count in part."""
    rows, bads = np.cumsum(c.rows[::-1]), np.cumsum(c.bads[::-1])
    at = share * rows[-1]
    return float(np.interp(at, np.append(0, rows), np.append(0, bads)) / bads[-1])


def calibration_slope(c: Counts) -> float:
    """Slope of the outcome's log-odds on the PD's. 1 is right; below it, PDs are too far apart."""
    return _line(c, slope=None)[1]


def calibration_in_the_large(c: Counts) -> float:
    """What to add to the PDs' log-odds to meet the bad rate. 0 is right; above it, PDs are too low."""
    return _line(c, slope=1.0)[0]


def _line(c: Counts, slope: float | None) -> tuple[float, float]:
    """Logistic regression of the outcome on logit(PD) by Newton's method; the slope may be given."""
    clipped = np.clip(c.pd, 1e-9, 1 - 1e-9)
    odds = np.log(clipped / (1 - clipped))
    parts = [np.ones_like(odds)] if slope is not None else [np.ones_like(odds), odds]
    design = np.column_stack(parts)
    fixed = slope * odds if slope is not None else 0.0
    found = np.zeros(design.shape[1])
    for _ in range(25):
        pd = 1 / (1 + np.exp(-np.clip(design @ found + fixed, -30, 30)))
        gradient = design.T @ (c.bads - c.rows * pd)
        hessian = (design * (c.rows * pd * (1 - pd))[:, None]).T @ design
        # One PD for all rows has no slope; least squares leaves it where it is.
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        found += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-8:
            break
    return float(found[0]), float(found[1]) if slope is None else slope


METRICS: dict[str, Callable[[Counts], float]] = {
    "auc": auc,
    "gini": gini,
    "ks": ks,
    "pr_auc": pr_auc,
    "brier": brier,
    "calibration_slope": calibration_slope,
    "calibration_in_the_large": calibration_in_the_large,
    "capture_10": capture,
}


class Distribution(NamedTuple):
    """How scores were spread: upper ends of all bins but the last, and each bin's share."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    def spread(self, scores: Floats) -> Floats:
        place = np.searchsorted(self.edges, scores, side="left")
        return np.bincount(place, minlength=len(self.shares)).astype(float)


def distribution(scores: Floats, bins: int = 10) -> Distribution:
    """Tenths of the scores; fewer where many are equal."""
    cuts = np.unique(np.quantile(scores, np.arange(1, bins) / bins, method="inverted_cdf"))
    edges = tuple(float(cut) for cut in cuts if cut < scores.max())
    spread = Distribution(edges, (0.0,) * (len(edges) + 1)).spread(scores)
    return Distribution(edges, tuple(float(share) for share in spread / spread.sum()))


def psi(development: Sequence[float], now: Floats) -> float:
    """Population stability index of counts against shares; an empty bin counts as half a row."""
    expected, rows = np.asarray(development), now.sum()
    actual = np.where(now > 0, now, 0.5) / rows
    expected = np.where(expected > 0, expected, 0.5 / rows)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


class Measured(NamedTuple):
    """Metrics by name, each with an interval from resampled rows."""

    n: int
    n_bad: int
    mean_pd: float
    bad_rate: float
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]


def measured(
    pd: Floats,
    bad: npt.NDArray[np.int8],
    figures: Validation,
    scores: Floats | None = None,
    development: Distribution | None = None,
) -> Measured:
    """All metrics. PSI needs scores and how they were spread in development, and is None else."""
    whole = counts(pd, bad)
    values: dict[str, float | None] = {name: of(whole) for name, of in METRICS.items()}
    intervals: dict[str, tuple[float, float] | None] = dict(_intervals(whole, figures))
    values["psi"], intervals["psi"] = None, None
    if scores is not None and development is not None:
        now = development.spread(scores)
        values["psi"] = psi(development.shares, now)
        intervals["psi"] = _psi_interval(development, now, figures)
    return Measured(
        len(bad), int(bad.sum()), float(pd.mean()), float(bad.mean()), values, intervals
    )


def _intervals(whole: Counts, figures: Validation) -> dict[str, tuple[float, float]]:
    """Percentiles over resampled rows."""
    draw = np.random.default_rng(SEED)
    coarse = _coarse(whole)
    cells = np.concatenate([coarse.bads, coarse.goods]).astype(np.int64)
    cell_of_row = np.repeat(np.arange(len(cells)), cells)
    rows, half = len(cell_of_row), len(coarse.pd)
    drawn: dict[str, list[float]] = {name: [] for name in METRICS}
    for _ in range(figures.resamples):
        chosen = cell_of_row[draw.integers(0, rows, rows)]
        again = np.bincount(chosen, minlength=len(cells)).astype(float)
        bads = again[:half]
        # With very few bads a resample may have none of them, and says nothing.
        if 0 < bads.sum() < rows:
            resample = Counts(coarse.pd, again[half:] + bads, bads)
            for name, of in METRICS.items():
                drawn[name].append(of(resample))
    return {name: interval(found, figures.coverage) for name, found in drawn.items()}


def _coarse(whole: Counts) -> Counts:
    """PDs of about the same log-odds (0.001) as one: a hundred thousand points say no more of an
    interval than ten thousand."""
    odds = np.round(np.log(whole.pd / (1 - whole.pd)), 3)
    levels, place = np.unique(odds, return_inverse=True)
    rows, bads = (np.bincount(place, weights=w) for w in (whole.rows, whole.bads))
    return Counts(1 / (1 + np.exp(-levels)), rows.astype(float), bads.astype(float))


def _psi_interval(
    development: Distribution, now: Floats, figures: Validation
) -> tuple[float, float]:
    draw = np.random.default_rng(SEED)
    rows = int(now.sum())
    found = [
        psi(development.shares, draw.multinomial(rows, now / rows).astype(float))
        for _ in range(figures.resamples)
    ]
    # A sample of a sample is always farther from development: so much is taken off again.
    estimate = psi(development.shares, now)
    excess = float(np.mean(found)) - estimate
    low, high = interval(found, figures.coverage)
    return max(0.0, min(low - excess, estimate)), max(high - excess, estimate)


def interval(found: Sequence[float], coverage: float) -> tuple[float, float]:
    low, high = np.quantile(found, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def document(found: Measured) -> dict[str, Any]:
    """The metrics as commands print them: plain numbers by name, and an interval of each."""
    counted = {name: getattr(found, name) for name in ("n", "n_bad", "mean_pd", "bad_rate")}
    return {**counted, **found.values, "intervals": found.intervals}


class Comparison(NamedTuple):
    """Two models on the same rows: AUCs, their difference, and how likely chance alone gives it."""

    auc: float
    other: float
    difference: float
    low: float
    high: float
    p: float


def delong(pd: Floats, other: Floats, bad: npt.NDArray[np.int8]) -> Comparison:
    """DeLong's test of two AUCs on the same rows (DeLong, DeLong and Clarke-Pearson 1988), by midranks
    (Sun and Xu 2014): `other` less `pd`, with its 95 % interval and two-sided p."""
    aucs, of_bads, of_goods = zip(*(_components(x, bad) for x in (pd, other)), strict=True)
    covariance = np.cov(of_bads) / len(of_bads[0]) + np.cov(of_goods) / len(of_goods[0])
    auc, other_auc = aucs
    difference = other_auc - auc
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    # Models that rank alike differ by nothing but the rounding of this sum.
    deviation = max(variance, 0.0) ** 0.5
    if deviation < 1e-12:
        return Comparison(auc, other_auc, difference, difference, difference, 1.0)
    normal = NormalDist()
    p = 2 * (1 - normal.cdf(abs(difference) / deviation))
    reach = normal.inv_cdf(0.975) * deviation
    return Comparison(auc, other_auc, difference, difference - reach, difference + reach, p)


def _components(pd: Floats, bad: npt.NDArray[np.int8]) -> tuple[float, Floats, Floats]:
    """AUC, and how often each bad is above the goods, and each good below the bads."""
    bads, goods = pd[bad == 1], pd[bad == 0]
    of_bads = _share_below(np.sort(goods), bads)
    of_goods = 1 - _share_below(np.sort(bads), goods)
    return float(of_bads.mean()), of_bads, of_goods


def _share_below(ordered: Floats, values: Floats) -> Floats:
    under = np.searchsorted(ordered, values, side="left")
    upto = np.searchsorted(ordered, values, side="right")
    share: Floats = (under + upto) / 2 / len(ordered)
    return share
