"""The replay of early warning: which months count, what distress is, what a warning is, and that a small
bank of borrowers goes through the whole of it."""

from __future__ import annotations

import datetime as dt

import pytest

from benchmarks.profiles import FIRST_DAY
from benchmarks.warning import (
    DAYS,
    Bank,
    Lent,
    Month,
    Risk,
    Seen,
    in_distress,
    month_ends,
    months_of,
    rankings,
    warnings,
    watches,
)
from lifecycle.alerts.rules import RuleSet
from lifecycle.events import Fact, decoded
from lifecycle.events.account import TransactionPosted
from lifecycle.events.credit import PenaltyInterestCharged, RepaymentMissed
from lifecycle.sources.simulator import STRAINED, SimulatorSource
from tests.lakes import ZONE
from tests.support import opened, outgoing


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


LOAN = Lent("L", "C1", day("2026-01-31"), day("2026-04-12"), learns=False)
EARLIER = LOAN._replace(loan_id="E", learns=True)


def test_a_loan_is_watched_on_the_month_ends_on_which_it_runs() -> None:
    ends = ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert list(month_ends(LOAN, day("2026-12-31"))) == [day(text) for text in ends]
    assert list(month_ends(LOAN, day("2026-03-30"))) == [day(text) for text in ends[:2]]


def test_months_to_learn_from_are_over_before_those_to_judge_on() -> None:
    bank = Bank("b", [LOAN, EARLIER], cut=day("2026-03-01"), last=day("2026-12-31"))
    assert months_of(bank) == [
        Month(LOAN, day("2026-03-31")),
        Month(EARLIER, day("2026-01-31")),
        Month(EARLIER, day("2026-02-28")),
    ]


def posted(balance: str | None, on: str = "2026-02-03") -> Fact:
    at = dt.datetime.fromisoformat(f"{on}T09:00:00+00:00")
    return TransactionPosted(
        business_date=day(on),
        account_id="A1",
        transaction_id=f"T{on}{balance}",
        amount="1.00",
        currency="CNY",
        credit_debit_indicator="DBIT",
        booking_datetime=at,
        balance_after=balance,
    )


MISSED = RepaymentMissed(
    business_date=day("2026-02-13"),
    facility_id="L",
    instalment_no=1,
    due_date=day("2026-02-12"),
    outstanding="10.00",
    currency="CNY",
    dpd_start=day("2026-02-12"),
)
PENALTY = PenaltyInterestCharged(
    business_date=day("2026-02-28"),
    facility_id="L",
    account_id="A1",
    amount="1.00",
    currency="CNY",
)


@pytest.mark.parametrize(
    ("fact", "distress"),
    [
        (posted("0.00"), False),
        (posted("-0.01"), True),
        (posted(None), False),
        (MISSED, True),
        (PENALTY, True),
        (opened(), False),
    ],
)
def test_what_is_distress(fact: Fact, distress: bool) -> None:
    assert in_distress(decoded(outgoing(fact, "C1"))) is distress


def test_distress_counts_while_the_loan_runs_and_grave_alerts_are_kept(rule_set: RuleSet) -> None:
    seen = Seen(rule_set)
    facts = [
        opened(day=day("2026-01-01")),
        posted("-5.00", "2026-01-10"),
        posted("7.00", "2026-02-03"),
        posted("-9.00", "2026-03-04"),
        posted("-9.50", "2026-03-05"),
    ]
    for number, fact in enumerate(facts, start=1):
        seen.take(decoded(outgoing(fact, "C1", sequence=number)))
    assert seen.distress_of([LOAN]) == {"L": day("2026-03-04")}
    assert seen.distress_of([LOAN._replace(ends=day("2026-03-03"))]) == {}
    # RT-03 is a P2; its repeat within the suppression keeps it standing.
    assert seen.alerts["C1"] == [day(f"2026-{text}") for text in ("01-10", "03-04", "03-05")]


def test_a_move_to_a_worse_stage_is_an_alert_and_a_grant_is_none(rule_set: RuleSet) -> None:
    seen = Seen(rule_set)
    move = {
        "facility_id": "L",
        "client_id": "C1",
        "day": day("2026-03-14"),
        "scale": "STAGE",
        "before": "1",
        "after": "2",
        "trigger": "DPD",
        "event_id": None,
    }
    seen.take_moves([
        move | {"before": None, "after": "1"},
        move,
        move | {"before": "2", "after": "1"},
        move | {"scale": "TIER", "before": "PASS", "after": "SUBSTANDARD"},
        move | {"after": None},
    ])
    assert seen.alerts == {"C1": [move["day"]] * 2}


def risk(loan: Lent, on: str, pd: float) -> Risk:
    return Risk(Month(loan, day(on)), {"card": pd}, {"card": pd > 0.08}, 500, True, False, 10.0)


def test_a_loan_is_watched_until_its_event_and_a_good_one_while_its_outcome_is_known() -> None:
    good = LOAN._replace(loan_id="G")
    unknown = LOAN._replace(loan_id="U")
    ends = ("2026-01-31", "2026-02-28", "2026-03-31")
    risks = [risk(loan, end, 0.1) for loan in (LOAN, good, unknown) for end in ends]
    found = watches(
        risks,
        {"L": day("2026-03-04")},
        frozenset("G"),
        rankings([])["expert card"],
        day("2026-03-01"),
    )
    assert [(one.loan_id, len(one.days), one.event) for one in found] == [
        ("L", 2, day("2026-03-04")),
        ("G", 2, None),
    ]
    assert found[0].risks == (-500.0, -500.0)


def test_an_event_before_the_first_month_end_is_not_watched() -> None:
    found = watches(
        [risk(LOAN, "2026-01-31", 0.1)],
        {"L": day("2026-01-31")},
        frozenset(),
        warnings([])["expert card"],
        day("2026-12-31"),
    )
    assert found == []


# --- the bank of borrowers ------------------------------------------------------------------------


def test_who_stops_paying_misses_all_that_falls_due_and_nobody_else_misses_any() -> None:
    bank = SimulatorSource(
        seed=3, clients=50, first_day=FIRST_DAY, days=DAYS, timezone=ZONE, stories=STRAINED
    )
    labels = {label.client_id: label for label in bank.labels()}
    events = list(map(decoded, bank.events(None, None)))
    due = [(e.client_id, e.business_date) for e in events if e.type.endswith("repayment_due.v1")]
    missed = [
        (e.client_id, e.data.due_date) for e in events if e.type.endswith("repayment_missed.v1")
    ]
    stops = {"DECLINES", "STOPS_SUDDENLY"}
    last = FIRST_DAY + dt.timedelta(days=DAYS - 2)
    expected = [
        (client, on)
        for client, on in due
        if client in labels and labels[client].story in stops and labels[client].day < on <= last
    ]
    assert sorted(missed) == sorted(expected)
    assert len({client for client, _ in missed}) == 9
    assert len({client for client, _ in due}) >= 45
