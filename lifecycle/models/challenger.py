"""Gradient boosting as a challenger: LightGBM under the champion's trends, with a PD and reasons of its own.

The trees are kept in LightGBM's text format and named by their hash; nothing is pickled.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import product
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from lifecycle.errors import UsageError
from lifecycle.models.binning import Binned, Floats
from lifecycle.models.calibration import Calibration, logit
from lifecycle.models.figures import Boosting, Figures, Ratings, Scale, Text
from lifecycle.models.fitting import Note, calibrated, folds, silent
from lifecycle.models.scorecard import Kind
from lifecycle.models.table import Column, Sample, column_of, conform
from lifecycle.risk.score import REASONS_MAX, Reason, version_of

ROWS_AT_ONCE = 5_000
"""Rows whose reasons are computed in one go: each takes a number per column."""
_DIRECTIONS = {"ascending": -1, "descending": 1}
"""A trend is that of points; trees add up to the log-odds of being bad."""


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column: categories in the order of their codes, and which way it may go (-1, 0, 1)."""

    name: str
    kind: Kind
    levels: tuple[str, ...]
    direction: int
    text: Text

    def values(self, column: Column) -> Floats:
        """Numbers for the trees, NaN for missing. Rare and unseen categories have one code."""
        if self.kind == "number":
            return column.values.astype("float64")
        own = {level: float(n) for n, level in enumerate(self.levels)}
        codes = [own.get(level, float(len(self.levels))) for level in column.levels]
        return np.array([*codes, np.nan])[column.values]


class Challenger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """What is known of the trees, without the trees."""

    scale: Scale
    ratings: Ratings
    calibration: Calibration
    features: tuple[Feature, ...]
    settings: dict[str, int]
    trees: str
    """SHA-256 of their text."""

    @cached_property
    def version(self) -> str:
        """The challenger names itself by its content."""
        return version_of("boosting", msgspec.json.encode(self))


class FittedChallenger(NamedTuple):
    """A challenger, its trees as text, and log-odds of being bad for rows that were not fitted."""

    challenger: Challenger
    trees: str
    unseen: Floats


class Scored(NamedTuple):
    """One row's score by the challenger."""

    score: int
    pd: float
    band: str
    reasons: tuple[Reason, ...]


def fit(
    sample: Sample,
    bins: Mapping[str, Binned],
    figures: Figures,
    prior: float | None = None,
    note: Note = silent,
) -> FittedChallenger:
    """Search leaves and rows per leaf in the champion's folds, then fit all rows."""
    import lightgbm

    features = tuple(_feature(name, sample, bins[name], figures) for name in sample.columns)
    values = np.column_stack([f.values(sample.columns[f.name]) for f in features])
    grid = [
        _settings(figures, features, leaves, leaf_rows)
        for leaves, leaf_rows in product(figures.boosting.leaves, figures.boosting.leaf_rows)
    ]
    tried = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = partial(_cross_validated, values, sample, features, figures)
        for n, found in enumerate(pool.map(work, grid), 1):
            note(f"searching the challenger: {n} of {len(grid)} done")
            tried.append(found)
    best = min(range(len(grid)), key=lambda n: tried[n][0])
    settings, (_, trees, unseen) = grid[best], tried[best]
    note("fitting the challenger")
    booster = lightgbm.train(settings, _data(values, sample.bad, features), trees)
    text = booster.model_to_string()
    challenger = Challenger(
        scale=figures.scale,
        ratings=figures.ratings,
        calibration=calibrated(unseen, sample.bad, prior),
        features=features,
        settings={"trees": trees} | {k: settings[k] for k in ("num_leaves", "min_data_in_leaf")},
        trees=_hash(text),
    )
    return FittedChallenger(challenger, text, unseen)


def _feature(name: str, sample: Sample, found: Binned, figures: Figures) -> Feature:
    column = sample.columns[name]
    levels: tuple[str, ...] = ()
    if column.kind == "category":
        counts = np.bincount(column.values[~column.missing], minlength=len(column.levels))
        least = figures.binning.rare_share * len(sample)
        levels = tuple(level for level, n in zip(column.levels, counts, strict=True) if n >= least)
    strong = found.evidence >= figures.binning.iv and column.kind == "number"
    direction = _DIRECTIONS.get(found.trend, 0) if strong else 0
    return Feature(name, column.kind, levels, direction, figures.text(name))


