"""Leakage guards of the credit features on a part of the real loans, where the data are. Those that hold
anywhere are in tests/unit/test_leakage.py; that nothing after a grant matters, in test_loan_scores.py."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lifecycle.alerts.rules import RuleSet
from lifecycle.events import decoded
from lifecycle.risk.history import Subject
from lifecycle.sources.berka import TABLES, read_rows
from lifecycle.sources.berka_loans import HISTORIES, BerkaLoanLives, GrantedLoan
from tests.conftest import BERKA
from tests.lakes import ZONE
from tests.leakage import another_future, as_bytes, feature_table, sealed, unseen_auc

pytestmark = pytest.mark.skipif(not (BERKA / HISTORIES).is_file(), reason="Berka is not here")

EVERY = 4
"""One loan in so many is looked at."""


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the loans of one account in a few, and the entries of those alone."""
    folder = tmp_path_factory.mktemp("berka")
    for table in (*TABLES, "district.asc"):
        shutil.copyfile(BERKA / table, folder / table)
    head, *loans = (BERKA / "loan.asc").read_text("latin-1").splitlines()
    (folder / "loan.asc").write_text("\n".join([head, *loans[::EVERY]]) + "\n", "latin-1")
    accounts = pa.array([int(row["account_id"]) for row in read_rows(folder / "loan.asc")])
    rows = pq.read_table(BERKA / HISTORIES, filters=pc.field("account_id").isin(accounts))
    pq.write_table(rows, folder / HISTORIES)
    return folder


def known(folder: Path, rule_set: RuleSet, lake: Path) -> tuple[list[GrantedLoan], pa.Table]:
    """The loans, and the features of each as of the eve of its grant."""
    source = BerkaLoanLives(folder, ZONE)
    events = map(decoded, source.events(None, None))
    loans = source.granted()
    return loans, feature_table(sealed(lake, events), _subjects(loans), rule_set.parameters)


def _subjects(loans: list[GrantedLoan]) -> list[Subject]:
    eve = dt.timedelta(days=1)
    return [Subject(loan.loan_id, loan.client_id, loan.granted - eve) for loan in loans]


@pytest.fixture(scope="module")
def whole(
    excerpt: Path, rule_set: RuleSet, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[GrantedLoan], pa.Table]:
    return known(excerpt, rule_set, tmp_path_factory.mktemp("whole") / "lake")


def _nothing(text: str) -> str:
    return text.splitlines()[0] + "\n"


def _other_orders(text: str) -> str:
    """Orders of other amounts to other accounts, those that pay a loan above all."""
    head, *rows = text.splitlines()
    changed = [";".join([*row.split(";")[:4], "1.00", '"UVER"']) for row in rows]
    return "\n".join([head, *changed]) + "\n"


@pytest.mark.parametrize(
    ("table", "change", "features"),
    [
        ("order.asc", _nothing, set()),
        ("order.asc", _other_orders, set()),
        ("card.asc", _nothing, {"product_breadth"}),
        ("district.asc", _nothing, set()),
    ],
)
def test_a_table_without_a_date_gives_no_feature(
    table: str,
    change: Callable[[str], str],
    features: set[str],
    excerpt: Path,
    whole: tuple[list[GrantedLoan], pa.Table],
    rule_set: RuleSet,
    tmp_path: Path,
) -> None:
    """Orders have no date, and each loan has one; districts are known from 1996 on. Cards have a date."""
    folder = tmp_path / "berka"
    shutil.copytree(excerpt, folder)
    (folder / table).write_text(change((excerpt / table).read_text("latin-1")), "latin-1")
    _loans, found = known(folder, rule_set, tmp_path / "lake")
    before = whole[1]
    assert {name for name in before.column_names if not found[name].equals(before[name])} == (
        features
    )


def test_another_future_of_the_loans_leaves_every_feature_as_it_is(
    excerpt: Path,
    whole: tuple[list[GrantedLoan], pa.Table],
    rule_set: RuleSet,
    tmp_path: Path,
) -> None:
    loans, rows = whole
    events = map(decoded, BerkaLoanLives(excerpt, ZONE).events(None, None))
    other = another_future(events, _subjects(loans), seed=1)
    found = feature_table(sealed(tmp_path / "lake", other), _subjects(loans), rule_set.parameters)
    assert as_bytes(found) == as_bytes(rows)


def test_outcomes_at_random_are_not_learnt(
    whole: tuple[list[GrantedLoan], pa.Table], rule_set: RuleSet
) -> None:
    rows, aucs = whole[1], []
    for seed in range(4):
        bad = pa.array((np.random.default_rng(seed).random(rows.num_rows) < 0.3).astype("int8"))
        aucs.append(unseen_auc(rows.append_column("bad", bad), rule_set))
    assert abs(np.mean(aucs) - 0.5) < 0.08
    assert max(aucs) < 0.65
