"""What every score has, whatever its type: a row, a band, a name of its model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

REASONS_MAX = 4
NoScore = Literal["SUPPRESSED", "UNKNOWN", "NOT_CONSENTED"]
"""SUPPRESSED: facts of the client are in quarantine; UNKNOWN: too little is known of it; NOT_CONSENTED:
the client does not allow the purpose of the score."""


class Row(NamedTuple):
    """One score of a client as of a date."""

    client_id: str
    score_type: str
    status: Literal["SCORED"] | NoScore
    value: int | None
    band: str | None
    pd: float | None
    """None where no model was fitted to outcomes."""
    reasons: tuple[tuple[str, int], ...]
    """At most four (code, points), the gravest first."""
    evidence: tuple[str, ...]
    """Ids of the facts behind the reasons, at most twenty."""

    @property
    def calibrated(self) -> bool:
        return self.pd is not None


def empty(client_id: str, score_type: str, status: NoScore) -> Row:
    """A row without a score, which says why."""
    return Row(client_id, score_type, status, None, None, None, (), ())


def band_of(value: float, bands: Mapping[str, Any]) -> str:
    """The band whose least value is the greatest that `value` reaches; bands come in any order."""
    reached = [(float(least), name) for name, least in bands.items() if value >= float(least)]
    return max(reached)[1]


def version_of(kind: str, content: bytes) -> str:
    """A model names itself by its content."""
    return f"{kind}-{hashlib.sha256(content).hexdigest()[:12]}"
