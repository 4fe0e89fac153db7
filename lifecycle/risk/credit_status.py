"""The life of an application and of a facility: which fact may follow which status.

The status is what the last fact that changes it led to, in event-time order. An unlawful fact is
judged by the status it met and then counts like any other, so one wrong fact does not make
everything after it wrong.
"""

from __future__ import annotations

from lifecycle.risk.classification import DISBURSED, DUE, MADE, MISSED, SETTLED

SUBMITTED = "bank.credit.application_submitted.v1"
APPROVED = "bank.credit.approved.v1"
DECLINED = "bank.credit.declined.v1"
CANCELLED = "bank.credit.cancelled.v1"
RESTRUCTURED = "bank.credit.restructured.v1"
DEFAULTED = "bank.credit.default_declared.v1"
CURED = "bank.credit.default_cured.v1"
WRITTEN_OFF = "bank.credit.written_off.v1"
RECOVERED = "bank.credit.recovered.v1"

NONE = "NONE"
"""The status before any fact."""

STATUS_AFTER: dict[str, str] = {
    SUBMITTED: "SUBMITTED",
    APPROVED: "APPROVED",
    DECLINED: "DECLINED",
    CANCELLED: "CANCELLED",
    DISBURSED: "PERFORMING",
    DEFAULTED: "DEFAULT",
    CURED: "PERFORMING",
    WRITTEN_OFF: "WRITTEN_OFF",
    SETTLED: "SETTLED",
}
"""Fact -> the status it leads to; every other fact leaves the status as it is."""

_SERVICING = (DUE, MADE, MISSED)

NEXT: dict[str, tuple[str, ...]] = {
    # An application may be older than the feed; a facility is not known before it is paid out.
    NONE: (SUBMITTED, APPROVED, DECLINED, CANCELLED, DISBURSED),
    "SUBMITTED": (APPROVED, DECLINED, CANCELLED),
    "APPROVED": (CANCELLED,),
    "DECLINED": (),
    "CANCELLED": (),
    "PERFORMING": (*_SERVICING, DISBURSED, RESTRUCTURED, DEFAULTED, WRITTEN_OFF, SETTLED),
    "DEFAULT": (*_SERVICING, RESTRUCTURED, DEFAULTED, CURED, WRITTEN_OFF, SETTLED),
    # A part may be written off while the rest is still owed.
    "WRITTEN_OFF": (*_SERVICING, WRITTEN_OFF, RECOVERED, SETTLED),
    "SETTLED": (),
}
"""Status -> the facts that may come next."""

APPLICATION_FACTS = (SUBMITTED, APPROVED, DECLINED, CANCELLED)
FACILITY_FACTS = (
    *_SERVICING,
    DISBURSED,
    RESTRUCTURED,
    DEFAULTED,
    CURED,
    WRITTEN_OFF,
    RECOVERED,
    SETTLED,
)
