"""How likely a client leaves within ninety days: a fitted model, or points while there is none.

A model is a JSON artefact: a logistic regression on features that were cut off at their extremes and
standardised, and an isotonic calibration of its log-odds. It is scored here, by `probability` or by the
Ibis expression of `probability_of`, without the library that fitted it. Pure.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
import msgspec

from lifecycle.clients.attribute import SOURCES_MAX, Figures
from lifecycle.errors import UsageError
from lifecycle.risk.credit_score import Characteristic
from lifecycle.risk.score import REASONS_MAX, Reason, Score, Version, band_of, version_of

DOUBLE_ODDS = 20
"""Points that double the odds, in which a model's reasons are told."""
HIGHEST = 100

Values = Mapping[str, float | None]
"""Feature -> value; None where it cannot be had."""


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature of a model."""

    feature: str
    weight: float
    """Log-odds for each standard deviation."""
    low: float
    high: float
    """What lies outside counts as the bound."""
    mean: float
    scale: float
    missing: float
    """What stands for a value that cannot be had."""

    def log_odds(self, value: float | None) -> float:
        used = self.missing if value is None else value
        return self._at(min(max(used, self.low), self.high))

    def above_best(self, value: float | None) -> float:
        """By how much the log-odds are above those of the value that speaks most for staying."""
        return self.log_odds(value) - min(self._at(self.low), self._at(self.high))

    def _at(self, used: float) -> float:
        return self.weight * (used - self.mean) / self.scale


class Knot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A point of the calibration; between two of them it is a straight line."""

    log_odds: float
    probability: float


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fitted model and what it was fitted on."""

    intercept: float
    terms: tuple[Term, ...]
    knots: tuple[Knot, ...]
    """By log-odds; probabilities never fall."""
    fitted_on: dict[str, Any]
    """Where the rows are from, their number and dates, and how many of them left."""

    @property
    def version(self) -> str:
        return version_of("attrition", msgspec.json.encode(self))


Card = tuple[Characteristic, ...]
"""The points that stand in for a model."""


class Inputs(msgspec.Struct, frozen=True):
    """What a score rests on: features, and the facts behind each."""

    values: dict[str, float | None]
    sources: dict[str, tuple[str, ...]]


def card_of(figures: Figures) -> Card:
    """The card as it stands in rules/attrition.yaml."""
    return msgspec.convert(figures["attrition_card"].value, Card)


def version(model: Model | None, figures: Figures) -> Version:
    """The names of what scores: the card's where there is no model."""
    if model is None:
        return Version(version_of("expert", msgspec.json.encode(card_of(figures))))
    return Version(model.version, version_of("calibration", msgspec.json.encode(model.knots)))


def read_model(content: bytes, where: str, features: Sequence[str]) -> Model:
    """A model from its JSON. Raises UsageError when it is none, or of other features."""
    try:
        model = msgspec.json.decode(content, type=Model)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{where} is no attrition model ({error}): fit one with `lifecycle bench attrition --write-model`."
        ) from error
    unknown = {term.feature for term in model.terms} - set(features)
    ordered = [knot.log_odds for knot in model.knots]
    if unknown or not ordered or ordered != sorted(set(ordered)):
        what = (
            f"of features nobody knows: {', '.join(sorted(unknown))}"
            if unknown
            else "without order"
        )
        raise UsageError(f"The attrition model {where} is {what}: fit it again.")
    return model


def write_model(model: Model) -> bytes:
    """The artefact, as `read_model` takes it."""
    return msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n"


def log_odds(model: Model, values: Values) -> float:
    return model.intercept + sum(term.log_odds(values.get(term.feature)) for term in model.terms)


def probability(model: Model, values: Values) -> float:
    """Calibrated probability of leaving within the horizon."""
    at = log_odds(model, values)
    after = bisect.bisect_right([knot.log_odds for knot in model.knots], at)
    if after == 0:
        return model.knots[0].probability
    if after == len(model.knots):
        return model.knots[-1].probability
    low, high = model.knots[after - 1], model.knots[after]
    share = (at - low.log_odds) / (high.log_odds - low.log_odds)
    return low.probability + share * (high.probability - low.probability)


def probability_of(model: Model, table: ir.Table) -> ir.FloatingValue:
    """The same for every row of a table that has the features as columns."""
    at: Any = ibis.literal(model.intercept)
    for term in model.terms:
        used = ibis.coalesce(table[term.feature].cast("float64"), term.missing)
        cut = ibis.least(ibis.greatest(used, term.low), term.high)
        at += term.weight * (cut - term.mean) / term.scale
    pieces = [(at < model.knots[0].log_odds, model.knots[0].probability)]
    for low, high in zip(model.knots, model.knots[1:], strict=False):
        slope = (high.probability - low.probability) / (high.log_odds - low.log_odds)
        pieces.append((at < high.log_odds, low.probability + slope * (at - low.log_odds)))
    return ibis.cases(*pieces, else_=model.knots[-1].probability)


def score(inputs: Inputs, model: Model | None, figures: Figures) -> Score:
    """By the model, or by the points of the card while there is none."""
    return _by_points(inputs, figures) if model is None else _by_model(inputs, model, figures)


def _by_model(inputs: Inputs, model: Model, figures: Figures) -> Score:
    """The probability, its band, and the features that raise it most above their best value: their log-odds
    in points of which twenty double the odds."""
    pd = probability(model, inputs.values)
    points = {
        term.feature: round(
            term.above_best(inputs.values.get(term.feature)) * DOUBLE_ODDS / math.log(2)
        )
        for term in model.terms
    }
    band = band_of(pd, figures["attrition_bands"].value)
    return _score(round(HIGHEST * pd), band, pd, points, inputs, card_of(figures))


def _by_points(inputs: Inputs, figures: Figures) -> Score:
    """The points of the card, their band, and no probability: calibrated=false."""
    card = card_of(figures)
    points = {c.feature: c.points(inputs.values.get(c.feature)) for c in card}
    value = min(HIGHEST, sum(points.values()))
    band = band_of(value, figures["attrition_point_bands"].value)
    return _score(value, band, None, points, inputs, card)


def _score(
    value: int,
    band: str,
    pd: float | None,
    points: Mapping[str, int],
    inputs: Inputs,
    card: Card,
) -> Score:
    raised = sorted(
        (line for line in card if points.get(line.feature, 0) > 0),
        key=lambda line: (-points[line.feature], line.code),
    )[:REASONS_MAX]
    ids = dict.fromkeys(id for line in raised for id in inputs.sources.get(line.feature, ()))
    reasons = tuple(Reason(line.code, line.zh, line.en, points[line.feature]) for line in raised)
    return Score(value, band, pd, reasons, tuple(ids)[:SOURCES_MAX])
