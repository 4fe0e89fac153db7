"""The expert-points credit score: a cold start without labels, so calibrated=false and no PD.

Pure: features of one client and a card of points -> a score with its reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lifecycle.risk.score import REASONS_MAX, Reason, Score, band_of, version_of


class Bin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points for values up to `upto` (inclusive); the last bin has none and takes the rest."""

    points: int
    upto: float | None = None


class Characteristic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the card: a feature, its bins, and the reason it gives when points are lost."""

    code: str
    feature: str
    zh: str
    en: str
    missing: int
    bins: tuple[Bin, ...]

    def points(self, value: float | None) -> int:
        if value is None:
            return self.missing
        return next(b.points for b in self.bins if b.upto is None or value <= b.upto)

    @property
    def best(self) -> int:
        return max(self.missing, *(b.points for b in self.bins))


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole card: base points, bounds, bands by lower bound, characteristics."""

    base: int
    lowest: int
    highest: int
    bands: dict[str, int]
    characteristics: tuple[Characteristic, ...]

    @property
    def version(self) -> str:
        """The card names itself by its content."""
        return version_of("expert", msgspec.json.encode(self))


def card_of(value: Any) -> Card:
    """The card as it stands in rules/score.yaml."""
    return msgspec.convert(value, Card)


def score(features: Mapping[str, float | None], card: Card) -> Score:
    """Add the points up."""
    points = {c.feature: c.points(features.get(c.feature)) for c in card.characteristics}
    value = max(card.lowest, min(card.highest, card.base + sum(points.values())))
    return Score(value, band_of(value, card.bands), None, _reasons(points, card))


def _reasons(points: Mapping[str, int], card: Card) -> tuple[Reason, ...]:
    lost = [Reason(c.code, c.zh, c.en, c.best - points[c.feature]) for c in card.characteristics]
    lost.sort(key=lambda reason: (-reason.points, reason.code))
    return tuple(reason for reason in lost[:REASONS_MAX] if reason.points > 0)
