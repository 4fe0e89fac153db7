"""Credit features against cases worked by hand, for clients on dates of their own; nothing later than a
subject's date is in them, and every one compiles for both engines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import ibis
import pytest

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.events.account import AccountPartyAdded, CardIssued, PaymentRejected
from lifecycle.events.credit import (
    Allocation,
    ApplicationSubmitted,
    CreditApproved,
    CreditSettled,
    PenaltyInterestCharged,
    RepaymentDue,
    RepaymentMade,
    RepaymentMissed,
)
from lifecycle.risk.credit_features import FEATURES, features
from lifecycle.risk.history import History, Subject
from tests.lakes import ZONE, lake_of
from tests.unit.attributes.bank import Bank

EARLY, LATE = dt.date(2026, 1, 31), dt.date(2026, 3, 31)
ALONE = "alone"


def bank() -> Bank:
    made = Bank()
    lives = made.person(ALONE)
    lives.credit("2026-01-05", "1000.00", purpose="SALA", balance_after="1000.00")
    lives.debit("2026-01-10", "400.00", purpose="RENT", balance_after="600.00")
    lives.debit("2026-01-20", "100.00", mcc="7995", balance_after="500.00")
    lives.credit("2026-01-25", "500.00", is_cash=True, balance_after="1000.00")
    lives.credit("2026-01-26", "9.00", initiator="BANK", purpose="INTE", balance_after="1009.00")
    lives.add(
        ApplicationSubmitted,
        "2026-01-30",
        application_id="APP",
        product_code="CONSUMER_LOAN",
        requested_amount="9000.00",
        term_months=12,
    )
    # Later than the early date. The settled loan counts no more.
    for loan, amount in (("F", "9000.00"), ("G", "5000.00")):
        lives.add(
            CreditApproved,
            "2026-02-01",
            application_id=f"APP-{loan}",
            facility_id=loan,
            approved_amount=amount,
            term_months=12,
            rate="0",
        )
    lives.add(CreditSettled, "2026-02-20", facility_id="G", settled_date=dt.date(2026, 2, 20))
    lives.debit("2026-03-01", "1109.00", balance_after="-100.00")
    lives.add(
        AccountPartyAdded, "2026-03-02", account_id=f"{ALONE}-A1", client_id="x", role="OWNER"
    )
    lives.add(
        CardIssued,
        "2026-03-02",
        card_id="K",
        account_id=f"{ALONE}-A1",
        card_product="CLASSIC",
        issued_date=dt.date(2026, 3, 2),
    )
    lives.add(
        PaymentRejected,
        "2026-03-03",
        account_id=f"{ALONE}-A1",
        transaction_id="R",
        reason="AM04",
        amount="5.00",
    )
    lives.add(
        PenaltyInterestCharged,
        "2026-03-04",
        facility_id="F",
        account_id=f"{ALONE}-A1",
        amount="1.00",
    )
    for number, on in enumerate(("2026-02-12", "2026-03-12"), start=1):
        lives.add(
            RepaymentDue,
            on,
            facility_id="F",
            instalment_no=number,
            due_date=dt.date.fromisoformat(on),
            principal="750.00",
            total="750.00",
        )
    lives.add(
        RepaymentMade,
        "2026-02-12",
        facility_id="F",
        payment_id="P",
        paid_at=dt.datetime(2026, 2, 12, 12, tzinfo=dt.UTC),
        amount="750.00",
        allocation=Allocation(principal="750.00"),
    )
    lives.add(
        RepaymentMissed,
        "2026-03-13",
        facility_id="F",
        instalment_no=2,
        due_date=dt.date(2026, 3, 12),
        outstanding="750.00",
        dpd_start=dt.date(2026, 3, 12),
    )
    return made


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, rule_set: RuleSet) -> Iterator[Any]:
    path: Path = tmp_path_factory.mktemp("features") / "lake"
    subjects = [Subject("early", ALONE, EARLY), Subject("late", ALONE, LATE)]
    with DuckDBEngine(lake_of(path, bank().facts)) as engine:
        found = engine.run(features(History(engine, subjects, ZONE), rule_set.parameters))
        yield {row["subject_id"]: row for row in found.to_pylist()}


FIRST = [1000, 1000, 600, 600, 500, 500, 1000, 1000, 1009]
"""Balances before and after each entry until the early date; the first one found nothing."""
THEN = [*FIRST, 1009, -100]

CASES: dict[str, tuple[float | None, float | None]] = {
    "days_past_due": (None, 19.0),
    "missed_instalments_12m": (None, 1.0),
    "penalty_interest_12m": (0.0, 1.0),
    "rejected_debits_6m": (0.0, 1.0),
    "min_balance_90d": (500.0, -100.0),
    "min_balance_180d": (500.0, -100.0),
    "overdrawn_12m": (0.0, 1.0),
    # The newest entry is thirty days old on the late date.
    "balance_trend": (0.0, None),
    "balance_cv_180d": (
        pstdev(FIRST) / mean(FIRST),
        pstdev(THEN) / mean(THEN),
    ),
    "inflow_mean_180d": (750.0, 750.0),
    # Worked out below, for who was paid for longer.
    "inflow_drop_90d": (None, None),
    "days_since_salary": (26.0, 85.0),
    "outflow_share_180d": (500 / 1500, 1609 / 1500),
    "salary_share_180d": (1000 / 1500, 1000 / 1500),
    "cash_share_180d": (500 / 1500, 500 / 1500),
    "household_share_180d": (1 / 4, 1 / 5),
    "gambling_share_180d": (100 / 500, 100 / 1609),
    "instalment_to_credit": (1.0, 1.0),
    "instalment_to_balance": (750 / mean(FIRST), 750 / mean(THEN)),
    "running_instalment_to_credit": (None, 1.0),
    "running_instalment_to_balance": (None, 750 / mean(THEN)),
    "tenure_days": (761.0, 820.0),
    "second_person": (0.0, 1.0),
    "product_breadth": (0.0, 1.0),
    "utilisation": (None, None),
    "bureau_inquiries_3m": (None, None),
    "bureau_lenders": (None, None),
    "collateral_change": (None, None),
}


def test_every_feature_has_a_case() -> None:
    assert CASES.keys() == FEATURES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_feature_is_what_was_worked_out(name: str, rows: Any) -> None:
    early, late = CASES[name]
    assert rows["early"][name] == (None if early is None else pytest.approx(early))
    assert rows["late"][name] == (None if late is None else pytest.approx(late))


def test_a_falling_inflow_is_seen(tmp_path: Path, rule_set: RuleSet) -> None:
    made = Bank()
    lives = made.person("falls")
    lives.credit("2025-10-01", "1000.00", purpose="SALA")
    lives.credit("2025-11-15", "1000.00")
    lives.credit("2026-02-10", "300.00")
    # Neither the bank's interest nor what was borrowed is an inflow.
    lives.credit("2026-02-11", "50.00", initiator="BANK", purpose="INTE")
    lives.credit("2026-02-12", "9000.00", purpose="LOAN")
    with DuckDBEngine(lake_of(tmp_path / "lake", made.facts)) as engine:
        history = History(engine, [Subject("late", "falls", LATE)], ZONE)
        (row,) = engine.run(features(history, rule_set.parameters)).to_pylist()
    # 1 October is 181 days before, so that 92 days lie before the last 90.
    assert row["inflow_drop_90d"] == pytest.approx((300 / 90) / (2000 / 92))
    assert row["days_since_salary"] == 181.0


def test_what_comes_later_changes_nothing(tmp_path: Path, rule_set: RuleSet, rows: Any) -> None:
    known = [
        fact for fact in bank().facts if fact.time < dt.datetime(2026, 1, 31, 16, tzinfo=dt.UTC)
    ]
    with DuckDBEngine(lake_of(tmp_path / "lake", known)) as engine:
        history = History(engine, [Subject("early", ALONE, EARLY)], ZONE)
        (alone,) = engine.run(features(history, rule_set.parameters)).to_pylist()
    assert alone == rows["early"]


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_compiles_for_spark_too(name: str, tmp_path: Path, rule_set: RuleSet) -> None:
    pytest.importorskip("pyspark")
    with DuckDBEngine(lake_of(tmp_path / "lake", [])) as engine:
        derived = FEATURES[name].derive(History(engine, [], ZONE), rule_set.parameters)
        assert "SELECT" in ibis.pyspark.compile(derived)
