"""Train on a labelled table: split by time, fit, judge on rows that were not fitted, warn of leaks."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from lifecycle.errors import UsageError
from lifecycle.models import challenger as boosting
from lifecycle.models import fitting, metrics
from lifecycle.models.artefact import Stored, Training
from lifecycle.models.binning import Binned
from lifecycle.models.calibration import logit
from lifecycle.models.challenger import Challenger
from lifecycle.models.figures import Figures, Leakage, Scale
from lifecycle.models.fitting import Note, silent
from lifecycle.models.metrics import Distribution, Floats
from lifecycle.models.scorecard import Scorecard
from lifecycle.models.scoring import by_scorecard
from lifecycle.models.table import Column, Sample, sample, versions

LIBRARIES = ("lifecycle", "numpy", "optbinning", "ortools", "scikit-learn", "lightgbm")


@dataclass(frozen=True)
class Task:
    """What to train on: which column says what, and where the test begins."""

    target: str
    id: str | None = None
    date: str | None = None
    test_from: dt.date | None = None
    prior: float | None = None
    """The bad rate of the population that PDs are for; None for that of the table."""
    challenger: bool = False
    group: str | None = None
    """Rows with the same value stay in one fold: of a client that is there every month, for instance."""
    share: float = 1.0
    """Of the bads, how many became bad within the time that the scorecard's PDs are for."""


class Trained(NamedTuple):
    """Models to keep, and how they compare on the same rows."""

    champion: Stored[Scorecard]
    challenger: Stored[Challenger] | None
    trees: str
    comparison: dict[str, Any] | None


class Predicted(NamedTuple):
    """PDs and scores of the rows of one part."""

    pd: Floats
    scores: Floats


def train(table: pa.Table, task: Task, figures: Figures, note: Note = silent) -> Trained:
    """Train a scorecard, and a challenger where one is asked for. Raises UsageError when the table or
    the task cannot be used."""
    _check(task)
    development, test = _parts(sample(table, task.target, task.id, task.date, task.group), task)
    fitted = fitting.fit(development, figures, task.prior, note, task.share)
    card = fitted.scorecard
    parts = {"development": development} | ({"test": test} if test else {})
    champion = _by_card(card, fitted.unseen, table, test)
    # A card's scores are few: smooth ones of other folds are spread otherwise whatever comes.
    spread = metrics.distribution(_scored(card, table, development).scores)
    facts = _training(development, task, versions(table))
    note("measuring the scorecard")
    judged = _judged(champion, parts, figures, spread)
    notes = (
        *development.notes,
        *_moved(development, task),
        *_rare(fitted.bins),
        *_leaks(development, fitted.bins, figures.leakage),
    )
    stored = _stored(card, card.version, spread, judged, facts, notes, figures.leakage)
    if not task.challenger:
        return Trained(stored, None, "", None)
    made = boosting.fit(development, fitted.bins, figures, task.prior, note)
    rival = _by_trees(made, table, test, note)
    note("measuring the challenger")
    spread = metrics.distribution(rival["development"].scores)
    judged = _judged(rival, parts, figures, spread)
    own = made.challenger
    kept = _stored(own, own.version, spread, judged, facts, notes, figures.leakage)
    return Trained(stored, kept, made.trees, _comparison(champion, rival, parts, figures))


def _check(task: Task) -> None:
    if task.test_from and not task.date:
        raise UsageError("--test-from parts rows by their date: name its column with --date.")
    if task.prior is not None and not 0 < task.prior < 1:
        raise UsageError(f"A bad rate of {task.prior} cannot be: give one between 0 and 1.")
    named = [n for n in (task.target, task.id, task.date, task.group) if n is not None]
    if len(set(named)) < len(named):
        raise UsageError("Target, id, date and group must be different columns.")


def _parts(whole: Sample, task: Task) -> tuple[Sample, Sample | None]:
    if task.test_from is None:
        return whole, None
    assert whole.dates is not None
    late = whole.dates >= np.datetime64(task.test_from)
    if late.all() or not late.any():
        raise UsageError(
            f"All rows are of {whole.dates.min()} to {whole.dates.max()}: no split at {task.test_from} "
            "leaves rows on both sides."
        )
    return whole.take(np.flatnonzero(~late)), whole.take(np.flatnonzero(late))


def _by_card(
    card: Scorecard, unseen: Floats, table: pa.Table, test: Sample | None
) -> dict[str, Predicted]:
    """Development rows as the cards of the other folds have them, test rows as the card does."""
    scores = np.array([card.scale.clip(card.scale.offset - card.scale.factor * x) for x in unseen])
    found = {"development": Predicted(np.array([card.pd(int(s)) for s in scores]), scores * 1.0)}
    if test:
        found["test"] = _scored(card, table, test)
    return found


def _scored(card: Scorecard, table: pa.Table, part: Sample) -> Predicted:
    scored = by_scorecard(card, table.take(part.rows))
    return Predicted(*(np.asarray(scored[name]).astype(float) for name in ("pd", "score")))


def _by_trees(
    made: boosting.FittedChallenger, table: pa.Table, test: Sample | None, note: Note
) -> dict[str, Predicted]:
    own = made.challenger
    pd = np.array([own.calibration.pd(odds) for odds in made.unseen])
    found = {"development": Predicted(pd, _points(pd, own.scale))}
    if test:
        note("scoring the test rows with the challenger")
        pds = boosting.pds(own, made.trees, table.take(test.rows))
        found["test"] = Predicted(pds, _points(pds, own.scale))
    return found


