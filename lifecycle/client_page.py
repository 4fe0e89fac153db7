"""One client's page as data: what is served of it, as it may be read, with the keys of the stable
interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lifecycle.clients import reading
from lifecycle.clients.attribute import Figures
from lifecycle.clients.consent import Permission
from lifecycle.events.fields import Purpose

Row = dict[str, Any]

_NO_SUMMARY: Row = {"standing": None, "quality": None, "checks": [], "needs": [], "questions": []}


def page(
    client_id: str,
    served: Row,
    allowed: Mapping[Purpose, Permission],
    purpose: Purpose,
    role: str | None,
    figures: Figures,
) -> Row:
    """`served` are rows of the client store and its alerts."""
    summary = served["summary"] or _NO_SUMMARY
    degraded = served["held"] > 0
    attributes = reading.attributes(served["attributes"], allowed, purpose)

    def marked(rows: list[Row]) -> list[Row]:
        return [row | {"degraded": degraded} for row in rows]

    return {
        "client_id": client_id,
        "client_type": summary.get("client_type"),
        "purpose": purpose,
        "role": role,
        "as_of": served["as_of"],
        "lifecycle": _lifecycle(summary["standing"], served["moves"]),
        "quality": summary["quality"],
        "degraded": degraded,
        "held": served["held"],
        "incomplete": any(gap["incomplete"] for gap in served["gaps"]),
        "gaps": served["gaps"],
        "attributes": marked(attributes),
        "checks": reading.checks(summary["checks"], allowed, purpose, role, figures),
        "tasks": reading.owned(served["tasks"], role),
        "consents": [msgspec.structs.asdict(permission) for permission in allowed.values()],
        "needs": reading.consented(summary["needs"], allowed),
        "questions": reading.consented(summary["questions"], allowed),
        "scores": marked(
            reading.consented_scores(reading.scores(served["scores"], role), allowed, figures)
        ),
        "facilities": marked(served["facilities"]),
        "alerts": reading.owned(served["alerts"], role),
        "facts": [_fact(row) for row in served["facts"]],
    }


def _lifecycle(standing: Row | None, moves: list[Row]) -> Row:
    if standing is None:
        return {"state": None, "since": None, "rule_id": None, "flags": [], "history": moves}
    entered = standing["entered"]
    return {
        "state": entered["to"],
        "since": entered["on"],
        "rule_id": entered["rule_id"],
        "flags": standing["flags"],
        "candidate": standing["candidate"],
        "history": moves,
    }


def _fact(row: Row) -> Row:
    envelope = msgspec.json.decode(row["payload"])
    return {
        "time": envelope["time"],
        "type": envelope["type"],
        "subject": envelope["subject"],
        "event_id": row["event_id"],
    }
