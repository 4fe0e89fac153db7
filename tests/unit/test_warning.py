"""The replay of early warning: which months count, what distress is, what a warning is, and that a small
bank of borrowers goes through the whole of it."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmarks import evaluation_page, warning_page
from benchmarks.profiles import FIRST_DAY
from benchmarks.warning import DAYS, Collected, Seen, in_distress, month_ends, months_of, watched
from benchmarks.warnings_judged import (
    BUDGETS,
    Bank,
    Lent,
    Month,
    Outcomes,
    Risk,
    rankings,
    warnings,
    watches,
)
from lifecycle.alerts.rules import RuleSet
from lifecycle.commands.console import encode
from lifecycle.errors import UsageError
from lifecycle.events import Fact, decoded
from lifecycle.events.account import TransactionPosted
from lifecycle.events.credit import PenaltyInterestCharged, RepaymentMissed
from lifecycle.plots import warning_plot
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


# --- fitted, judged, told -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(rule_set: RuleSet) -> dict[str, Any]:
    """Loans of two years, a third of them with falling balances before their distress."""
    chance = random.Random(1)
    cut, last = day("2027-07-01"), day("2028-12-31")
    loans, distress, months, values = [], {}, [], []
    for number in range(240):
        year, month = (2026, 1) if number % 2 == 0 else (2027, 7)
        first = dt.date(year, month + number % 3, 5)
        loan = Lent(f"L{number}", f"C{number}", first, last, number % 2 == 0)
        loans.append(loan)
        event = first + dt.timedelta(days=chance.randrange(150, 330)) if number % 3 == 0 else None
        if event:
            distress[loan.loan_id] = event
        for month in months_of(Bank("b", [loan], cut, last)):
            ahead = (event - month.day).days if event else 999
            months.append(month)
            values.append(1_000 * min(ahead, 240) / 240 + chance.gauss(0, 120))
    names = rule_set.parameters["warning_candidates"].value
    rows = pa.table({
        "subject_id": [month.subject.subject_id for month in months],
        **{name: values if name == "min_balance_90d" else [0.0] * len(values) for name in names},
    })
    default = {loan: on + dt.timedelta(days=91) for loan, on in distress.items()}
    known = Collected(
        written=len(months),
        months=months,
        rows=rows,
        points={(month.loan.client_id, month.day): (600, "C") for month in months},
        alerts={f"C{loan[1:]}": [on] for loan, on in distress.items()},
        became=Outcomes(distress, default, frozenset(loan.loan_id for loan in loans)),
    )
    found = watched(Bank("b", loans, cut, last), known, rule_set.parameters)
    return {
        "banks": {"simulated": found | {"stories": {"DECLINES": 3}}},
        "clients": 240,
        "seed": 1,
        "target": rule_set.parameters["warning_target"].value,
        "seconds": {"judging": 1.0},
        "peak_rss_mb": 1,
        "machine": {"cpus": 1, "memory_gb": 1, "python": "3"},
    }


def test_who_falls_before_the_event_is_told_early(result: dict[str, Any]) -> None:
    found = result["banks"]["simulated"]["distress"]
    assert found["events"] == 40
    assert found["before_a_month_end"] == 0
    card, *_others = found["discrimination"]
    near, *_between, early = found["discrimination"][card]
    assert near["auc"] > 0.95 > early["auc"]
    assert near["low"] <= near["auc"] <= near["high"]


def test_points_that_never_move_tell_nothing(result: dict[str, Any]) -> None:
    found = result["banks"]["simulated"]["distress"]
    assert {row["auc"] for row in found["discrimination"]["expert card"]} == {0.5}
    assert found["warnings"]["expert card"]["median"] == 0


def test_more_false_alarms_give_more_time(result: dict[str, Any]) -> None:
    found = result["banks"]["simulated"]["distress"]
    for rows in found["budgets"].values():
        medians = [row["median"] for row in rows]
        assert medians == sorted(medians)
        allowed = zip(rows, BUDGETS, strict=True)
        assert all(row["per_thousand"] <= budget for row, budget in allowed)


def test_an_alert_on_the_distress_itself_leads_to_the_default_alone(result: dict[str, Any]) -> None:
    found = result["banks"]["simulated"]
    assert found["distress"]["warnings"]["alerts of severity P1 or P2"]["median"] == 0
    assert 60 < found["default"]["warnings"]["alerts of severity P1 or P2"]["median"] <= 91


def test_what_is_learnt_from_was_over_at_the_cut(result: dict[str, Any]) -> None:
    learnt = result["banks"]["simulated"]["learnt"]
    assert learnt["behavioural scorecard, 90 days"]["last"] == day("2027-03-31")
    for own in learnt.values():
        assert 0 < own["before_distress"] < own["months"]


def test_without_a_month_to_learn_from_it_says_so(rule_set: RuleSet) -> None:
    known = Collected(0, [], pa.table({"subject_id": []}), {}, {}, Outcomes({}, {}, frozenset()))
    with pytest.raises(UsageError, match="whose 90 days were over"):
        watched(Bank("b", [], day("2027-01-01"), day("2028-12-31")), known, rule_set.parameters)


def test_the_page_and_the_picture(result: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "evaluation.md"
    begin, end = evaluation_page.markers(warning_page.PART)
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n", encoding="utf-8")
    evaluation_page.write(page, warning_page.tables(result), warning_page.PART)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "#### Before first distress" in text
    assert "**Target** (a median of 90 days at 20 false alarms)" in text
    warning_plot(warning_page.panels(result), (20, 90), tmp_path / "warning.png")
    assert (tmp_path / "warning.png").stat().st_size > 10_000
    with pytest.raises(UsageError, match="cannot be written"):
        warning_plot(warning_page.panels(result), (20, 90), tmp_path / "no" / "warning.png")


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


def test_what_was_measured_is_one_json_document() -> None:
    found = {"lead": {30: 0.5, 60: (1, 2)}, "days": [dt.date(2026, 1, 31)]}
    text = encode(warning_page.document(found)).decode()
    assert text == '{"days":["2026-01-31"],"lead":{"30":0.5,"60":[1,2]}}'
