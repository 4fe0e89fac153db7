"""Three credit tables like the public ones, made from a seed: their size, their kinds of columns, their
missing values and heavy tails, and a chance of default that is known for every row.

`truth` is that chance: its AUC is the best that any model can reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
DATE = "2024-01-01"
MONTHS = 24


class CreditTable(NamedTuple):
    """A labelled table: columns `id`, `month` and `bad` beside what predicts it."""

    table: pa.Table
    truth: Floats


def consumers(rows: int = 150_000, seed: int = 1) -> CreditTable:
    """150,000 x 10: revolving credit of consumers, one in fifteen bad, a fifth without an income."""
    draw = np.random.default_rng(seed)
    strain = draw.normal(size=rows)
    age = np.clip(draw.normal(52 - 3 * strain, 14), 21, 100).round()
    used = 1 / (1 + np.exp(-(draw.normal(size=rows) * 1.4 + 1.1 * strain - 1)))
    used = np.where(draw.random(rows) < 0.02, draw.lognormal(1, 2, rows), used)
    late = _counts(draw, 0.25 * np.exp(0.9 * strain))
    later = _counts(draw, 0.08 * np.exp(1.1 * strain))
    latest = _counts(draw, 0.06 * np.exp(1.2 * strain))
    income = draw.lognormal(8.6 - 0.15 * strain, 0.7, rows).round()
    debt = draw.lognormal(-1.1 + 0.2 * strain, 0.9, rows)
    lines = _counts(draw, 8 * np.exp(-0.08 * strain))
    homes = _counts(draw, 1.0 * np.exp(-0.1 * strain))
    dependents = _counts(draw, 0.75 * np.exp(0.1 * (45 - np.abs(age - 45)) / 10))
    odds = (
        -4.6
        + 2.0 * np.clip(used, 0, 1.2) ** 1.5
        + 0.75 * np.sqrt(late)
        + 0.9 * np.sqrt(later)
        + 1.25 * np.sqrt(latest)
        - 0.022 * np.clip(age - 45, -25, 30)
        + 0.35 * np.clip(debt, 0, 2)
        - 0.25 * np.clip(np.log(income) - 8.6, -2, 2)
        + 0.25 * (np.abs(lines - 7) > 5)
        + 0.06 * dependents
        + 0.5 * (used > 0.8) * (debt > 0.6)
        + 0.35 * (age < 35) * (late > 0)
    )
    columns: dict[str, Any] = {
        "utilisation": used,
        "age": age,
        "times_30_59": late,
        "debt_ratio": debt,
        "monthly_income": _holes(draw, income, 0.2),
        "open_lines": lines,
        "times_90": latest,
        "real_estate_loans": homes,
        "times_60_89": later,
        "dependents": _holes(draw, dependents, 0.026),
    }
    return _labelled(draw, columns, odds)


def cards(rows: int = 30_000, seed: int = 2) -> CreditTable:
    """30,000 x 23: card holders with six months of statements, one in five bad, three categories."""
    draw = np.random.default_rng(seed)
    strain = draw.normal(size=rows)
    limit = np.round(draw.lognormal(11.7 - 0.3 * strain, 0.8, rows) / 10_000).clip(1, 80) * 10_000
    education = draw.choice(
        ["graduate", "university", "high school", "other"], rows, p=[0.35, 0.47, 0.16, 0.02]
    )
    marriage = draw.choice(["married", "single", "other"], rows, p=[0.455, 0.535, 0.01])
    age = np.clip(draw.gamma(9, 4, rows), 21, 75).round()
    status = [_months_late(draw, strain) for _ in range(6)]
    share = 1 / (1 + np.exp(-(draw.normal(size=rows) + 0.5 * strain)))
    bills = [np.round(limit * share * draw.lognormal(0, 0.25, rows)) for _ in range(6)]
    paid = [np.round(bill * draw.beta(0.6, 4 + strain.clip(-3, 3), rows)) for bill in bills]
    odds = (
        -1.95
        + 0.85 * np.minimum(status[0].clip(0), 2)
        + 0.25 * np.minimum(status[1].clip(0), 2)
        + 0.15 * sum(np.minimum(s.clip(0), 2) for s in status[2:])
        - 0.3 * (np.log(limit) - 11.7)
        - 0.25 * np.log1p(paid[0] / 1000).clip(0, 4) / 2
        + 0.15 * (education == "high school")
        + 0.12 * (marriage == "married")
        + 0.0006 * (age - 36) ** 2
        + 0.4 * (status[0] <= 0) * (share > 0.8)
        - 0.3 * (status[0] >= 2) * (limit > 200_000)
    )
    columns: dict[str, Any] = {"limit": limit, "sex": draw.choice(["male", "female"], rows)}
    columns |= {"education": education, "marriage": marriage, "age": age}
    columns |= {f"pay_{n}": own for n, own in enumerate(status)}
    columns |= {f"bill_{n}": own for n, own in enumerate(bills)}
    columns |= {f"paid_{n}": own for n, own in enumerate(paid)}
    return _labelled(draw, columns, odds)


def companies(rows: int = 10_000, seed: int = 3) -> CreditTable:
    """10,000 x 64: ratios of companies from a few causes, one in fourteen bad, holes in every column."""
    draw = np.random.default_rng(seed)
    causes = draw.normal(size=(rows, 8))
    loads = draw.normal(size=(8, 64)) * (draw.random((8, 64)) < 0.25)
    noise = draw.standard_t(4, size=(rows, 64)) * draw.uniform(0.4, 1.5, 64)
    ratios = causes @ loads + noise
    tails = np.sign(ratios) * np.expm1(np.abs(ratios) * draw.uniform(0.2, 0.9, 64))
    profit, debt, cash, size = causes[:, 0], causes[:, 1], causes[:, 2], causes[:, 3]
    odds = (
        -3.9
        - 1.1 * np.tanh(profit)
        + 0.9 * np.clip(debt, -1, 2)
        - 0.7 * np.minimum(cash, 0.5)
        + 0.3 * size**2 / 2
        + 0.8 * (profit < -0.5) * (debt > 0.5)
    )
    columns = {
        f"ratio_{n:02}": _holes(
            draw, tails[:, n], draw.choice([0.002, 0.02, 0.05, 0.4], p=[0.5, 0.3, 0.15, 0.05])
        )
        for n in range(64)
    }
    return _labelled(draw, columns, odds)


TABLES: dict[str, Callable[[], CreditTable]] = {
    "consumers 150,000 x 10": consumers,
    "cards 30,000 x 23": cards,
    "companies 10,000 x 64": companies,
}


def _counts(draw: np.random.Generator, mean: Floats) -> Floats:
    return draw.poisson(mean).astype(float)


def _months_late(draw: np.random.Generator, strain: Floats) -> Floats:
    """-2: nothing to pay; -1: paid in full; 0: paid in part; then months behind."""
    calm = draw.choice([-2.0, -1.0, 0.0], len(strain), p=[0.12, 0.25, 0.63])
    behind = draw.random(len(strain)) < 1 / (1 + np.exp(-(strain - 1.9)))
    return np.where(behind, 1 + np.minimum(draw.geometric(0.55, len(strain)), 7), calm)


def _holes(draw: np.random.Generator, values: Floats, share: float) -> Floats:
    return np.where(draw.random(len(values)) < share, np.nan, values)


def _labelled(draw: np.random.Generator, columns: dict[str, Any], odds: Floats) -> CreditTable:
    truth = 1 / (1 + np.exp(-odds))
    month = np.datetime64(DATE, "M") + draw.integers(0, MONTHS, len(odds))
    named: dict[str, Any] = {
        "id": pa.array([f"C{n:06}" for n in range(len(odds))]),
        "month": pa.array(month.astype("datetime64[D]")),
        "bad": pa.array((draw.random(len(odds)) < truth).astype("int8")),
    }
    found = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    return CreditTable(pa.table(named | found), truth)
