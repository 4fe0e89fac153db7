"""What every score is, whatever its type: a value, a band, its reasons, and all that it rests on.

A scorer is a pure function of a client's inputs. Inputs are kept as canonical JSON beside the score, so
that a score of any past date is made again from its own row, to the last byte.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

AML = "AML"
"""The type of the score that speaks of money laundering, which compliance alone may see."""
ATTRITION = "ATTRITION"
"""The type of the score that rests on a consent."""
REASONS_MAX = 4
Withheld = Literal["SUPPRESSED", "UNKNOWN", "NOT_CONSENTED"]
"""Why there is no score. SUPPRESSED: facts of the client are in quarantine, or a gate refused the score;
UNKNOWN: too little is known of it; NOT_CONSENTED: the client does not allow the purpose of the score."""
_NAMESPACE = uuid.UUID("0f7f3f5e-8f0b-5c63-9f7d-3a1c5a6f1e22")


class Reason(NamedTuple):
    """Points that speak against a client: lost from the best, or added up."""

    code: str
    zh: str
    en: str
    points: int | float


class Candidate(NamedTuple):
    """A client that a score is due for, and the inputs of its scorer; or why there is none."""

    client_id: str
    inputs: Any
    withheld: Withheld | None = None


class Score(NamedTuple):
    """What a scorer says of one client."""

    value: int
    band: str
    pd: float | None
    """None where no model was fitted to outcomes."""
    reasons: tuple[Reason, ...]
    """At most four, the gravest first."""
    evidence: tuple[str, ...] = ()
    """Ids of the facts behind the reasons, at most twenty."""


class Version(NamedTuple):
    """The names of a model and of its calibration, by their content."""

    model: str
    calibration: str | None = None
    """None where there is no PD."""


def canonical(inputs: Any) -> str:
    """Inputs as text: the same inputs are the same text."""
    return msgspec.json.encode(inputs, order="deterministic").decode()


def feature_hash(inputs: str) -> str:
    """The name of inputs as `canonical` gives them."""
    return hashlib.sha256(inputs.encode()).hexdigest()


def score_id(score_type: str, client_id: str, as_of: Any, feature_hash: str, model: str) -> str:
    """The same score has the same id, and another one has another."""
    named = f"{score_type}|{client_id}|{as_of}|{feature_hash}|{model}"
    return str(uuid.uuid5(_NAMESPACE, named))


def band_of(value: float, bands: Mapping[str, Any]) -> str:
    """The band whose least value is the greatest that `value` reaches; bands come in any order."""
    reached = [(float(least), name) for name, least in bands.items() if value >= float(least)]
    return max(reached)[1]


def version_of(kind: str, content: bytes) -> str:
    """A model names itself by its content."""
    return f"{kind}-{hashlib.sha256(content).hexdigest()[:12]}"
