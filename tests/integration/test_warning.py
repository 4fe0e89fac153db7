"""Month-ends of a small bank of borrowers: each is what a night would have known, and no more."""

from __future__ import annotations

import datetime as dt

import pytest

from benchmarks.profiles import FIRST_DAY
from benchmarks.warning import Collected, Seen, collected
from benchmarks.warnings_judged import Bank, Lent, Outcomes
from lifecycle import app, settings
from lifecycle.alerts.rules import RuleSet
from lifecycle.sources.simulator import STRAINED

DAYS = 130


@pytest.fixture(scope="module")
def known(rule_set: RuleSet, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    configured = settings.load({"LIFECYCLE_HOME": str(tmp_path_factory.mktemp("home"))})
    source = app.simulator(
        configured, seed=1, clients=50, first_day=FIRST_DAY, days=DAYS, stories=STRAINED
    )
    last = FIRST_DAY + dt.timedelta(days=DAYS - 1)
    loans: list[Lent] = []
    seen = Seen(rule_set)

    def outcomes(_engine: object) -> Outcomes:
        loans.extend(
            Lent(loan_id, client, granted, last, learns=False)
            for loan_id, (client, granted, _settled) in seen.loans.items()
        )
        return Outcomes(seen.distress_of(loans), {}, frozenset(seen.loans))

    return collected(
        Bank("small", loans, FIRST_DAY, last),
        source.events(None, None),
        seen,
        outcomes,
        configured,
        {},
        lambda _text: None,
    )


def test_every_month_of_every_loan_has_features_and_points(known: Collected) -> None:
    assert len(known.months) == known.rows.num_rows > 60
    assert known.rows["subject_id"].to_pylist() == [m.subject.subject_id for m in known.months]
    assert {(m.loan.client_id, m.day) for m in known.months} <= known.points.keys()
    assert all(month.day >= month.loan.granted for month in known.months)


def test_features_move_from_month_to_month(known: Collected) -> None:
    assert known.rows["min_balance_90d"].null_count == 0
    assert len(set(known.rows["running_instalment_to_balance"].to_pylist())) > 40
    assert {band for _points, band in known.points.values()} >= {"A", "B"}
