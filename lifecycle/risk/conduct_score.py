"""Points for signs of operating and moral risk, 0 to 100: expert points, so calibrated=false and no PD.

Pure: the signs of one client and the points of rules/conduct.yaml -> a score with its reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from lifecycle.clients.attribute import SOURCES_MAX, Figures
from lifecycle.risk.score import REASONS_MAX, Reason, Score, Version, band_of, version_of

HIGHEST = 100


class Sign(msgspec.Struct, frozen=True):
    """Something that speaks against a client, and the facts that show it."""

    reason: str
    sources: tuple[str, ...]
    part: Decimal = Decimal(1)
    """Of the points of the reason."""


def version(points: str, figures: Figures) -> Version:
    """The points, bands and texts name themselves by their content."""
    own = {name: figures[name].value for name in (points, "conduct_bands", "conduct_reasons")}
    return Version(version_of("points", msgspec.json.encode(own, order="sorted")))


def score(
    signs: Iterable[Sign],
    points: Mapping[str, int],
    bands: Mapping[str, int],
    texts: Mapping[str, Mapping[str, str]],
) -> Score:
    """Add the points of the signs up, at most 100. The same reason counts once, its gravest sign; what has
    no points does not count."""
    gravest: dict[str, Sign] = {}
    for sign in signs:
        if sign.reason in points:
            known = gravest.setdefault(sign.reason, sign)
            gravest[sign.reason] = sign if sign.part > known.part else known
    counted = [
        Reason(code, texts[code]["zh"], texts[code]["en"], _points(points[code], sign))
        for code, sign in gravest.items()
    ]
    reasons = sorted(
        (reason for reason in counted if reason.points > 0),
        key=lambda reason: (-reason.points, reason.code),
    )
    value = min(HIGHEST, int(sum(reason.points for reason in reasons)))
    shown = tuple(reasons[:REASONS_MAX])
    ids = dict.fromkeys(id for reason in shown for id in gravest[reason.code].sources)
    return Score(value, band_of(value, bands), None, shown, tuple(ids)[:SOURCES_MAX])


def _points(most: int, sign: Sign) -> int:
    return int((most * sign.part).quantize(Decimal(1), ROUND_HALF_UP))
