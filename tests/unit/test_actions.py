"""NEW -> ACKED -> CLOSED, and who may close."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.alerts.actions import Action, next_status
from lifecycle.errors import UsageError


def act(action: Action, status: str, **changes: Any) -> str:
    known: dict[str, Any] = {
        "alert_id": "A",
        "status": status,
        "severity": "P2",
        "owner": "RM",
        "acked_by": "ann",
        "actor": "ann",
        "reason": "seen",
    }
    return next_status(action, **(known | changes))


def test_the_path_of_an_alert() -> None:
    assert act("ack", "NEW") == "ACKED"
    assert act("close", "ACKED") == "CLOSED"


@pytest.mark.parametrize(
    ("action", "status", "hint"),
    [
        ("ack", "ACKED", "acknowledged before"),
        ("ack", "CLOSED", "stays as it is"),
        ("close", "NEW", "acknowledge it first"),
        ("close", "CLOSED", "stays as it is"),
    ],
)
def test_what_is_not_allowed_says_why(action: Action, status: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"Alert A is {status}: .*{hint}"):
        act(action, status)


@pytest.mark.parametrize("changes", [{"actor": " "}, {"reason": ""}])
def test_who_and_why_are_needed(changes: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="who does it and why"):
        act("ack", "NEW", **changes)


@pytest.mark.parametrize("severity", ["P1", "P2"])
def test_a_grave_alert_of_compliance_needs_four_eyes(severity: str) -> None:
    with pytest.raises(UsageError, match="another person has to close it"):
        act("close", "ACKED", owner="CO", severity=severity)
    assert act("close", "ACKED", owner="CO", severity=severity, actor="bob") == "CLOSED"
    assert act("close", "ACKED", owner="CO", severity="P3") == "CLOSED"
