"""The credit scorecard on the real loans of Berka: each as of the day it was granted, from what was known
before.

The card is kept in this package, as points and counts of bins: it scores without any outcome. It was
trained on the grants of 1993 to 1996 whose outcome is told, and `train_card` makes it anew from them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from lifecycle.clients.attribute import Figures
from lifecycle.errors import UsageError
from lifecycle.models.figures import figures_of
from lifecycle.models.scorecard import Scorecard
from lifecycle.ports import Engine
from lifecycle.risk.credit_features import features
from lifecycle.risk.history import History, Subject
from lifecycle.risk.score import REASONS_MAX
from lifecycle.sources.berka_loans import GrantedLoan

if TYPE_CHECKING:
    from lifecycle.models.artefact import Stored

CARD = Path(__file__).parent / "cards" / "berka-loans"
TRAINED_BEFORE = dt.date(1997, 1, 1)
"""Grants from here on are the test out of time, whatever is told of them."""
YEAR = dt.timedelta(days=365)


def feature_rows(
    engine: Engine, loans: Sequence[GrantedLoan], zone: ZoneInfo, figures: Figures
) -> pa.Table:
    """(subject_id and every feature) of each loan at the instant its day of grant began, by loan id."""
    eve = dt.timedelta(days=1)
    subjects = [Subject(loan.loan_id, loan.client_id, loan.granted - eve) for loan in loans]
    return engine.run(features(History(engine, subjects, zone), figures)).sort_by("subject_id")


def told_before(loans: Sequence[GrantedLoan], end: dt.date = TRAINED_BEFORE) -> list[GrantedLoan]:
    """The loans granted before a day whose outcome is told. Raises UsageError when there are none."""
    told = [loan for loan in loans if loan.bad is not None and loan.granted < end]
    if not told:
        raise UsageError(
            f"No loan granted before {end} has a status, so that nothing can be learnt: give loan.asc "
            "with the outcomes of 1993 to 1996."
        )
    return told


def defaulted_12m(loan: GrantedLoan) -> bool:
    """Whether a loan that ended badly was seen in trouble within a year of its grant."""
    return bool(loan.bad and loan.trouble and loan.trouble - loan.granted <= YEAR)


def share_12m(loans: Sequence[GrantedLoan]) -> float:
    """The share of those that default within a year of the grant among the bad loans whose trouble was
    seen. Raises UsageError when none was."""
    dated = [loan for loan in loans if loan.bad and loan.trouble]
    if not dated:
        raise UsageError(
            "No loan with a bad outcome has an entry that shows when it went wrong: give the entries "
            "after the grants too."
        )
    return sum(map(defaulted_12m, dated)) / len(dated)


def labelled(rows: pa.Table, loans: Sequence[GrantedLoan], figures: Figures) -> pa.Table:
    """subject_id, the candidates of the card and `bad`, of loans whose outcome is told."""
    bad = {loan.loan_id: int(bool(loan.bad)) for loan in loans}
    own = [number for number, key in enumerate(rows["subject_id"].to_pylist()) if key in bad]
    known = rows.take(own).select(["subject_id", *figures["credit_candidates"].value])
    outcome = pa.array([bad[key] for key in known["subject_id"].to_pylist()], pa.int8())
    return known.append_column("bad", outcome)


def train_card(
    rows: pa.Table,
    loans: Sequence[GrantedLoan],
    figures: Figures,
    note: Callable[[str], None],
) -> Stored[Scorecard]:
    """The card of the loans granted before a day. Its ranking is that of the outcome in the end, its PD
    that of twelve months. Raises UsageError when no outcome is told."""
    from lifecycle.models.training import Task, train

    told = told_before(loans)
    task = Task("bad", "subject_id", share=share_12m(told))
    return train(labelled(rows, told, figures), task, figures_of(figures), note).champion


def loan_scores(
    rows: pa.Table, loans: Sequence[GrantedLoan], card: Scorecard
) -> Iterator[dict[str, Any]]:
    """{loan_id, as_of, pd, score, band, status, reason_1 ... reason_4} of every loan, in the order of the
    grants."""
    by_loan = {row["subject_id"]: row for row in rows.to_pylist()}
    for loan in loans:
        scored = card.score_row(by_loan[loan.loan_id])
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
