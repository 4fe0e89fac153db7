"""Real loans in miniature: what is told of them, when trouble came, and a card that needs no outcome."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifecycle.alerts.rules import RuleSet
from lifecycle.errors import UsageError
from lifecycle.loan_scores import (
    CARD,
    defaulted_12m,
    labelled,
    loan_scores,
    share_12m,
    told_before,
)
from lifecycle.models import artefact
from lifecycle.sources.berka import TRANSACTIONS
from lifecycle.sources.berka_loans import HISTORIES, BerkaLoans, GrantedLoan
from tests import small_berka

ZONE = ZoneInfo("Europe/Prague")
GRANTED = dt.date(1993, 7, 5)
LOAN = small_berka.FILES["loan.asc"]


def write(folder: Path, loan: list[str]) -> Path:
    """The small bank with its entries as the decoded sample has them."""
    small_berka.write(folder, loan=loan)
    names, *rows = csv.reader(small_berka.FILES[TRANSACTIONS], delimiter=";")
    entries = [dict(zip(names, row, strict=True)) for row in rows]
    table = {
        "trans_id": [int(e["trans_id"]) for e in entries],
        "account_id": [int(e["account_id"]) for e in entries],
        "date": [dt.date.fromisoformat(f"19{e['date']}") for e in entries],
        **{name: [float(e[name]) for e in entries] for name in ("amount", "balance")},
        **{name: [e[name] for e in entries] for name in ("type", "operation", "k_symbol", "bank")},
        "account": [int(e["account"] or 0) or None for e in entries],
    }
    pq.write_table(pa.table(table), folder / HISTORIES)
    return folder


def test_trouble_is_the_first_penalty_or_overdraft_after_the_grant(tmp_path: Path) -> None:
    (loan,) = BerkaLoans(write(tmp_path, LOAN), ZONE).granted()
    # Both came before the grant too.
    assert loan == GrantedLoan("5", "1", GRANTED, True, dt.date(1993, 8, 15))


@pytest.mark.parametrize(
    "blank",
    [
        [LOAN[0], LOAN[1].replace('"B"', '" "')],
        [LOAN[0], LOAN[1].replace('"B"', "")],
        [line.rsplit(";", 1)[0] for line in LOAN],
    ],
    ids=["blank", "empty", "no column"],
)
def test_without_a_status_nothing_after_the_grant_is_looked_at_and_facts_are_the_same(
    tmp_path: Path, blank: list[str]
) -> None:
    told = BerkaLoans(write(tmp_path / "told", LOAN), ZONE)
    silent = BerkaLoans(write(tmp_path / "blank", blank), ZONE)
    assert silent.granted() == [GrantedLoan("5", "1", GRANTED, None, None)]
    assert list(silent.events(None, None)) == list(told.events(None, None))


def loan(bad: bool | None, days: int | None = None, key: str = "1") -> GrantedLoan:
    trouble = None if days is None else GRANTED + dt.timedelta(days=days)
    return GrantedLoan(key, "c", GRANTED, bad, trouble)


@pytest.mark.parametrize(
    ("bad", "days", "within"),
    [
        (True, 1, True),
        (True, 365, True),
        (True, 366, False),
        (True, None, False),
        (False, 10, False),
        (None, None, False),
    ],
)
def test_a_default_within_a_year_is_bad_and_dated(
    bad: bool | None, days: int | None, within: bool
) -> None:
    assert defaulted_12m(loan(bad, days)) is within


def test_bads_without_a_date_are_taken_to_be_like_the_others() -> None:
    bads = [loan(True, 30), loan(True, 90), loan(True, 800), loan(True)]
    assert share_12m([*bads, loan(False), loan(False, 3), loan(None)]) == 2 / 3
    with pytest.raises(UsageError, match="when it went wrong"):
        share_12m([loan(True), loan(False, 3)])


def test_only_told_loans_of_before_are_learnt_from(rule_set: RuleSet) -> None:
    later = loan(True, 5, "3")._replace(granted=dt.date(1997, 1, 1))
    every = [loan(True, 5, "1"), loan(None, key="2"), later, loan(False, key="4")]
    told = told_before(every)
    assert [one.loan_id for one in told] == ["1", "4"]
    names = rule_set.parameters["credit_candidates"].value
    rows = pa.table({"subject_id": ["1", "2", "3", "4"], **{name: [0.0] * 4 for name in names}})
    assert labelled(rows, told, rule_set.parameters).select(["subject_id", "bad"]).to_pylist() == [
        {"subject_id": "1", "bad": 1},
        {"subject_id": "4", "bad": 0},
    ]
    with pytest.raises(UsageError, match="nothing can be learnt"):
        told_before([later])


def test_the_card_of_the_package_scores_without_any_outcome(rule_set: RuleSet) -> None:
    card = artefact.champion(CARD).model
    names = [c.name for c in card.characteristics]
    assert set(names) <= set(rule_set.parameters["credit_candidates"].value)
    rows = pa.table({"subject_id": ["1"], **{name: [None] for name in names}})
    (told,) = loan_scores(rows, [loan(True, 3)], card)
    (silent,) = loan_scores(rows, [loan(None)], card)
    assert told == silent
    assert list(told) == [
        *("loan_id", "as_of", "pd", "score", "band", "status"),
        *(f"reason_{n}" for n in (1, 2, 3, 4)),
    ]
    assert (told["as_of"], told["status"]) == (GRANTED, "SCORED")


def test_the_card_of_the_package_holds_no_row_of_the_bank() -> None:
    stored = artefact.champion(CARD)
    training = stored.training
    assert (training.first_date, training.last_date) == (None, None)
    for c in stored.model.characteristics:
        assert sum(b.rows for b in c.all_bins()) == training.rows
        # A bin is a group of people, never one.
        assert all(b.rows >= 10 for b in c.bins)
