"""Four eyes over a score: the band one person wants in its place, and what a second one says to it. Pure.

The score itself stays as it is: an override stands beside it until its last day.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from lifecycle.errors import UsageError
from lifecycle.risk.score import AML

Answer = Literal["APPROVED", "REJECTED"]
STATUSES = ("WAITING", "APPROVED", "REJECTED")
_CREDIT_BANDS, _BANDS = ("A", "B", "C", "D", "E"), ("LOW", "MEDIUM", "HIGH")


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """The band that shall count instead of a score's own, through its last day."""

    client_id: str
    score_type: str
    band: str
    reason: str
    valid_until: dt.date


def check_override(
    wanted: Override, band: str | None, business_date: dt.date, days_max: int
) -> None:
    """Raises UsageError when it may not be asked for. `band` is that of the score served, whose business
    date is given; None when the score has no value."""
    if wanted.score_type == AML:
        raise UsageError(
            "A score of money laundering has no override: what compliance decides stands in its cases."
        )
    bands = _CREDIT_BANDS if wanted.score_type == "CREDIT" else _BANDS
    if wanted.band not in bands:
        raise UsageError(
            f"A score of type {wanted.score_type} has no band {wanted.band!r}: it is one of {', '.join(bands)}."
        )
    if wanted.band == band:
        raise UsageError(f"The score of {wanted.client_id} has band {band} already.")
    if not wanted.reason.strip():
        raise UsageError("An override needs a reason: say --reason TEXT.")
    last = business_date + dt.timedelta(days=days_max)
    if not business_date < wanted.valid_until <= last:
        raise UsageError(
            f"An override lasts until a day after {business_date}, the date of the score, and until "
            f"{last} at most: {wanted.valid_until} is not one of them."
        )


def check_answer(override_id: int, status: str, maker: str, checker: str) -> None:
    """Raises UsageError when this person may not decide."""
    if status != "WAITING":
        raise UsageError(f"Override {override_id} is {status} already.")
    if maker == checker:
        raise UsageError(
            f"{checker} asked for override {override_id}, so a second person has to decide."
        )
