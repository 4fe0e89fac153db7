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
TURNING = ("peak", "valley")
"""Names that optbinning has for a bad rate that turns; points turn the other way."""
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
    def chance(self) -> float:
        """What a bin adds to the IV by chance: 1/goods + 1/bads, as the IV of a column that says nothing
        is about a chi-square with a degree for each bin but one, times this."""
        bads = int(self.bads.sum())
        return 1 / bads + 1 / (int(self.rows.sum()) - bads)

    @property
    def evidence(self) -> float:
        """The IV less what as many bins have of it by chance."""
        return self.iv - (int((self.rows > 0).sum()) - 1) * self.chance

    def weights(self, column: Column) -> Floats:
        """The WOE of each value of a column like the one that was binned."""
        found: Floats = self.woe[places(column, self.cuts, self.groups)]
        return found


def binned(column: Column, bad: npt.NDArray[np.int8], figures: Binning) -> Binned:
    """Bins whose trend goes one way, or turns once where that is worth it."""
    if column.kind == "category":
        return _categories(column, bad, figures)
    known = ~column.missing
    values, own = column.values[known], bad[known]

    def going(trend: str) -> Binned:
        return _numbers(column, bad, _splits(values, own, figures, len(bad), trend), figures)

    one_way = going("auto_asc_desc")
    # The heuristic knows fast whether a turn is worth it, and not quite where.
    turned = {trend: going(f"{trend}_heuristic") for trend in TURNING}
    best = max(TURNING, key=lambda trend: turned[trend].iv)
    return going(best) if _worth_a_turn(turned[best], one_way, figures) else one_way


def _worth_a_turn(turned: Binned, one_way: Binned, figures: Binning) -> bool:
    """A turn has to add much to the IV, and more than chance would."""
    gain = turned.iv - one_way.iv
    enough = gain > one_way.iv * (figures.turning_gain - 1)
    return enough and gain / turned.chance > figures.turning_evidence


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
    if dtype == "numerical" and len(two := np.unique(values)) == 2:
        # A flag has one cut, also where one of its sides knows no bad: smoothing bears that.
        smaller = min(np.count_nonzero(values == one) for one in two)
        return [float(two[1])] if smaller >= figures.flag_share * rows else []
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
    found = _counted(column, bad, cuts, (), figures.smoothing)
    # Smoothing may part bins of one bad rate, against the trend.
    while len(astray := _against_rates(found)):
        found = _counted(column, bad, np.delete(found.cuts, astray[0]), (), figures.smoothing)
    return found


def _against_rates(found: Binned) -> npt.NDArray[np.intp]:
    """Cuts across which the weight does not fall as the bad rate rises."""
    rows, bads = found.rows[: found.bins], found.bads[: found.bins]
    rates = np.divide(bads, rows, out=np.zeros(found.bins), where=rows > 0)
    return np.flatnonzero(np.sign(np.diff(found.woe[: found.bins])) != -np.sign(np.diff(rates)))


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
