"""The expert-points credit score: a cold start without labels, so calibrated=false and no PD.

Pure: features of one client and a card of points -> a score with its reasons.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from lifecycle.risk.score_row import REASONS_MAX, band_of, version_of

SCORE_TYPE = "CREDIT"
_NAMESPACE = uuid.UUID("0f7f3f5e-8f0b-5c63-9f7d-3a1c5a6f1e22")


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


class Reason(NamedTuple):
    """Why points were lost."""

    code: str
    zh: str
    en: str
    points_lost: int


class Score(NamedTuple):
    """A score and how it came about; `value` is None when it is suppressed."""

    score_id: str
    status: str
    value: int | None
    band: str | None
    reasons: tuple[Reason, ...]
    feature_hash: str


def card_of(value: Any) -> Card:
    """The card as it stands in rules/score.yaml."""
    return msgspec.convert(value, Card)


def model_version(card: Card) -> str:
    """The card names itself by its content."""
    return version_of("expert", msgspec.json.encode(card))


def score(
    client_id: str,
    as_of: str,
    features: Mapping[str, float | None],
    card: Card,
    *,
    degraded: bool,
) -> Score:
    """Add the points up. A client whose facts are in quarantine gets no value, and is told so."""
    used = {c.feature: features.get(c.feature) for c in card.characteristics}
    digest = hashlib.sha256(msgspec.json.encode(used, order="sorted")).hexdigest()
    identity = str(uuid.uuid5(_NAMESPACE, f"{SCORE_TYPE}|{client_id}|{as_of}|{digest}"))
    if degraded:
        return Score(identity, "SUPPRESSED", None, None, (), digest)
    points = card.base + sum(c.points(used[c.feature]) for c in card.characteristics)
    value = max(card.lowest, min(card.highest, points))
    return Score(
        identity, "SCORED", value, band_of(value, card.bands), _reasons(used, card), digest
    )


def _reasons(used: Mapping[str, float | None], card: Card) -> tuple[Reason, ...]:
    lost = [
        Reason(c.code, c.zh, c.en, c.best - c.points(used[c.feature])) for c in card.characteristics
    ]
    lost.sort(key=lambda reason: (-reason.points_lost, reason.code))
    return tuple(reason for reason in lost[:REASONS_MAX] if reason.points_lost > 0)
