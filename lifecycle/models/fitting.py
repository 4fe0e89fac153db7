"""Fit a scorecard: bins, a logistic regression on their weights of evidence, points, a PD.

The penalty and the line of the PD come from predictions for rows that a card has not seen: the whole
fit, bins included, is done once more for each fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lifecycle.errors import UsageError
from lifecycle.models.binning import Binned, Floats, all_binned
from lifecycle.models.calibration import Calibration, prior_shift
from lifecycle.models.figures import Figures, Fit, Scale
from lifecycle.models.scorecard import Bin, Characteristic, Scorecard
from lifecycle.models.table import Sample

Note = Callable[[str], None]
"""Is told what is being done."""
Fold = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
DIGITS = 6
"""Digits of what is fitted: solvers agree on them on every machine."""


def silent(_: str) -> None:
    """Nobody waits."""


class Line(NamedTuple):
    """Log-odds of being good: intercept and a coefficient above 0 for each characteristic."""

    intercept: float
    coefficients: dict[str, float]

    def log_odds(self, weights: Mapping[str, Floats], rows: int) -> Floats:
        total = np.full(rows, self.intercept)
        for name, coefficient in self.coefficients.items():
            total += coefficient * weights[name]
        return total


class Fitted(NamedTuple):
    """A scorecard and what it says of rows it was not fitted on, in the order of the sample."""

    scorecard: Scorecard
    unseen: Floats
    """Log-odds of being bad, each from the card of the other folds."""
    bins: dict[str, Binned]
    """Of every column, those that are not on the card too."""


def fit(
    sample: Sample,
    figures: Figures,
    prior: float | None = None,
    note: Note = silent,
    share: float = 1.0,
) -> Fitted:
    """Fit a scorecard to a sample. With `prior`, PDs are those of a population with that bad rate; with
    `share`, of a time within which so many of the bads become bad. Raises UsageError when there are too few bads, or nothing predicts them."""
    check_enough(sample, figures.fit)
    penalty, unseen = _cross_validated(sample, figures, note)
    note("fitting the scorecard")
    bins = all_binned(sample, figures.binning)
    strong = _strong(bins, figures.binning.iv)
    if not strong:
        raise UsageError(
            f"No column has an information value of {figures.binning.iv} or more: there is nothing to "
            "make a scorecard of."
        )
    weights = {name: bins[name].weights(sample.columns[name]) for name in strong}
    line = fit_line(weights, sample.bad, penalty)
    calibration = calibrated(unseen, sample.bad, prior, share)
    return Fitted(_card(line, bins, figures, calibration), unseen, bins)


def check_enough(sample: Sample, figures: Fit) -> None:
    """Raises UsageError when a sample has too few of one outcome."""
    for word, count in (("bad", sample.bads), ("good", len(sample) - sample.bads)):
        if count < figures.bads:
            raise UsageError(
                f"Only {count:,} of {len(sample):,} rows are {word}: a model needs {figures.bads} at "
                "least."
            )


def folds(sample: Sample, figures: Fit) -> list[Fold]:
    """Parts of equal bad rate; the rows of one id, or of one group, are in one part. Raises UsageError when too few ids
    hold all rows of an outcome."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if sample.groups is not None and len(set(sample.groups)) < len(sample):
        for word, outcome in (("bad", 1), ("good", 0)):
            if (many := len(set(sample.groups[sample.bad == outcome]))) < figures.folds:
                raise UsageError(
                    f"All {word} rows are of {many:,} different ids, and rows of one id stay together: "
                    f"{figures.folds} at least are needed. Is the column with the ids the right one?"
                )
        cut = StratifiedGroupKFold(figures.folds, shuffle=True, random_state=figures.seed)
        return list(cut.split(sample.bad, sample.bad, sample.groups))
    plain = StratifiedKFold(figures.folds, shuffle=True, random_state=figures.seed)
    return list(plain.split(sample.bad, sample.bad))


def _cross_validated(sample: Sample, figures: Figures, note: Note) -> tuple[float, Floats]:
    """The best penalty, and log-odds of being bad for rows that were not fitted."""
    penalties = figures.fit.penalties
    unseen = np.zeros((len(penalties), len(sample)))
    for n, (seen, held) in enumerate(folds(sample, figures.fit), 1):
        note(f"cross-validating the scorecard: fold {n} of {figures.fit.folds}")
        inner, outer = sample.take(seen), sample.take(held)
        bins = all_binned(inner, figures.binning)
        strong = _strong(bins, figures.binning.iv)
        fitted = {name: bins[name].weights(inner.columns[name]) for name in strong}
        weights = {name: bins[name].weights(outer.columns[name]) for name in strong}
        for place, penalty in enumerate(penalties):
            line = fit_line(fitted, inner.bad, penalty)
            unseen[place, held] = -line.log_odds(weights, len(outer))
    losses = [_log_loss(odds, sample.bad) for odds in unseen]
    best = int(np.argmin(losses))
    return penalties[best], unseen[best]


