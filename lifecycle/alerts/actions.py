"""What a person may do with an alert: NEW -> ACKED -> CLOSED, each with who and why."""

from __future__ import annotations

from typing import Literal

from lifecycle.alerts.owners import CONFIDENTIAL
from lifecycle.errors import UsageError

Action = Literal["ack", "close"]
STATUSES = ("NEW", "ACKED", "CLOSED")

_MOVES: dict[Action, tuple[str, str]] = {"ack": ("NEW", "ACKED"), "close": ("ACKED", "CLOSED")}
"""Action -> the status it needs and the status it leads to."""

_GRAVE = ("P1", "P2")


def next_status(
    action: Action,
    *,
    alert_id: str,
    status: str,
    severity: str,
    owner: str,
    acked_by: str | None,
    actor: str,
    reason: str,
) -> str:
    """The status the action leads to. Raises UsageError when it is not allowed, saying why."""
    needs, becomes = _MOVES[action]
    if not actor.strip() or not reason.strip():
        raise UsageError(f"To {action} an alert, say who does it and why: neither may be empty.")
    if status != needs:
        raise UsageError(f"Alert {alert_id} is {status}: {_HINTS[action, status]}.")
    four_eyes = CONFIDENTIAL in owner.split("+") and severity in _GRAVE
    if action == "close" and four_eyes and actor == acked_by:
        raise UsageError(
            f"Alert {alert_id} is a {severity} of compliance that {actor} acknowledged: "
            "another person has to close it."
        )
    return becomes


_HINTS: dict[tuple[Action, str], str] = {
    ("ack", "ACKED"): "it was acknowledged before; close it when it is decided",
    ("ack", "CLOSED"): "a closed alert stays as it is",
    ("close", "NEW"): "acknowledge it first",
    ("close", "CLOSED"): "a closed alert stays as it is",
}
