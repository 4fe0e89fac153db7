"""The figures of rules/models.yaml that fitting, scaling, calibrating and judging go by."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping

import msgspec

from lifecycle.alerts.rules import Parameter
from lifecycle.risk.credit_score import card_of


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points: `pdo` of them double the odds of being good, and `anchor` points are `odds`:1."""

    pdo: float
    anchor: float
    odds: float
    lowest: int
    highest: int

    @property
    def factor(self) -> float:
        return self.pdo / math.log(2)

    @property
    def offset(self) -> float:
        return self.anchor - self.factor * math.log(self.odds)

    def clip(self, points: float) -> int:
        """The nearest whole score there is."""
        return round(min(max(points, self.lowest), self.highest))


class Ratings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Master scale and bands of PD: each upper end belongs to the next one; the last takes the rest."""

    grades: tuple[float, ...]
    bands: dict[str, float]

    def grade(self, pd: float) -> int:
        """1 is the best."""
        return min(bisect_right(self.grades, pd), len(self.grades) - 1) + 1

    def band(self, pd: float) -> str:
        names = tuple(self.bands)
        return names[min(bisect_right(tuple(self.bands.values()), pd), len(names) - 1)]


class Binning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How values are cut into bins."""

    fine_bins: int
    fine_share: float
    bin_share: float
    flag_share: float
    """Of the rarer side of a column with two values: it can be rare and sure."""
    bin_bads: int
    rare_share: float
    """Categories with a smaller share are one: the rest, which also takes unseen ones."""
    smoothing: float
    """Added to goods and bads of a bin before its WOE."""
    turning_gain: float
    """A trend may turn once where that multiplies the IV by this at least,"""
    turning_evidence: float
    """and adds this many times what a bin adds by chance."""
    iv: float


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How coefficients are found."""

    folds: int
    seed: int
    bads: int
    """Fewer bads, or fewer goods, are not fitted."""
    penalties: tuple[float, ...]
    """Inverse strengths (C) of the l2 penalty to choose from, strongest first."""


class Boosting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the challenger is searched for; the number of trees is found by early stopping."""

    learning_rate: float
    trees: int
    patience: int
    leaves: tuple[int, ...]
    leaf_rows: tuple[int, ...]
    penalty: float
    columns: float
    rows: float


class Leakage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on a column knows too much to be true."""

    iv: float
    auc: float


class Replaces(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a challenger may replace the champion."""

    auc: float
    p: float


class Validation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a validation, and how intervals are drawn."""

    psi: tuple[float, float]
    slope: tuple[float, float]
    resamples: int
    coverage: float
    replaces: Replaces


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reason in both languages."""

    zh: str
    en: str


class Figures(msgspec.Struct, frozen=True):
    """All of them."""

    scale: Scale
    binning: Binning
    fit: Fit
    boosting: Boosting
    leakage: Leakage
    ratings: Ratings
    validation: Validation
    texts: dict[str, Text]
    """Reasons of columns that are known by name."""

    def text(self, column: str) -> Text:
        """The reason a column gives; a neutral sentence for one that nobody wrote a text for."""
        neutral = Text(f"“{column}”的取值使评分降低", f"the value of {column} lowers the score")
        return self.texts.get(column, neutral)


_NAMES = {
    "scale": "score_scale",
    "binning": "score_binning",
    "fit": "score_fit",
    "boosting": "challenger_fit",
    "leakage": "score_leakage",
    "ratings": "pd_ratings",
    "validation": "score_validation",
}


def figures_of(parameters: Mapping[str, Parameter]) -> Figures:
    """The figures as they stand in the rules, with the texts of the expert card's features."""
    known = {
        c.feature: {"zh": c.zh, "en": c.en}
        for c in card_of(parameters["credit_card"].value).characteristics
    }
    values = {name: parameters[own].value for name, own in _NAMES.items()}
    texts = known | parameters["reason_texts"].value
    return msgspec.convert(values | {"texts": texts}, Figures)
