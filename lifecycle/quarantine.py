"""Four eyes over quarantine: who may ask, who may decide, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from lifecycle.errors import UsageError

Action = Literal["RELEASE", "DISCARD"]
Answer = Literal["APPROVE", "REJECT"]


class Request(msgspec.Struct, frozen=True):
    """What one person asked for, and a second one has to decide."""

    request_id: int
    quarantine_id: int
    action: Action
    maker: str
    status: str
    stage: str
    """The stage that holds the record: raw or staged."""
    corrected: bytes | None


def check_request(
    quarantine_id: int, held: str, stage: str, corrected: bytes | None, reason: str
) -> None:
    """Raises UsageError when a record may not be asked for."""
    if held != "HELD":
        raise UsageError(
            f"Record {quarantine_id} is {held} already: `lifecycle quarantine show {quarantine_id}`."
        )
    if not reason.strip():
        raise UsageError("A release and a discard need a reason: say --reason TEXT.")
    if stage != "raw" and corrected is not None:
        raise UsageError(
            f"Record {quarantine_id} was accepted into the log before gate {stage} held it: let its "
            "source send a correction (same business key, higher sequence) and discard this one."
        )


def check_decision(request: Request, checker: str) -> None:
    """Raises UsageError unless a second person decides something that still waits."""
    if request.status != "WAITING":
        raise UsageError(f"Request {request.request_id} is {request.status} already.")
    if not checker.strip() or checker.strip().casefold() == request.maker.strip().casefold():
        raise UsageError(
            f"Request {request.request_id} was made by {request.maker}: "
            "another person has to decide it."
        )


def question(request: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    """What a second person is asked: {subject, body} in Markdown; places and reasons, no content."""
    number, wish = record["quarantine_id"], request["action"].lower()
    place = f"{record['topic']} / {record['partition']} / {record['kafka_offset']}"
    body = "\n".join([
        f"**{request['maker']}** asks to **{wish}** record {number}: {request['reason']}",
        "",
        "| | |",
        "|---|---|",
        f"| held by 拦截环节 | {record['stage']} ({record['expectation']}, {record['reason']}) |",
        f"| where 位置 | {place} |",
        f"| since 自 | {record['quarantined_at']:%Y-%m-%d %H:%M} |",
        "",
        f"Read it first: `lifecycle quarantine show {number}`. Who asked cannot approve. "
        "申请人不得审批本申请。",
    ])
    return {"subject": f"Quarantine: {wish} record {number}? 隔离记录处理审批", "body": body}
