"""The score of one client from its factors and hits: pure, points with their reasons.

Static points are the factors', at most 40. A typology counts by its strongest hit, whose points halve
every 60 days; together at most 60. What is 70 or more is HIGH (figures: rules/aml.yaml).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import msgspec

from lifecycle.clients.attribute import SOURCES_MAX, Figures
from lifecycle.risk.score import REASONS_MAX, Reason, Score, band_of, version_of
from lifecycle.risk.triggers import months_after

_TENTH = Decimal("0.1")


class Part(msgspec.Struct, frozen=True):
    """A factor, or a hit of a typology, with its points before decay."""

    code: str
    points: int
    sources: tuple[str, ...]
    day: dt.date | None = None
    """When the hit was completed; None for a factor, which does not age."""


class Inputs(msgspec.Struct, frozen=True):
    """What a score rests on."""

    factors: tuple[Part, ...]
    hits: tuple[Part, ...]


class Counted(NamedTuple):
    """A part with the points it has today, with one decimal."""

    part: Part
    points: Decimal


class Total(NamedTuple):
    """The two parts of a score, and what counts in them: by points, the most first."""

    static: Decimal
    dynamic: Decimal
    counted: tuple[Counted, ...]


def decayed(points: int, day: dt.date, business_date: dt.date, figures: Figures) -> Decimal:
    """The points of a hit after the days since it was completed, with one decimal."""
    age = max(0, (business_date - day).days)
    left = points * 0.5 ** (age / int(figures["aml_half_life_days"].value))
    return Decimal(left).quantize(_TENTH, ROUND_HALF_UP)


def total(inputs: Inputs, business_date: dt.date, figures: Figures) -> Total:
    """Add the points up, each part to its most."""
    standing = [Counted(part, Decimal(part.points)) for part in inputs.factors]
    strongest = _strongest(inputs.hits, business_date, figures)
    limits = figures["aml_points_max"].value
    return Total(
        min(Decimal(limits["static"]), _sum(standing)),
        min(Decimal(limits["dynamic"]), _sum(strongest)),
        tuple(sorted([*standing, *strongest], key=lambda one: (-one.points, one.part.code))),
    )


def score(inputs: Inputs, business_date: dt.date, figures: Figures) -> Score:
    """The points of both parts, and what brings most of them."""
    found = total(inputs, business_date, figures)
    value = int((found.static + found.dynamic).quantize(Decimal(1), ROUND_HALF_UP))
    shown = found.counted[:REASONS_MAX]
    ids = dict.fromkeys(id for one in shown for id in one.part.sources)
    return Score(
        value,
        band_of(value, figures["aml_levels"].value),
        None,
        tuple(_reason(one, figures) for one in shown),
        tuple(ids)[:SOURCES_MAX],
    )


def next_review(last: dt.date, level: str, figures: Figures) -> dt.date:
    """When the client is due for review: so many months after the last one, by its level."""
    months = int(figures["aml_review_months"].value[level])
    return months_after(last, months)


def model_version(figures: Figures) -> str:
    """The figures of the score name it by their content."""
    own = {name: figure.value for name, figure in figures.items() if name.startswith("aml_")}
    return version_of("aml", msgspec.json.encode(own, order="sorted"))


def _strongest(hits: Sequence[Part], business_date: dt.date, figures: Figures) -> list[Counted]:
    """Of each typology the hit of most points today; of equal ones the newest."""
    best: dict[str, Counted] = {}
    for hit in sorted(hits, key=_day, reverse=True):
        points = decayed(hit.points, _day(hit), business_date, figures)
        if points > (best[hit.code].points if hit.code in best else 0):
            best[hit.code] = Counted(hit, points)
    return list(best.values())


def _day(hit: Part) -> dt.date:
    assert hit.day is not None, "a hit has a day"
    return hit.day


def _reason(one: Counted, figures: Figures) -> Reason:
    own = figures[f"aml_{one.part.code.lower()}"].value
    return Reason(one.part.code, own["zh"], own["en"], float(one.points))


def _sum(counted: Sequence[Counted]) -> Decimal:
    return sum((one.points for one in counted), Decimal(0))
