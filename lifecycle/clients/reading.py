"""What of a client may be read: for a purpose, under the consents of now, by a role.

Rows are dicts as they are served. What was lawful when it was made is not shown when it no longer is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.clients.attribute import Figures
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.consent import Permission
from lifecycle.events.fields import Purpose
from lifecycle.risk.score import AML, ATTRITION, canonical, feature_hash

Row = dict[str, Any]
Permissions = Mapping[Purpose, Permission]

COMPLIANCE = "CO"

_HIDDEN: Row = {
    "value": None,
    "null_reason": "NOT_CONSENTED",
    "confidence": 0.0,
    "source_event_ids": [],
    "source_time": None,
}
_WITHHELD: Row = {
    "status": "NOT_CONSENTED",
    "value": None,
    "band": None,
    "pd": None,
    "calibrated": False,
    "reason_codes": [],
    "source_event_ids": [],
    "override": None,
    "feature_hash": feature_hash(canonical(None)),
}


def attributes(rows: Sequence[Row], allowed: Permissions, purpose: Purpose) -> list[Row]:
    """Without the values the client does not allow for the purpose."""
    return [
        row
        if row["null_reason"] == "NOT_APPLICABLE"
        or _may(allowed, {purpose, *row["purpose"].split("+")})
        else row | _HIDDEN
        for row in rows
    ]


def checks(
    rows: Sequence[Row], allowed: Permissions, purpose: Purpose, role: str | None, figures: Figures
) -> list[Row]:
    """Without the checks that compare what may not be read; and without those compliance owns, for
    whoever is not compliance: also one that passed, since its absence would tell."""
    owners = figures["check_owners"].value
    return [
        row
        for row in rows
        if _may(allowed, {purpose, *_purposes_of(row)})
        and (role in (None, COMPLIANCE) or COMPLIANCE not in owners.get(row["id"], {}).values())
    ]


def consented(rows: Sequence[Row], allowed: Permissions) -> list[Row]:
    """Needs or questions without those that rest on a purpose the client does not allow."""
    return [row for row in rows if _may(allowed, set(row["needs_consent"]))]


def owned(rows: Sequence[Row], role: str | None) -> list[Row]:
    """Alerts or tasks as a role may see them: what compliance owns is seen by compliance alone.
    None is who works the pipeline, and sees all."""
    if role in (None, COMPLIANCE):
        return list(rows)
    return [row for row in rows if COMPLIANCE not in row["owner"].split("+")]


def scores(rows: Sequence[Row], role: str | None) -> list[Row]:
    """Scores as a role may see them. Suspicions of money laundering are for compliance alone: who works
    the pipeline does not see them either, and has to say that it reads as compliance."""
    return [row for row in rows if row["score_type"] != AML or role == COMPLIANCE]


def consented_scores(rows: Sequence[Row], allowed: Permissions, figures: Figures) -> list[Row]:
    """Scores without what those say whose purpose the client does not allow now."""
    forbidden = forbidden_scores(allowed, figures)
    return [row | _WITHHELD if row["score_type"] in forbidden else row for row in rows]


def forbidden_scores(allowed: Permissions, figures: Figures) -> list[str]:
    """Types of scores that rest on a purpose the client does not allow."""
    purpose: Purpose = figures["attrition_purpose"].value
    return [] if allowed[purpose].allowed else [ATTRITION]


def confidential(rows: Sequence[Row], role: str | None) -> list[Row]:
    """Hits of typologies, static factors and the statutory list: all for compliance, nothing else."""
    return list(rows) if role == COMPLIANCE else []


def _may(allowed: Permissions, needed: set[Any]) -> bool:
    return all(allowed[purpose].allowed for purpose in needed)


def _purposes_of(check: Row) -> set[Purpose]:
    sides = (check["left"], check["right"])
    return {p for side in sides if side for p in ATTRIBUTES[side["name"]].purposes}
