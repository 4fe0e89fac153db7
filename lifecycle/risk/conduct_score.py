"""Points for signs of operating and moral risk, 0 to 100: expert points, so calibrated=false and no PD.

Pure: the signs of one client and the points of rules/conduct.yaml -> a score with its reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from lifecycle.clients.attribute import SOURCES_MAX
from lifecycle.risk.score_row import REASONS_MAX, Row, band_of

HIGHEST = 100


class Sign(NamedTuple):
    """Something that speaks against a client, and the facts that show it."""

    reason: str
    sources: tuple[str, ...]
    part: Decimal = Decimal(1)
    """Of the points of the reason."""


def score(
    client_id: str,
    score_type: str,
    signs: Iterable[Sign],
    points: Mapping[str, int],
    bands: Mapping[str, int],
) -> Row:
    """Add the points of the signs up, at most 100. The same reason counts once, its gravest sign."""
    gravest: dict[str, Sign] = {}
    for sign in signs:
        if sign.reason not in gravest or sign.part > gravest[sign.reason].part:
            gravest[sign.reason] = sign
    counted = sorted(
        ((reason, _points(points[reason], sign)) for reason, sign in gravest.items()),
        key=lambda pair: (-pair[1], pair[0]),
    )
    reasons = tuple(pair for pair in counted if pair[1] > 0)
    value = min(HIGHEST, sum(own for _reason, own in reasons))
    shown = reasons[:REASONS_MAX]
    ids = dict.fromkeys(id for reason, _own in shown for id in gravest[reason].sources)
    band = band_of(value, bands)
    return Row(client_id, score_type, "SCORED", value, band, None, shown, tuple(ids)[:SOURCES_MAX])


def _points(most: int, sign: Sign) -> int:
    return int((most * sign.part).quantize(Decimal(1), ROUND_HALF_UP))
