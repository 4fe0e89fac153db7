"""The score of one client from its factors and hits: pure, points with their reasons.

Static points are the factors', at most 40. A typology counts by its strongest hit, whose points halve
every 60 days; together at most 60. What is 70 or more is HIGH (figures: rules/aml.yaml).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from lifecycle.clients.attribute import SOURCES_MAX, Figures
from lifecycle.risk.score_row import band_of, version_of
from lifecycle.risk.triggers import months_after

_NAMESPACE = uuid.UUID("5b1f6f5c-9d0e-5e0a-8c55-2f0e9c1f4a77")
_TENTH = Decimal("0.1")
Row = Mapping[str, Any]


class Reason(msgspec.Struct, frozen=True):
    """What some of the points are for."""

    code: str
    points: Decimal
    """With one decimal, after decay."""
    zh: str
    en: str
    day: dt.date | None
    """When the hit was completed; None for a factor, which does not age."""
    sources: tuple[str, ...]


class Score(msgspec.Struct, frozen=True):
    """A client's score; `value` and `band` are None when it is suppressed."""

    client_id: str
    score_id: str
    status: str
    value: int | None
    band: str | None
    static: Decimal
    dynamic: Decimal
    reasons: tuple[Reason, ...]
    """By points, the most first."""
    feature_hash: str


def decayed(points: int, day: dt.date, business_date: dt.date, figures: Figures) -> Decimal:
    """The points of a hit after the days since it was completed, with one decimal."""
    age = max(0, (business_date - day).days)
    left = points * 0.5 ** (age / int(figures["aml_half_life_days"].value))
    return Decimal(left).quantize(_TENTH, ROUND_HALF_UP)


def score(
    client_id: str,
    factors: Sequence[Row],
    hits: Sequence[Row],
    business_date: dt.date,
    figures: Figures,
    *,
    suppressed: bool,
) -> Score:
    """Add the points up. A client whose facts are not all usable gets no value, and is told so."""
    standing = [_reason(row, Decimal(row["points"]), None, figures) for row in factors]
    strongest = _strongest(hits, business_date, figures)
    limits = figures["aml_points_max"].value
    static = min(Decimal(limits["static"]), _total(standing))
    dynamic = min(Decimal(limits["dynamic"]), _total(strongest))
    reasons = tuple(sorted([*standing, *strongest], key=lambda r: (-r.points, r.code)))
    digest = hashlib.sha256(msgspec.json.encode(reasons)).hexdigest()
    identity = str(uuid.uuid5(_NAMESPACE, f"{client_id}|{business_date}|{digest}"))
    if suppressed:
        return Score(client_id, identity, "SUPPRESSED", None, None, static, dynamic, (), digest)
    value = int((static + dynamic).quantize(Decimal(1), ROUND_HALF_UP))
    return Score(
        client_id,
        identity,
        "SCORED",
        value,
        band_of(value, figures["aml_levels"].value),
        static,
        dynamic,
        reasons,
        digest,
    )


def next_review(last: dt.date, level: str, figures: Figures) -> dt.date:
    """When the client is due for review: so many months after the last one, by its level."""
    months = int(figures["aml_review_months"].value[level])
    return months_after(last, months)


def model_version(figures: Figures) -> str:
    """The figures of the score name it by their content."""
    own = {name: figure.value for name, figure in figures.items() if name.startswith("aml_")}
    return version_of("aml", msgspec.json.encode(own, order="sorted"))


def _strongest(hits: Sequence[Row], business_date: dt.date, figures: Figures) -> list[Reason]:
    """Of each typology the hit of most points today; of equal ones the newest."""
    best: dict[str, Reason] = {}
    for row in sorted(hits, key=lambda row: row["day"], reverse=True):
        points = decayed(row["points"], row["day"], business_date, figures)
        if points > (best[row["code"]].points if row["code"] in best else 0):
            best[row["code"]] = _reason(row, points, row["day"], figures)
    return list(best.values())


def _reason(row: Row, points: Decimal, day: dt.date | None, figures: Figures) -> Reason:
    own = figures[f"aml_{row['code'].lower()}"].value
    sources = tuple(row["sources"][:SOURCES_MAX])
    return Reason(row["code"], points, own["zh"], own["en"], day, sources)


def _total(reasons: Sequence[Reason]) -> Decimal:
    return sum((reason.points for reason in reasons), Decimal(0))
