"""Values into bins: optbinning finds where to cut, the weights of evidence are counted here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lifecycle.models.figures import Binning
from lifecycle.models.scorecard import Kind, Trend
from lifecycle.models.table import Column, Sample

Floats = npt.NDArray[np.float64]
TURNING: tuple[Trend, ...] = ("peak", "valley")
_REST = "\0rest"


@dataclass(frozen=True)
class Binned:
    """Bins of one column. Arrays hold the bins, then missing, then (categories only) the rest."""

    kind: Kind
    trend: Trend
    cuts: Floats
    """Numbers: the first value of each bin but the first."""
    groups: tuple[tuple[str, ...], ...]
    """Categories: those of each bin."""
    rows: npt.NDArray[np.int64]
    bads: npt.NDArray[np.int64]
    woe: Floats
    iv: float

    @property
    def bins(self) -> int:
        return len(self.cuts) + 1 if self.kind == "number" else len(self.groups)

    @property
    def evidence(self) -> float:
        """The IV less what as many bins have of it by chance: each bin but one adds 1/goods + 1/bads,
        as twice the likelihood ratio of a column that says nothing is their chi-square."""
        bads = int(self.bads.sum())
        goods = int(self.rows.sum()) - bads
        return self.iv - (int((self.rows > 0).sum()) - 1) * (1 / goods + 1 / bads)

    def weights(self, column: Column) -> Floats:
        """The WOE of each value of a column like the one that was binned."""
        return self.woe[places(column, self.cuts, self.groups)]


def binned(column: Column, bad: npt.NDArray[np.int8], figures: Binning) -> Binned:
    """Bins whose trend goes one way, or turns once where that is worth it."""
    if column.kind == "category":
        return _categories(column, bad, figures)
    known = ~column.missing
    values, own = column.values[known], bad[known]
    fine = _splits(values, own, figures, len(bad), "auto_asc_desc")
    one_way = _numbers(column, bad, fine, figures)
    turned = [
        _numbers(column, bad, _splits(values, own, figures, len(bad), f"{trend}_heuristic"), figures)
        for trend in TURNING
    ]
    best = max(turned, key=lambda found: found.iv)
    return best if best.iv > one_way.iv * figures.turning_gain else one_way


def all_binned(sample: Sample, figures: Binning) -> dict[str, Binned]:
    """Every column of a sample, by name."""
    return {name: binned(column, sample.bad, figures) for name, column in sample.columns.items()}


def _splits(
    values: npt.NDArray[Any],
    bad: npt.NDArray[np.int8],
    figures: Binning,
    rows: int,
    trend: str,
    dtype: str = "numerical",
) -> Sequence[Any]:
    """Where optbinning cuts. Shares are those of all rows, and it sees only those with a value."""
    from optbinning import OptimalBinning

    if len(np.unique(bad)) < 2 or not len(values):
        return []
    share = rows / len(values)
    # Shares of half and more leave nothing to cut.
    if figures.bin_share * share >= 0.5:
        return []
    optimal = OptimalBinning(
        dtype=dtype,
        max_n_prebins=figures.fine_bins,
        min_prebin_size=figures.fine_share * share,
        min_bin_size=figures.bin_share * share,
        min_bin_n_event=figures.bin_bads,
        monotonic_trend=trend,
    )
    # Binning thinks in squares, which infinity has none of.
    optimal.fit(np.clip(values, *_finite(values)) if dtype == "numerical" else values, bad)
    found: Sequence[Any] = optimal.splits
    return found if optimal.status == "OPTIMAL" else []


def _finite(values: npt.NDArray[Any]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)


def _numbers(
    column: Column, bad: npt.NDArray[np.int8], splits: Sequence[float], figures: Binning
) -> Binned:
    values = np.unique(column.values[~column.missing])
    cuts = np.array([_short(values, split) for split in sorted(splits)])
    return _counted(column, bad, cuts, (), figures.smoothing)


def _short(values: npt.NDArray[Any], split: float) -> float:
    """The shortest number that parts the values where `split` does: cards are read by people."""
    place = int(np.searchsorted(values, split))
    under, over = float(values[place - 1]), float(values[min(place, len(values) - 1)])
    tried = (float(f"{near:.{digits}g}") for digits in range(1, 17) for near in (over, split))
    return next((short for short in tried if under < short <= over), over)


def _categories(column: Column, bad: npt.NDArray[np.int8], figures: Binning) -> Binned:
    counts = np.bincount(column.values[~column.missing], minlength=len(column.levels))
    rare = {
        level
        for level, count in zip(column.levels, counts, strict=True)
        if count < figures.rare_share * len(bad)
    }
    words = np.array([_REST if level in rare else level for level in column.levels], dtype=object)
    known = ~column.missing
    named = words[column.values[known]]
    found = _splits(named, bad[known], figures, len(bad), "auto", "categorical")
    if len(found):
        groups = tuple(tuple(sorted(set(group) - {_REST})) for group in found)
    else:
        groups = (tuple(sorted(set(column.levels) - rare)),)
    resting = next((n for n, group in enumerate(found) if _REST in group), None)
    return _counted(column, bad, np.array([]), groups, figures.smoothing, resting)


def places(column: Column, cuts: Floats, groups: tuple[tuple[str, ...], ...]) -> Any:
    """The place of each value among the bins, missing after them, and the rest after that."""
    if column.kind == "number":
        found = np.searchsorted(cuts, column.values, side="right")
        return np.where(column.missing, len(cuts) + 1, found)
    own = {level: n for n, group in enumerate(groups) for level in group}
    of_level = [own.get(level, len(groups) + 1) for level in column.levels]
    return np.array([*of_level, len(groups)])[column.values]


def _counted(
    column: Column,
    bad: npt.NDArray[np.int8],
    cuts: Floats,
    groups: tuple[tuple[str, ...], ...],
    smoothing: float,
    resting: int | None = None,
) -> Binned:
    """Count goods and bads. Nothing weighs where nothing was seen."""
    bins = len(groups) if groups else len(cuts) + 1
    size = bins + (2 if groups else 1)
    place = places(column, cuts, groups)
    if resting is not None:
        place = np.where(place == bins + 1, resting, place)
    rows = np.bincount(place, minlength=size)
    bads = np.bincount(place, weights=bad, minlength=size).astype(np.int64)
    goods = rows - bads
    good_share = (goods + smoothing) / max(goods.sum(), 1)
    bad_share = (bads + smoothing) / max(bads.sum(), 1)
    woe = np.where(rows > 0, np.log(good_share / bad_share), 0.0)
    iv = float(((goods / goods.sum() - bads / bads.sum()) * woe).sum())
    if resting is not None:
        woe[bins + 1] = woe[resting]
    trend = _trend(woe[:bins]) if column.kind == "number" else "none"
    return Binned(column.kind, trend, cuts, groups, rows, bads, woe, iv)


def _trend(woe: Floats) -> Trend:
    """How points go from bin to bin."""
    steps = np.sign(np.diff(woe))
    steps = steps[steps != 0]
    if not len(steps):
        return "none"
    if (steps[1:] == steps[:-1]).all():
        return "ascending" if steps[0] > 0 else "descending"
    return "peak" if steps[0] > 0 else "valley"
