"""The life of a credit, from application to its end: one table of what each fact leads to.

Two read it. The staged gate (`lifecycle/staging.py`) holds a fact that may not follow the status it
met; there it then counts like any other, so one wrong fact does not make everything after it wrong.
`follow` folds the facts of one credit: an unlawful one is a failure of data quality, not a state.

Facts say APPLIED, COMMITTED, DEFAULT and so on; days past due and the IFRS 9 stage say how well a
running credit runs (`state`).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

import msgspec

from lifecycle.risk.facility_log import DISBURSED, DUE, MADE, MISSED, SETTLED

if TYPE_CHECKING:
    from lifecycle.clients.attribute import Figures

SUBMITTED = "bank.credit.application_submitted.v1"
APPROVED = "bank.credit.approved.v1"
DECLINED = "bank.credit.declined.v1"
CANCELLED = "bank.credit.cancelled.v1"
LIMIT_CHANGED = "bank.credit.limit_changed.v1"
RESTRUCTURED = "bank.credit.restructured.v1"
DISTRESSED = f"{RESTRUCTURED}#distressed"
"""A restructuring of a borrower in distress: to a credit that is another fact than one without."""
DEFAULTED = "bank.credit.default_declared.v1"
CURED = "bank.credit.default_cured.v1"
WRITTEN_OFF = "bank.credit.written_off.v1"
RECOVERED = "bank.credit.recovered.v1"

Status = Literal[
    "NONE",
    "APPLIED",
    "APPROVED",
    "DECLINED",
    "CANCELLED",
    "COMMITTED",
    "PERFORMING",
    "DEFAULT",
    "RESTRUCTURED",
    "PROBATION",
    "WRITTEN_OFF",
    "RECOVERING",
    "SETTLED",
]
"""What the facts of a credit led to; NONE is before any fact."""

State = Status | Literal["WATCH", "EARLY_ARREARS", "ARREARS"]
"""The status, and of a running credit how it runs."""


def _served(status: Status) -> dict[str, Status]:
    """What may happen to any credit that is owed, and leaves its status as it is."""
    return dict.fromkeys((DUE, MADE, MISSED), status)


def _running(status: Status) -> dict[str, Status]:
    return _served(status) | {
        DISBURSED: status,
        LIMIT_CHANGED: status,
        RESTRUCTURED: status,
        DISTRESSED: "RESTRUCTURED",
        DEFAULTED: "DEFAULT",
        WRITTEN_OFF: "WRITTEN_OFF",
        SETTLED: "SETTLED",
    }


def _impaired(status: Status) -> dict[str, Status]:
    """No new money, and a cure before it performs again."""
    return _running(status) | {CURED: "PROBATION"}


def _given_up(status: Status) -> dict[str, Status]:
    """A part may be written off while the rest is still owed."""
    return _served(status) | {
        WRITTEN_OFF: "WRITTEN_OFF",
        RECOVERED: "RECOVERING",
        SETTLED: "SETTLED",
    }


def _without(facts: dict[str, Status], fact: str) -> dict[str, Status]:
    return {name: after for name, after in facts.items() if name != fact}


_BEFORE_USE: dict[str, Status] = {
    CANCELLED: "CANCELLED",
    LIMIT_CHANGED: "COMMITTED",
    DISBURSED: "PERFORMING",
}

NEXT: dict[Status, dict[str, Status]] = {
    # An application may be older than the feed; a facility is not known before it is paid out.
    "NONE": {SUBMITTED: "APPLIED", APPROVED: "APPROVED", DECLINED: "DECLINED", **_BEFORE_USE},
    "APPLIED": {APPROVED: "APPROVED", DECLINED: "DECLINED", CANCELLED: "CANCELLED"},
    "APPROVED": _BEFORE_USE,
    "DECLINED": {},
    "CANCELLED": {},
    "COMMITTED": _BEFORE_USE,
    "PERFORMING": _running("PERFORMING"),
    "DEFAULT": _without(_impaired("DEFAULT"), DISBURSED),
    "RESTRUCTURED": _without(_impaired("RESTRUCTURED"), DISBURSED),
    "PROBATION": _running("PROBATION"),
    "WRITTEN_OFF": _given_up("WRITTEN_OFF"),
    "RECOVERING": _given_up("RECOVERING"),
    "SETTLED": {},
}
"""Status -> the facts that may come next, each with the status it leads to."""

STATUS_AFTER: dict[str, Status] = {
    fact: after
    for before, facts in NEXT.items()
    for fact, after in facts.items()
    if after != before
}
"""Fact -> the status it leads to where it changes one; every other fact leaves it as it is."""

APPLICATION_FACTS = (SUBMITTED, APPROVED, DECLINED, CANCELLED)
FACILITY_FACTS = (
    DUE,
    MADE,
    MISSED,
    DISBURSED,
    RESTRUCTURED,
    DEFAULTED,
    CURED,
    WRITTEN_OFF,
    RECOVERED,
    SETTLED,
)
"""What the staged gate judges; a facility's limit it leaves alone."""

_FACTS = {fact for facts in NEXT.values() for fact in facts}


class Failure(msgspec.Struct, frozen=True):
    """A fact that may not follow the status it met: reason CREDIT_STATUS of the staged gate."""

    fact: str
    met: Status
    on: dt.date
    event_id: str


class Credit(msgspec.Struct, frozen=True):
    """One credit, as its facts say."""

    status: Status = "NONE"
    since: dt.date = dt.date.min
    """The business date of the fact that led to the status."""
    failures: tuple[Failure, ...] = ()


class CreditFact(msgspec.Struct, frozen=True):
    """A fact of a credit; a restructuring in distress is DISTRESSED."""

    facility_id: str
    fact: str
    on: dt.date
    """Its business date."""
    event_id: str


def follow(credit: Credit, said: CreditFact) -> Credit:
    """A credit after one more of its facts, those of its application among them, in event-time
    order. A fact that says nothing of the status leaves it as it is."""
    if said.fact not in _FACTS:
        return credit
    after = NEXT[credit.status].get(said.fact)
    if after is None:
        failure = Failure(said.fact, credit.status, said.on, said.event_id)
        return msgspec.structs.replace(credit, failures=(*credit.failures, failure))
    # Who is restructured once more is observed from then on.
    moved = after != credit.status or said.fact == DISTRESSED
    return msgspec.structs.replace(credit, status=after, since=said.on if moved else credit.since)


def state(credit: Credit, on: dt.date, dpd: int, stage: int, figures: Figures) -> State:
    """Where a credit stands on a business date, by its facts, days past due and IFRS 9 stage.

    A distressed restructuring is observed for `restructured_days`, a cure for `probation_days`;
    neither ends in arrears.
    """
    if credit.status not in ("PERFORMING", "RESTRUCTURED", "PROBATION"):
        return credit.status
    if dpd > int(figures["dpd_stage_3"].value):
        return "DEFAULT"
    days = (on - credit.since).days
    if credit.status == "RESTRUCTURED":
        days -= int(figures["restructured_days"].value)
        if days < 0 or dpd > 0:
            return "RESTRUCTURED"
    if dpd > 0:
        return "ARREARS" if dpd > int(figures["dpd_stage_2"].value) else "EARLY_ARREARS"
    if credit.status != "PERFORMING" and days < int(figures["probation_days"].value):
        return "PROBATION"
    return "WATCH" if stage > 1 else "PERFORMING"
