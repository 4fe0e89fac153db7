"""Judge a file of scores against what became of the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lifecycle.errors import UsageError
from lifecycle.models import metrics
from lifecycle.models.artefact import Stored
from lifecycle.models.figures import Figures
from lifecycle.models.metrics import Floats, Measured
from lifecycle.models.scoring import ids
from lifecycle.models.table import days, outcome, read, require

NO_MODEL = "PSI compares with the scores in development: name the model with --model."


@dataclass(frozen=True)
class Judged:
    """Scored rows with their outcome, in the order of the file, and what was measured."""

    pd: Floats
    scores: Floats
    bad: npt.NDArray[np.int8]
    dates: npt.NDArray[np.datetime64] | None
    places: npt.NDArray[np.intp]
    """Places in the labels table."""
    measured: Measured
    notes: tuple[str, ...]
    psi_reason: str | None
    """Why there is no PSI."""


class Grade(NamedTuple):
    """Rows of one grade of the master scale, and whether its PD holds."""

    grade: int
    upper: float
    n: int
    n_bad: int
    mean_pd: float
    bad_rate: float
    p: float
    """The chance of so many bads or more if the mean PD were right (binomial)."""
    light: str


class Question(NamedTuple):
    """What to judge: a file of scores, and the table and columns that say what became of its rows."""

    scores: Path
    labels: Path
    target: str
    id: str | None = None
    date: str | None = None


def evaluate(asked: Question, figures: Figures, model: Stored[Any] | None = None) -> Judged:
    """Join scores and outcomes by id, and measure. Raises UsageError when they cannot be joined."""
    pd, scores, keys = _scores(asked.scores)
    labels = read(asked.labels, (asked.id,))
    for name in (asked.target, asked.date):
        if name is not None:
            require(labels, name)
    places, found, notes = _joined(keys, labels, asked)
    known = labels.take(places)
    bad = outcome(known[asked.target], asked.target)
    own_pd, own_scores = pd[found], scores[found]
    spread = model.development if model else None
    return Judged(
        pd=own_pd,
        scores=own_scores,
        bad=bad,
        dates=days(known[asked.date], asked.date) if asked.date else None,
        places=places,
        measured=metrics.measured(own_pd, bad, figures.validation, own_scores, spread),
        notes=notes,
        psi_reason=None if model else NO_MODEL,
    )


def _scores(path: Path) -> tuple[Floats, Floats, Sequence[str]]:
    table = read(path, ("id",))
    for name in ("id", "pd", "score"):
        require(table, name)
        if table[name].null_count:
            raise UsageError(f"{path} has rows without {name}.")
    try:
        pd, scores = (np.asarray(table[n].cast("float64")) for n in ("pd", "score"))
    except pa.ArrowInvalid as error:
        raise UsageError(f"{path} has a pd or a score that is no number ({error}).") from error
    if not ((pd > 0) & (pd < 1)).all():
        raise UsageError(f"{path} has PDs that are not between 0 and 1, such as {pd.max()}.")
    return pd, scores, ids(table, "id")


def _joined(
    keys: Sequence[str], labels: pa.Table, asked: Question
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], tuple[str, ...]]:
    """Places in the labels and in the scores of the rows that both have."""
    own = ids(labels, asked.id)
    _once(keys, asked.scores)
    _once(own, asked.labels)
    known = np.asarray(labels[asked.target].is_valid())
    if asked.date:
        known &= np.asarray(labels[asked.date].is_valid())
    of_label = {key: n for n, key in enumerate(own) if known[n]}
    pairs = [(of_label[key], n) for n, key in enumerate(keys) if key in of_label]
    if not pairs:
        raise UsageError(
            f"No id of {asked.scores} has an outcome in {asked.labels}: say with --id which column "
            "holds the ids that were scored."
        )
    notes = tuple(_unmatched(len(pairs), keys, own))
    places, found = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    return places, found, notes


def _once(keys: Sequence[str], path: Path) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise UsageError(
                f"{path} has the id {key} more than once, so nobody could say whose outcome is whose: "
                "use an id that is one row's."
            )
        seen.add(key)


def _unmatched(both: int, keys: Sequence[str], own: Sequence[str]) -> Iterator[str]:
    if both < len(keys):
        yield f"{len(keys) - both:,} scored rows have no outcome and are left out."
    if both < len(own):
        yield f"{len(own) - both:,} rows of the labels have no score, outcome or date and are left out."


def by_grade(judged: Judged, figures: Figures) -> list[Grade]:
    """Each grade's PD against its bad rate."""
    grades = np.array([figures.ratings.grade(pd) for pd in judged.pd])
    return [_grade(int(grade), judged, grades == grade, figures) for grade in np.unique(grades)]


def _grade(grade: int, judged: Judged, own: npt.NDArray[np.bool_], figures: Figures) -> Grade:
    n, n_bad = int(own.sum()), int(judged.bad[own].sum())
    mean = float(judged.pd[own].mean())
    p = at_least(n_bad, n, mean)
    light = "green" if p > 0.05 else "amber" if p > 0.01 else "red"
    return Grade(grade, figures.ratings.grades[grade - 1], n, n_bad, mean, n_bad / n, p, light)


def at_least(k: int, n: int, p: float) -> float:
    """The chance of k or more of n, each with chance p."""

    def log_chance(x: int) -> float:
        ways = math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1)
        return ways + x * math.log(p) + (n - x) * math.log1p(-p)

    return min(1.0, math.fsum(math.exp(log_chance(x)) for x in range(k, n + 1)))


def document(judged: Judged, figures: Figures) -> dict[str, Any]:
    """All that is printed as JSON."""
    return {
        **metrics.document(judged.measured),
        "psi_reason": judged.psi_reason,
        "notes": list(judged.notes),
        "grades": [grade._asdict() for grade in by_grade(judged, figures)],
    }
