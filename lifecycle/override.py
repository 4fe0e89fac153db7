"""Four eyes over a score: the band one person wants in its place, and what a second one says to it. Pure.

The score itself stays as it is: an override stands beside it until its last day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from lifecycle.errors import UsageError
from lifecycle.four_eyes import is_second
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
    wanted: Override, status: str, band: str | None, business_date: dt.date, days_max: int
) -> None:
    """Raises UsageError when it may not be asked for. `band` is the one that counts now for the score
    served, whose status and business date are given."""
    if wanted.score_type == AML:
        raise UsageError(
            "A score of money laundering has no override: what compliance decides stands in its cases."
        )
    if status != "SCORED":
        raise UsageError(
            f"The {wanted.score_type} score of {wanted.client_id} is {status}: without a value it has no band "
            "to put another one in the place of."
        )
    bands = _CREDIT_BANDS if wanted.score_type == "CREDIT" else _BANDS
    if wanted.band not in bands:
        raise UsageError(
            f"A score of type {wanted.score_type} has no band {wanted.band!r}: it is one of {', '.join(bands)}."
        )
    if wanted.band == band:
        raise UsageError(f"Band {band} counts already for {wanted.client_id}.")
    if not wanted.reason.strip():
        raise UsageError("An override needs a reason: say --reason TEXT.")
    last = business_date + dt.timedelta(days=days_max)
    if not business_date < wanted.valid_until <= last:
        raise UsageError(
            f"An override lasts until a day after {business_date}, the date of the score, and until "
            f"{last} at most: {wanted.valid_until} is not one of them."
        )


def question(row: Mapping[str, Any]) -> dict[str, str]:
    """What a second person is asked: {subject, body}. `row` is an override with the score beside it."""
    return {
        "subject": f"{row['score_type']} {row['client_id']}: {row['own_band']} -> {row['band']}",
        "body": (
            f"{row['maker']} 申请将客户 {row['client_id']} 的 {row['score_type']} 评分等级由 "
            f"{row['own_band']} 调整为 {row['band']}，至 {row['valid_until']}。理由：{row['reason']}\n\n"
            f"{row['maker']} asks that band {row['band']} counts for the {row['score_type']} score of "
            f"client {row['client_id']} until {row['valid_until']}; its own is {row['own_band']} "
            f"({row['value']}). Reason: {row['reason']}"
        ),
    }


def check_answer(row: Mapping[str, Any], answer: Answer, checker: str) -> None:
    """Raises UsageError when this person may not give this answer. `row` is an override with the date of the
    score beside it, None where that is gone."""
    override_id = row["override_id"]
    if row["status"] != "WAITING":
        raise UsageError(f"Override {override_id} is {row['status']} already.")
    if not is_second(checker, row["maker"]):
        raise UsageError(
            f"{checker} asked for override {override_id}, so a second person has to decide."
        )
    if answer == "APPROVED" and (row["as_of"] is None or row["valid_until"] < row["as_of"]):
        raise UsageError(
            f"Override {override_id} would count nowhere: its score is gone, or of a later date than "
            f"{row['valid_until']}. Reject it."
        )
