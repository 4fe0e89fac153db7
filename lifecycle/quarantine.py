"""Four eyes over quarantine: who may ask, who may decide, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from lifecycle.errors import UsageError
from lifecycle.four_eyes import is_second
from lifecycle.reasons import worded

STAGES = ("raw", "staged")
STATUSES = ("HELD", "RELEASED", "DISCARDED")
REQUEST_STATUSES = ("WAITING", "APPROVED", "REJECTED")
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
    record: Mapping[str, Any], action: Action, corrected: bytes | None, reason: str
) -> None:
    """Raises UsageError when a record may not be asked for."""
    number, stage = record["quarantine_id"], record["stage"]
    if record["status"] != "HELD":
        raise UsageError(
            f"Record {number} is {record['status']} already: `lifecycle quarantine show {number}`."
        )
    if not reason.strip():
        raise UsageError("A release and a discard need a reason: say --reason TEXT.")
    if corrected == b"":
        raise UsageError("The corrected record is empty: write it as it should have been.")
    if stage != "raw" and corrected is not None:
        raise UsageError(
            f"Record {number} was accepted into the log before gate {stage} held it: let its "
            "source send a correction (same business key, higher sequence) and discard this one."
        )
    if action == "RELEASE" and corrected is None and record["record_key"] is None:
        raise UsageError(
            f"Record {number} came without a key, so nothing says whose it is: release it with "
            "--corrected FILE, and the partitionkey in it becomes the key."
        )


class _Named(msgspec.Struct):
    partitionkey: str


def key_of(record_key: bytes | None, raw: bytes | None, corrected: bytes | None) -> bytes | None:
    """The key a record is judged under when it is released.

    A key that the record itself confirmed stays, so that no correction moves a fact to another
    client; one that was missing or wrong, or that nothing confirmed, is the corrected record's.
    """
    if corrected is None or (record_key is not None and record_key == _partition_key(raw)):
        return record_key
    return _partition_key(corrected) or record_key


def _partition_key(value: bytes | None) -> bytes | None:
    try:
        return msgspec.json.decode(value or b"", type=_Named).partitionkey.encode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def check_decision(request: Request, checker: str) -> None:
    """Raises UsageError unless a second person decides something that still waits."""
    if request.status != "WAITING":
        raise UsageError(f"Request {request.request_id} is {request.status} already.")
    if not is_second(checker, request.maker):
        raise UsageError(
            f"Request {request.request_id} was made by {request.maker}: "
            "another person has to decide it."
        )


def question(request: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    """What a second person is asked: {subject, body} in Markdown; places and reasons, no content."""
    number, wish = record["quarantine_id"], request["action"].lower()
    why = worded(record["reason"])
    place = f"{record['topic']} / {record['partition']} / {record['kafka_offset']}"
    body = "\n".join([
        f"**{request['maker']}** asks to **{wish}** record {number}: {request['reason']}",
        "",
        "| | |",
        "|---|---|",
        f"| held by 拦截环节 | {record['stage']} ({record['expectation']}, {record['reason']}) |",
        f"| because 原因 | {why.en} {why.zh} |",
        f"| where 位置 | {place} |",
        f"| since 自 | {record['quarantined_at']:%Y-%m-%d %H:%M} |",
        "",
        f"Read it first: `lifecycle quarantine show {number}`. Who asked cannot approve. "
        "申请人不得审批本申请。",
    ])
    return {"subject": f"Quarantine: {wish} record {number}? 隔离记录处理审批", "body": body}
