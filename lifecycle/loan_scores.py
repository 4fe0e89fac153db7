"""The credit scorecard on the real loans of Berka: each as of the day it was granted, from what was known
before; trained on the grants of 1993 to 1996 whose outcome is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from lifecycle.clients.attribute import Figures
from lifecycle.errors import UsageError
from lifecycle.models.figures import figures_of
from lifecycle.ports import Engine
from lifecycle.risk.credit_features import features
from lifecycle.risk.history import History, Subject
from lifecycle.risk.score import REASONS_MAX
from lifecycle.sources.berka_loans import GrantedLoan

TRAINED_BEFORE = dt.date(1997, 1, 1)
"""Grants from here on are the test out of time, whatever is told of them."""


def feature_rows(
    engine: Engine, loans: Sequence[GrantedLoan], zone: ZoneInfo, figures: Figures
) -> pa.Table:
    """(subject_id and every feature) of each loan at the instant its day of grant began, by loan id."""
    eve = dt.timedelta(days=1)
    subjects = [Subject(loan.loan_id, loan.client_id, loan.granted - eve) for loan in loans]
    return engine.run(features(History(engine, subjects, zone), figures)).sort_by("subject_id")


def loan_scores(
    rows: pa.Table, loans: Sequence[GrantedLoan], figures: Figures
) -> Iterator[dict[str, Any]]:
    """{loan_id, as_of, pd, score, band, status, reason_1 ... reason_4} of every loan, in the order of the
    grants. Raises UsageError when no outcome is told."""
    from lifecycle.models.training import Task, train

    known = {
        loan.loan_id: int(loan.bad)
        for loan in loans
        if loan.bad is not None and loan.granted < TRAINED_BEFORE
    }
    if not known:
        raise UsageError(
            "No loan granted before 1997 has a status, so that nothing can be learnt: give loan.asc with "
            "the outcomes of 1993 to 1996."
        )
    candidates = list(figures["credit_candidates"].value)
    told = [number for number, key in enumerate(rows["subject_id"].to_pylist()) if key in known]
    learnt = rows.take(told).select(["subject_id", *candidates])
    outcome = pa.array([known[key] for key in learnt["subject_id"].to_pylist()], pa.int8())
    own = figures_of(figures)
    card = train(
        learnt.append_column("bad", outcome), Task("bad", "subject_id"), own
    ).champion.model
    by_loan = {row["subject_id"]: row for row in rows.to_pylist()}
    for loan in loans:
        scored = card.score_row({name: by_loan[loan.loan_id][name] for name in candidates})
        reasons = [reason.en for reason in scored.reasons]
        yield {
            "loan_id": loan.loan_id,
            "as_of": loan.granted,
            "pd": scored.pd,
            "score": scored.score,
            "band": scored.band,
            "status": "SCORED",
            **{f"reason_{n + 1}": reason for n, reason in enumerate(_padded(reasons))},
        }


def _padded(reasons: Sequence[str]) -> list[str]:
    return [*reasons, *[""] * (REASONS_MAX - len(reasons))]
