"""Scorecard and challenger beside a tuned gradient boosting that is free of trends.

Every model is fitted on the same seven tenths of a table, drawn from a seed, and judged on the rest.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.credit_tables import TABLES, Floats
from benchmarks.scratch import machine_facts
from lifecycle.models import metrics
from lifecycle.models.figures import Figures
from lifecycle.models.table import Sample, read, sample
from lifecycle.models.training import Task, Trained, train

Note = Callable[[str], None]
SEED = 7
SHARE = 0.7
TEST_FROM = dt.date(2025, 1, 1)
GRID = {
    "max_leaf_nodes": [7, 15, 31],
    "min_samples_leaf": [20, 100],
    "l2_regularization": [0.0, 10.0],
}


def measure(figures: Figures, note: Note, own: tuple[Path, str] | None = None) -> dict[str, Any]:
    """AUC, KS and Brier score on rows that were not fitted, and seconds, of each model on each table:
    the three made ones, or (file, target) of one's own."""
    found = {}
    for name, table, target, truth in _tables(own):
        found[name] = _judged(
            table, target, truth, figures, lambda text, n=name: note(f"{n}: {text}")
        )
    return {"tables": found, "machine": machine_facts()}


def _tables(own: tuple[Path, str] | None) -> Iterator[tuple[str, pa.Table, str, Floats | None]]:
    if own:
        yield own[0].stem, read(own[0]), own[1], None
        return
    for name, make in TABLES.items():
        made = make()
        yield name, made.table.drop(["month"]), "bad", made.truth


def _judged(
    table: pa.Table, target: str, truth: Floats | None, figures: Figures, note: Note
) -> dict[str, Any]:
    late = np.random.default_rng(SEED).random(table.num_rows) >= SHARE
    days = np.where(late, np.datetime64(TEST_FROM), np.datetime64("2024-01-01"))
    parted = table.append_column("bench_part", pa.array(days.astype("datetime64[D]")))
    id = "id" if "id" in table.column_names else None
    task = Task(target, id=id, date="bench_part", test_from=TEST_FROM, challenger=True)
    trained, seconds = _timed(lambda: train(parted, task, figures, note))
    whole = sample(parted, target, id, "bench_part")
    test = np.flatnonzero(late[whole.rows])
    note("tuning scikit-learn's gradient boosting")
    reference, reference_seconds = _timed(lambda: _reference(whole, test))
    bad = whole.bad[test]
    rows = {
        "scorecard": _stored(trained, "champion"),
        "challenger": _stored(trained, "challenger"),
        "free boosting": _measures(reference, bad),
    }
    if truth is not None:
        rows["the truth itself"] = _measures(truth[whole.rows][test], bad)
    return {
        "rows": len(whole),
        "columns": len(whole.columns),
        "bad_rate": float(whole.bad.mean()),
        "characteristics": len(trained.champion.model.characteristics),
        "seconds": {"train --challenger": seconds, "free boosting": reference_seconds},
        "models": rows,
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _stored(trained: Trained, which: str) -> dict[str, float]:
    found = getattr(trained, which).metrics["test"]
    return {name: found[name] for name in ("auc", "ks", "brier", "calibration_slope")}


def _measures(pd: Floats, bad: Any) -> dict[str, float]:
    counted = metrics.counts(pd, bad)
    names = ("auc", "ks", "brier", "calibration_slope")
    return {name: metrics.METRICS[name](counted) for name in names}


def _reference(whole: Sample, test: Any) -> Floats:
    """HistGradientBoosting, its leaves and penalty searched in five folds for the AUC, its trees by
    early stopping; no trend is asked of it."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import GridSearchCV
    from threadpoolctl import threadpool_limits

    values = np.column_stack([
        np.where(c.missing, np.nan, c.values.astype(float)) for c in whole.columns.values()
    ])
    categories = [c.kind == "category" for c in whole.columns.values()]
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=500,
        early_stopping=True,
        categorical_features=categories,
        random_state=SEED,
    )
    seen = np.setdiff1d(np.arange(len(whole)), test)
    with threadpool_limits(1):
        search = GridSearchCV(model, GRID, scoring="roc_auc", cv=5, n_jobs=2)
        search.fit(values[seen], whole.bad[seen])
        found: Floats = search.predict_proba(values[test])[:, 1]
    return found