def _points(pd: Floats, scale: Scale) -> Floats:
    return np.array([scale.clip(scale.offset - scale.factor * logit(p)) for p in pd], dtype=float)


def _judged(
    predicted: Mapping[str, Predicted],
    parts: Mapping[str, Sample],
    figures: Figures,
    spread: Distribution,
) -> dict[str, Any]:
    """Metrics of each part; None for a test with one outcome only."""
    return {
        name: metrics.document(
            metrics.measured(
                own.pd,
                parts[name].bad,
                figures.validation,
                own.scores,
                spread if name == "test" else None,
            )
        )
        if 0 < parts[name].bads < len(parts[name])
        else None
        for name, own in predicted.items()
    }


def _stored(
    model: Any,
    name: str,
    spread: Distribution,
    judged: dict[str, Any],
    facts: Training,
    notes: Sequence[str],
    leakage: Leakage,
) -> Stored[Any]:
    return Stored(
        model_version=name,
        model=model,
        training=facts,
        development=spread,
        metrics=judged,
        warnings=(*notes, *_too_good(judged, leakage), *_one_outcome(judged)),
        libraries={library: version(library) for library in LIBRARIES},
    )


def _too_good(judged: Mapping[str, Any], leakage: Leakage) -> Iterator[str]:
    for part, found in judged.items():
        if found and found["auc"] > leakage.auc:
            yield (
                f"The AUC of {found['auc']:.3f} on the {part} rows is above {leakage.auc}: a column "
                "knows the outcome until somebody shows that none does."
            )


def _one_outcome(judged: Mapping[str, Any]) -> Iterator[str]:
    if "test" in judged and judged["test"] is None:
        yield "The test rows have one outcome only: there are no metrics of them."


def _moved(part: Sample, task: Task) -> Iterator[str]:
    own = part.bads / len(part)
    rate = (own if task.prior is None else task.prior) * task.share
    if rate != own:
        yield (
            f"PDs are those of a bad rate of {rate:.2%}, and {own:.2%} of these rows are bad: calibration "
            "in the large says so."
        )


def _rare(bins: Mapping[str, Binned]) -> Iterator[str]:
    for name, found in bins.items():
        if found.kind == "category" and not any(found.groups):
            yield f"Column {name} is text without a common value, and says nothing: is it a number or an id?"


def _leaks(part: Sample, bins: Mapping[str, Binned], leakage: Leakage) -> Iterator[str]:
    for name, found in bins.items():
        alone = _auc_alone(part.columns[name], found, part)
        if alone > leakage.auc:
            yield (
                f"Column {name} alone has an AUC of {alone:.3f} (above {leakage.auc}) and an information "
                f"value of {found.iv:.2f}: it knows the outcome until somebody shows that it does not."
            )
        elif found.iv > leakage.iv:
            yield (
                f"Column {name} has an information value of {found.iv:.2f} (above {leakage.iv}): see "
                "that it was known before the outcome."
            )


def _auc_alone(column: Column, found: Binned, part: Sample) -> float:
    """AUC of its bins, or of its values where those are known: bins hide a rare giveaway."""
    of_bins = metrics.auc(metrics.counts(-found.weights(column), part.bad))
    known = ~column.missing
    if column.kind == "category" or len(np.unique(part.bad[known])) < 2:
        return of_bins
    of_values = metrics.auc(metrics.counts(column.values[known].astype(float), part.bad[known]))
    return max(of_bins, of_values, 1 - of_values)


def _training(part: Sample, task: Task, lake: dict[str, int]) -> Training:
    dates = part.dates
    return Training(
        rows=len(part),
        bads=part.bads,
        target=task.target,
        columns=tuple(part.columns),
        first_date=None if dates is None else str(dates.min()),
        last_date=None if dates is None else str(dates.max()),
        test_from=task.test_from.isoformat() if task.test_from else None,
        prior=task.prior,
        data_hash=_hash(part),
        lake=lake,
    )


def _hash(part: Sample) -> str:
    """Names the rows: their outcome, and each column's values."""
    digest = hashlib.sha256(part.bad.tobytes())
    for name, column in part.columns.items():
        digest.update("\0".join((name, column.kind, *column.levels)).encode())
        digest.update(np.ascontiguousarray(column.values).tobytes())
    return digest.hexdigest()


def _comparison(
    champion: Mapping[str, Predicted],
    rival: Mapping[str, Predicted],
    parts: Mapping[str, Sample],
    figures: Figures,
) -> dict[str, Any]:
    """Champion against challenger on the latest rows that have both outcomes."""
    part = [name for name, own in parts.items() if 0 < own.bads < len(own)][-1]
    found = metrics.delong(champion[part].pd, rival[part].pd, parts[part].bad)
    rule = figures.validation.replaces
    replaces = found.difference >= rule.auc and found.p < rule.p
    named = {"champion_auc": found.auc, "challenger_auc": found.other}
    measured = {k: getattr(found, k) for k in ("difference", "low", "high", "p")}
    return {"part": part, **named, **measured, "challenger_may_replace": replaces}