def _settings(
    figures: Figures, features: tuple[Feature, ...], leaves: int, leaf_rows: int
) -> dict[str, Any]:
    own: Boosting = figures.boosting
    return {
        "objective": "binary",
        "learning_rate": own.learning_rate,
        "num_leaves": leaves,
        "min_data_in_leaf": leaf_rows,
        "lambda_l2": own.penalty,
        "feature_fraction": own.columns,
        "bagging_fraction": own.rows,
        "bagging_freq": 1,
        "monotone_constraints": [f.direction for f in features],
        "monotone_constraints_method": "advanced",
        "seed": figures.fit.seed,
        # One thread each, and a fit on each core: threads of one fit wait for the slowest.
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _data(values: Floats, bad: Any, features: tuple[Feature, ...]) -> Any:
    import lightgbm

    categories = [n for n, f in enumerate(features) if f.kind == "category"]
    return lightgbm.Dataset(values, bad, categorical_feature=categories, free_raw_data=False)


def _cross_validated(
    values: Floats,
    sample: Sample,
    features: tuple[Feature, ...],
    figures: Figures,
    settings: dict[str, Any],
) -> tuple[float, int, Floats]:
    """Log loss on rows that were not fitted, the number of trees, and log-odds for those rows."""
    import lightgbm

    unseen, trees = np.zeros(len(sample)), []
    for seen, held in folds(sample, figures.fit):
        data = _data(values[seen], sample.bad[seen], features)
        booster = lightgbm.train(
            settings,
            data,
            figures.boosting.trees,
            valid_sets=[data.create_valid(values[held], sample.bad[held])],
            callbacks=[lightgbm.early_stopping(figures.boosting.patience, verbose=False)],
        )
        unseen[held] = booster.predict(values[held], raw_score=True)
        trees.append(booster.best_iteration)
    loss = float(np.mean(np.logaddexp(0, unseen) - sample.bad * unseen))
    return loss, max(1, round(float(np.mean(trees)))), unseen


def score(challenger: Challenger, trees: str, table: pa.Table) -> Iterator[Scored]:
    """Score the rows of a table, in order. Raises UsageError when a column is not there or is of
    another kind, or the trees are not those of the challenger."""
    booster = _booster(challenger, trees)
    values = _values(challenger, table)
    parts = [values[at : at + ROWS_AT_ONCE] for at in range(0, len(values), ROWS_AT_ONCE)]
    explain = partial(booster.predict, pred_contrib=True, num_threads=1)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for contributions in pool.map(explain, parts):
            for own in contributions:
                yield _scored(challenger, own)


def pds(challenger: Challenger, trees: str, table: pa.Table) -> Floats:
    """PDs alone, which take a hundredth of the time."""
    odds = _booster(challenger, trees).predict(_values(challenger, table), raw_score=True)
    return np.array([challenger.calibration.pd(float(own)) for own in odds])


def _booster(challenger: Challenger, trees: str) -> Any:
    import lightgbm

    if _hash(trees) != challenger.trees:
        raise UsageError(f"The trees beside {challenger.version} are not its own: train it again.")
    return lightgbm.Booster(model_str=trees)


def _values(challenger: Challenger, table: pa.Table) -> Floats:
    conformed = conform(table, {f.name: f.kind for f in challenger.features})
    columns = {f: column_of(conformed[f.name]) for f in challenger.features}
    return np.column_stack([
        feature.values(column) for feature, column in columns.items() if column
    ])


def _scored(challenger: Challenger, contributions: Floats) -> Scored:
    """Contributions are SHAP values in log-odds, the last one is where all rows start."""
    scale, calibration = challenger.scale, challenger.calibration
    pd = calibration.pd(float(contributions.sum()))
    lost = [
        Reason(f.name, f.text.zh, f.text.en, round(float(own) * calibration.slope * scale.factor))
        for f, own in zip(challenger.features, contributions[:-1], strict=True)
    ]
    lost.sort(key=lambda reason: -reason.points)
    reasons = tuple(reason for reason in lost[:REASONS_MAX] if reason.points > 0)
    points = scale.clip(scale.offset - scale.factor * logit(pd))
    return Scored(points, pd, challenger.ratings.band(pd), reasons)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