def _strong(bins: Mapping[str, Binned], least: float) -> list[str]:
    strong = [name for name, found in bins.items() if found.evidence >= least]
    return sorted(strong, key=lambda name: (-bins[name].iv, name))


def fit_line(weights: Mapping[str, Floats], bad: npt.NDArray[np.int8], penalty: float) -> Line:
    """Logistic regression on weights of evidence. More evidence of being good must not cost points:
    what got a coefficient below 0, because others say the same, goes, the worst one first."""
    names = list(weights)
    while names:
        intercept, coefficients = _logistic([weights[name] for name in names], 1 - bad, penalty)
        worst = int(np.argmin(coefficients))
        if coefficients[worst] > 0:
            found = {n: float(c) for n, c in zip(names, coefficients, strict=True)}
            return Line(intercept, found)
        del names[worst]
    share = bad.mean()
    return Line(float(np.log((1 - share) / share)), {})


def _logistic(
    columns: Sequence[Floats], outcome: npt.NDArray[np.int8], penalty: float
) -> tuple[float, Floats]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=penalty, solver="newton-cholesky", tol=1e-8, max_iter=100)
    model.fit(np.column_stack(columns), outcome)
    return round(float(model.intercept_[0]), DIGITS), np.round(model.coef_[0], DIGITS)


def _log_loss(log_odds: Floats, bad: npt.NDArray[np.int8]) -> float:
    return float(np.mean(np.logaddexp(0, log_odds) - bad * log_odds))


def calibrated(
    unseen: Floats, bad: npt.NDArray[np.int8], prior: float | None = None, share: float = 1.0
) -> Calibration:
    """Platt's line through predictions of rows that were not fitted. Raises UsageError when a higher
    prediction does not mean more bads."""
    intercept, slope = _logistic([unseen], bad, np.inf)
    if slope[0] <= 0:
        raise UsageError(
            "The columns say nothing about rows that were not fitted: higher predictions do not mean "
            "more bads. More rows or other columns are needed."
        )
    shift = 0.0 if prior is None else prior_shift(prior, float(bad.mean()))
    return Calibration(intercept, float(slope[0]), round(shift, DIGITS), round(share, DIGITS))


def _card(
    line: Line, bins: Mapping[str, Binned], figures: Figures, calibration: Calibration
) -> Scorecard:
    moving = {
        name: coefficient
        for name, coefficient in line.coefficients.items()
        if coefficient * np.ptp(bins[name].woe) * figures.scale.factor >= 1
    }
    if not moving:
        raise UsageError("No column moves a score by a point: there is nothing to make a card of.")
    many = len(moving)
    base = (line.intercept * figures.scale.factor + figures.scale.offset) / many
    characteristics = tuple(
        _characteristic(name, coefficient, base, bins[name], figures)
        for name, coefficient in moving.items()
    )
    return Scorecard(figures.scale, figures.ratings, calibration, line.intercept, characteristics)


def _characteristic(
    name: str, coefficient: float, base: float, found: Binned, figures: Figures
) -> Characteristic:
    made = list(_bins(coefficient, base, found, figures.scale))
    return Characteristic(
        name=name,
        kind=found.kind,
        trend=found.trend,
        iv=round(found.iv, DIGITS),
        coefficient=coefficient,
        bins=tuple(made[: found.bins]),
        missing=made[found.bins],
        rest=made[found.bins + 1] if found.kind == "category" else None,
        text=figures.text(name),
    )


def _bins(coefficient: float, base: float, found: Binned, scale: Scale) -> Iterator[Bin]:
    ends: list[Any] = [*map(float, found.cuts)]
    for n, (woe, rows, bads) in enumerate(zip(found.woe, found.rows, found.bads, strict=True)):
        yield Bin(
            points=round(coefficient * float(woe) * scale.factor + base),
            woe=round(float(woe), DIGITS),
            rows=int(rows),
            bads=int(bads),
            below=ends[n] if n < len(ends) else None,
            values=found.groups[n] if n < len(found.groups) else (),
        )
