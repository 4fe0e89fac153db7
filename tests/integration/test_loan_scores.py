"""The scorecard on the real loans, where the data are."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.evaluation_page import markers
from benchmarks.loans import out_of_time
from benchmarks.loans_page import PART
from lifecycle import app
from lifecycle.alerts.rules import RuleSet
from lifecycle.cli import application
from lifecycle.errors import UsageError
from lifecycle.events import decoded
from lifecycle.loan_scores import (
    CARD,
    TRAINED_BEFORE,
    feature_rows,
    labelled,
    loan_scores,
    told_before,
    train_card,
)
from lifecycle.models import artefact
from lifecycle.models.figures import figures_of
from lifecycle.models.fitting import fit, silent
from lifecycle.models.table import sample
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


def test_the_card_of_the_years_before_holds_on_the_grants_of_1996(
    known: Any, rule_set: RuleSet
) -> None:
    loans, rows, _ = known
    found = out_of_time(rows, loans, rule_set.parameters)
    assert (found.card.n, found.card.n_bad) == (117, 16)
    own = found.card.values["auc"] or 0
    # Above the second it would know the outcome.
    assert 0.85 <= own <= 0.97
    assert (found.card.values["ks"] or 0) >= 0.55
    assert all(own > (sign.values["auc"] or 1) for sign in found.signs.values())
    assert 0.7 <= found.year.ratio <= 1.3


def test_outcomes_of_other_loans_teach_nothing(known: Any, rule_set: RuleSet) -> None:
    loans, rows, _ = known
    told = told_before(loans)
    other = np.random.default_rng(1).permutation(len(told))
    mixed = [loan._replace(bad=told[n].bad) for loan, n in zip(told, other, strict=True)]
    table = labelled(rows, mixed, rule_set.parameters)
    with pytest.raises(UsageError, match="say nothing about rows"):
        fit(sample(table, "bad", "subject_id"), figures_of(rule_set.parameters))


def test_the_bench_writes_its_page_and_a_report(tmp_path: Path) -> None:
    page, report = tmp_path / "page.md", tmp_path / "report.html"
    begin, end = markers(PART)
    page.write_text(f"before\n{begin}\nwhat stood here\n{end}\nafter\n", "utf-8")
    arguments = ["bench", "loans", "--write", str(page), "--report", str(report), "--json"]
    answer = CliRunner().invoke(application, arguments)
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["model_version"] == told["trained_again"]
    assert told["bands_d_and_e"]["loans"] == told["bands_d_and_e"]["with_a_reason"] > 0
    text, html = page.read_text("utf-8"), report.read_text("utf-8")
    card = artefact.champion(CARD).model_version
    assert f"Fitted anew it is `{card}`" in text
    assert "what stood here" not in text
    names = ("roc", "ks", "capture", "spread", "calibration", "time", "woe", "waterfall")
    assert all(f'<img alt="{name}" src="data:image/png;base64,' in html for name in names)
    assert len(html) < 1_500_000
