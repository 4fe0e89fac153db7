"""Conflicts that a person has to solve, as tasks that stay the same from night to night."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable

import msgspec

from lifecycle.clients.checks import Check, Side


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has to solve; the first night that saw the conflict says until when."""

    key: str
    """The same for the same conflict of a client."""
    check_id: str
    owner: str
    due: dt.date
    reason_zh: str
    reason_en: str


def tasks(checks: Iterable[Check], business_date: dt.date) -> list[Task]:
    """A task for every conflict that has an owner, due some calendar days after the business date."""
    return [
        Task(
            key=_key(check),
            check_id=check.id,
            owner=check.owner,
            due=business_date + dt.timedelta(days=check.due_days),
            reason_zh=check.reason_zh,
            reason_en=check.reason_en,
        )
        for check in checks
        if check.owner is not None and check.due_days is not None
    ]


def _key(check: Check) -> str:
    sources = (sorted(side.source_event_ids) for side in _in_doubt(check))
    digest = hashlib.sha256("\0".join(id for ids in sources for id in ids).encode())
    return f"{check.id}-{digest.hexdigest()[:16]}"


def _in_doubt(check: Check) -> list[Side]:
    """The facts that a person may have to set right. The one that is preferred is not among them: it
    is mostly a sum over the last months, and gets new sources while the conflict stays the same."""
    doubted = {"left": [check.right], "right": [check.left], None: [check.left, check.right]}
    return [side for side in doubted[check.preferred] if side is not None]
