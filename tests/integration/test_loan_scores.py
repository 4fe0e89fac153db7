"""The scorecard on the real loans, where the data are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lifecycle import app
from lifecycle.alerts.rules import RuleSet
from lifecycle.events import decoded
from lifecycle.loan_scores import CARD, TRAINED_BEFORE, feature_rows, loan_scores, train_card
from lifecycle.models import artefact
from lifecycle.models.fitting import silent
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


def test_every_loan_is_scored_and_bad_ones_have_reasons(known: Any) -> None:
    loans, rows, _ = known
    scored = list(loan_scores(rows, loans, artefact.champion(CARD).model))
    assert [row["loan_id"] for row in scored] == [loan.loan_id for loan in loans]
    assert all(0 < row["pd"] < 1 and 300 <= row["score"] <= 850 for row in scored)
    assert all(row["reason_1"] for row in scored if row["band"] in "DE")


def test_training_gives_the_card_of_the_package_whatever_is_told_of_later_loans(
    known: Any, rule_set: RuleSet
) -> None:
    loans, rows, _ = known
    told = [
        loan._replace(bad=number % 2 == 0, trouble=loan.granted)
        if loan.granted >= TRAINED_BEFORE
        else loan
        for number, loan in enumerate(loans)
    ]
    made, shipped = train_card(rows, told, rule_set.parameters, silent), artefact.champion(CARD)
    assert made.model_version == shipped.model_version
    made, shipped = (msgspec.structs.replace(one, libraries={}) for one in (made, shipped))
    assert msgspec.json.encode(made) == msgspec.json.encode(shipped)


def test_blank_statuses_change_no_fact(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "blank", symlinks=True)
    loans = tmp_path / "blank" / "loan.asc"
    names, *rows = loans.read_text("latin-1").splitlines()
    blank = [row.rsplit(";", 1)[0] + ";" for row in rows]
    loans.chmod(0o644)
    loans.write_text("\n".join([names, *blank]) + "\n", "latin-1")
    source, told = BerkaLoans(tmp_path / "blank", ZONE), BerkaLoans(FOLDER, ZONE)
    assert all(loan.bad is None and loan.trouble is None for loan in source.granted())
    assert [loan[:3] for loan in source.granted()] == [loan[:3] for loan in told.granted()]
    for ours, theirs in zip(source.events(None, None), told.events(None, None), strict=True):
        assert ours == theirs
