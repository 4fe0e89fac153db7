"""The scorecard on the real loans, where the data are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lifecycle import app
from lifecycle.alerts.rules import RuleSet
from lifecycle.errors import UsageError
from lifecycle.events import decoded
from lifecycle.loan_scores import TRAINED_BEFORE, feature_rows, loan_scores
from lifecycle.settings import ROOT
from lifecycle.sources.berka_loans import HISTORIES, BerkaLoans
from tests.lakes import ZONE

FOLDER = Path(os.environ.get("BERKA_DIR") or ROOT.parent / "shared" / "data" / "berka")
pytestmark = pytest.mark.skipif(not (FOLDER / HISTORIES).is_file(), reason="Berka is not here")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, rule_set: RuleSet) -> Any:
    """The loans with their features, from all facts and from those of the time before each grant alone."""
    source = BerkaLoans(FOLDER, ZONE)
    loans, path = source.granted(), tmp_path_factory.mktemp("berka")
    granted = {loan.client_id: loan.granted for loan in loans}
    every = list(enumerate(map(decoded, source.events(None, None)), start=1))
    before = [
        (position, fact)
        for position, fact in every
        if fact.client_id in granted and fact.time.astimezone(ZONE).date() < granted[fact.client_id]
    ]
    tables = []
    for name, facts in (("every", every), ("before", before)):
        app.append_to_lake(path / name, facts, version=1)
        with app.engine_over_lake(path / name) as engine:
            tables.append(feature_rows(engine, loans, ZONE, rule_set.parameters))
    return loans, *tables


def test_nothing_after_the_grant_is_in_a_feature(known: Any) -> None:
    _, every, before = known
    assert 0 < before.num_rows == every.num_rows
    assert every.equals(before)


def test_every_loan_is_scored_alike_each_time_and_bad_ones_have_reasons(
    known: Any, rule_set: RuleSet
) -> None:
    loans, rows, _ = known
    scored = list(loan_scores(rows, loans, rule_set.parameters))
    assert [row["loan_id"] for row in scored] == [loan.loan_id for loan in loans]
    assert all(0 < row["pd"] < 1 and 300 <= row["score"] <= 850 for row in scored)
    assert all(row["reason_1"] for row in scored if row["band"] in "DE")
    assert list(loan_scores(rows, loans, rule_set.parameters)) == scored


def test_what_is_told_of_later_loans_is_not_looked_at(known: Any, rule_set: RuleSet) -> None:
    loans, rows, _ = known
    told = [
        loan._replace(bad=number % 2 == 0) if loan.granted >= TRAINED_BEFORE else loan
        for number, loan in enumerate(loans)
    ]
    scored = list(loan_scores(rows, loans, rule_set.parameters))
    assert list(loan_scores(rows, told, rule_set.parameters)) == scored


def test_without_outcomes_nothing_is_learnt(rule_set: RuleSet, known: Any) -> None:
    loans, rows, _ = known
    blank = [loan._replace(bad=None) for loan in loans]
    with pytest.raises(UsageError, match="nothing can be learnt"):
        list(loan_scores(rows, blank, rule_set.parameters))
    assert isinstance(rows, pa.Table)
