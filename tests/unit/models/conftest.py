"""The figures in force, and a small table that a scorecard can be made of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lifecycle.alerts.rules import RuleSet
from lifecycle.models.figures import Figures, figures_of


@pytest.fixture(scope="session")
def figures(rule_set: RuleSet) -> Figures:
    return figures_of(rule_set.parameters)


@pytest.fixture(scope="session")
def loans() -> pa.Table:
    """1,500 rows: a number that goes one way, one that turns, a category, noise, and holes."""
    draw = np.random.default_rng(5)
    rows = 1_500
    load, age = draw.normal(size=rows), draw.uniform(-2, 2, rows)
    home = draw.choice(["own", "rent", "family", "boat"], rows, p=[0.5, 0.3, 0.195, 0.005])
    odds = -1.8 + 1.1 * load + 0.6 * age**2 - 0.8 * (home == "own")
    bad = (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype("int8")
    known = np.where(draw.random(rows) < 0.1, np.nan, load)
    month = np.datetime64("2024-01", "M") + draw.integers(0, 12, rows)
    return pa.table({
        "id": [f"{n:05}" for n in range(rows)],
        "month": pa.array(month.astype("datetime64[D]")),
        "load": pa.array(known, from_pandas=True),
        "age": age,
        "home": home,
        "noise": draw.normal(size=rows),
        "bad": bad,
    })
