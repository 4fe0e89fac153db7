"""Scores of candidates as a night makes them, without a night."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from lifecycle.alerts.rules import RuleSet
from lifecycle.risk.score import Candidate
from lifecycle.scoring import Frame, Models, rows


def scored(
    kind: str,
    candidates: Iterable[Candidate],
    as_of: dt.date,
    rules: RuleSet,
    models: Models = Models(),  # noqa: B008
) -> dict[str, dict[str, Any]]:
    """Client id -> the row of its score."""
    frame = Frame(as_of, models, rules.parameters, rules.hash, {})
    return {row["client_id"]: row for row in rows(kind, candidates, frame)}
