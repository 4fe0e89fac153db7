"""From the log to classes: what of an event counts, and that stream and night count the same days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts
from lifecycle.clients.state import ClientState, Facility, days_past_due, fold
from lifecycle.events import Fact, minor_units
from lifecycle.events import client as cl
from lifecycle.events import credit as cr
from lifecycle.risk.arrears import Instalment, Materiality, Money, schedules, spells
from lifecycle.risk.classification import facilities, portfolio, timelines
from lifecycle.risk.facility_log import Inputs
from lifecycle.risk.triggers import Pd, Sign
from tests.lakes import ZONE, lake_of_one
from tests.support import DAY, at, due, event, missed

N = dt.timedelta
DUES = [DAY + N(days=30 * n) for n in range(1, 13)]


def lent(day: dt.date = DAY, **fields: Any) -> Fact:
    whole = {"facility_id": "L1", "client_id": "C1", "tranche_no": 1, "amount": "6000.00"}
    return cr.CreditDisbursed(business_date=day, currency="CNY", **(whole | fields))


def paid(name: str, day: dt.date, amount: str = "500.00", **fields: Any) -> Fact:
    whole = {"facility_id": "L1", "allocation": cr.Allocation(principal=amount)}
    return cr.RepaymentMade(
        business_date=day,
        payment_id=name,
        paid_at=at(day),
        amount=amount,
        currency="CNY",
        **(whole | fields),
    )


def asked(
    path: Path, rules: RuleSet, day: dt.date, *facts: Fact, table: Any = facilities
) -> list[Any]:
    """Rows of a table as of a day."""
    with DuckDBEngine(lake_of_one(path / "lake", *facts)) as engine:
        known = Facts(engine, day, ZONE, frozenset())
        return engine.run(table(known, rules.parameters)).to_pylist()


INTEREST = cr.Allocation(principal="400.00", interest="100.00")
PENALTY = cr.Allocation(principal="500.00", penalty="20.00")
SEEN = DUES[1] + N(days=20)
COUNTED = [
    ("interest is no principal", [paid("a", DUES[0], allocation=INTEREST)], (20, "5600.0000")),
    (
        "penalty pays no instalment",
        [paid("a", DUES[0], "520.00", allocation=PENALTY)],
        (20, "5500.0000"),
    ),
    ("the rest waits", [paid("a", DUES[0], "1000.00")], (0, "5000.0000")),
    ("an unsplit repayment", [paid("a", DUES[0], allocation=cr.Allocation())], (20, "6000.0000")),
    (
        "ahead of its date",
        [paid("a", DAY, "1000.00", early=True, instalment_no=(1, 2))],
        (0, "5000.0000"),
    ),
    ("principal ahead", [paid("a", DAY, "1000.00", early=True)], (50, "5000.0000")),
    ("returned", [paid("a", DUES[0]), paid("b", DUES[1], reversal=True)], (50, "6000.0000")),
    ("nothing", [], (50, "6000.0000")),
]


@pytest.mark.parametrize(("why", "payments", "expected"), COUNTED, ids=[c[0] for c in COUNTED])
def test_what_a_repayment_pays(
    tmp_path: Path, rule_set: RuleSet, why: str, payments: list[Fact], expected: tuple[int, str]
) -> None:
    facts = [lent(), due(1, DUES[0]), due(2, DUES[1]), *payments]
    (row,) = asked(tmp_path, rule_set, SEEN, *facts)
    assert (row["dpd"], str(row["outstanding"])) == expected


def restructured(**fields: Any) -> Fact:
    whole = {"facility_id": "L1", "reason": "X", "distressed": False}
    return cr.CreditRestructured(business_date=DAY + N(days=5), **(whole | fields))


def report(**fields: Any) -> Fact:
    whole = {"client_id": "C1", "report_id": "R", "report_date": DAY, "n_lenders": 1}
    amounts = {"total_debt": "1000.00", "total_limit": "0", "currency": "CNY"}
    return cr.BureauReportReceived(business_date=DAY + N(days=5), **(whole | amounts | fields))


def company() -> Fact:
    return cl.ClientRegistered(business_date=DAY, client_id="C1", client_type="CORPORATE")


def of_facility(kind: type[Fact], **fields: Any) -> Fact:
    return kind(business_date=DAY + N(days=5), facility_id="L1", **fields)


SAID = [
    ([], ("PASS", "NONE", 1, "NONE")),
    ([restructured(forbearance_type="EXTENSION")], ("SPECIAL_MENTION", "RESTRUCTURED", 2, "RESTRUCTURED")),
    ([restructured(forbearance_type="EXTENSION", distressed=True)],
     ("SPECIAL_MENTION", "RESTRUCTURED", 3, "DISTRESSED_RESTRUCTURING")),
    ([restructured(forbearance_type="REFINANCE")], ("SPECIAL_MENTION", "REFINANCED", 2, "REFINANCED")),
    ([restructured(forbearance_type="REFINANCE", qualifying_renewal=True)], ("PASS", "NONE", 1, "NONE")),
    ([of_facility(cr.DefaultDeclared, criterion="UTP")],
     ("SUBSTANDARD", "DEFAULT_DECLARED", 3, "DEFAULT_DECLARED")),
    ([of_facility(cr.CreditWrittenOff, amount="6000", currency="CNY")],
     ("LOSS", "WRITTEN_OFF", 3, "WRITTEN_OFF")),
    ([report(public_records=("COURT", "DEBT_EVASION"))], ("DOUBTFUL", "DEBT_EVASION", 3, "TIER_NPL")),
    ([report(npl_debt="1.00")], ("PASS", "NONE", 1, "NONE")),
    ([company(), report(npl_debt="1.00")],
     ("SPECIAL_MENTION", "NPL_ELSEWHERE", 2, "TIER_SPECIAL_MENTION")),
    ([company(), report(total_debt="20000", debt_over_90_dpd="6000")],
     ("SUBSTANDARD", "DEBT_OVER_90_AT_BANKS", 3, "TIER_NPL")),
    ([cl.ClientDissolved(business_date=DAY + N(days=5), client_id="C1", dissolved_date=DAY,
                         reason="BANKRUPTCY")],
     ("LOSS", "BANKRUPTCY_LIQUIDATION", 3, "BANKRUPTCY_LIQUIDATION")),
    ([cl.ClientDissolved(business_date=DAY + N(days=5), client_id="C1", dissolved_date=DAY,
                         reason="MERGER")], ("PASS", "NONE", 1, "NONE")),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "expected"), SAID)
def test_what_the_log_says_of_a_facility(
    tmp_path: Path, rule_set: RuleSet, facts: list[Fact], expected: tuple[Any, ...]
) -> None:
    (row,) = asked(tmp_path, rule_set, DAY + N(days=5), lent(), *facts)
    assert tuple(row[n] for n in ("tier", "tier_trigger", "stage", "trigger")) == expected
    whole = asked(tmp_path / "again", rule_set, DAY + N(days=4), lent(), *facts)
    assert whole[0]["stage"] == 1, "nothing is known before its day"


def test_new_borrowing_that_repays_old_is_a_special_mention(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    for qualifies, tier in ((False, "SPECIAL_MENTION"), (True, "PASS")):
        fact = lent(refinances="L0", qualifying_renewal=qualifies)
        (row,) = asked(tmp_path / tier, rule_set, DAY, fact)
        assert row["tier"] == tier


def test_every_move_names_the_event_that_caused_it(tmp_path: Path, rule_set: RuleSet) -> None:
    facts = [lent(), due(1, DUES[0]), missed(1, DUES[0]), paid("a", DUES[0] + N(days=12))]
    moves = asked(tmp_path, rule_set, DUES[0] + N(days=20), *facts, table=timelines)
    ids = {event(f).id: type(f).__name__ for f in facts}
    told = sorted(
        (m["day"], m["scale"], m["after"], m["trigger"], ids[m["event_id"]]) for m in moves
    )
    assert told == [
        (DAY, "STAGE", "1", "GRANTED", "CreditDisbursed"),
        (DAY, "TIER", "PASS", "GRANTED", "CreditDisbursed"),
        (DUES[0] + N(days=8), "STAGE", "2", "TIER_SPECIAL_MENTION", "RepaymentDue"),
        (DUES[0] + N(days=8), "TIER", "SPECIAL_MENTION", "DPD_OVER_TECHNICAL", "RepaymentDue"),
        (DUES[0] + N(days=12), "TIER", "PASS", "TRIGGER_ENDED", "RepaymentMade"),
    ]


def test_a_settled_facility_has_a_timeline_and_no_row(tmp_path: Path, rule_set: RuleSet) -> None:
    end = cr.CreditSettled(business_date=DUES[0], facility_id="L1", settled_date=DUES[0])
    facts = [lent(), paid("a", DUES[0], "6000.00", early=True), end]
    assert asked(tmp_path / "rows", rule_set, DUES[1], *facts) == []
    moves = asked(tmp_path / "moves", rule_set, DUES[1], *facts, table=timelines)
    assert [m["trigger"] for m in moves if m["after"] is None] == ["SETTLED", "SETTLED"]


def test_the_members_of_a_group_are_those_either_side_named(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    links = [
        cl.RelationLinked(business_date=DAY, client_id=one, other_client_id=other, relation=kind)
        for one, other, kind in (("C1", "C3", "GROUP"), ("C2", "C1", "GROUP"), ("C1", "C9", "UBO"))
    ]
    (row,) = asked(tmp_path, rule_set, DAY, lent(), *links)
    assert row["group_members"] == "C2;C3"


def test_a_new_schedule_does_not_change_what_was_known_before(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    """What a new schedule corrects counts no more, but until then it did."""
    moved = cr.RepaymentDue(
        business_date=DUES[0] + N(days=20),
        facility_id="L1",
        instalment_no=1,
        due_date=DUES[5],
        principal="500.00",
        total="500.00",
        currency="CNY",
        schedule_version=2,
    )
    lake = lake_of_one(tmp_path / "lake", lent(), due(1, DUES[0]), moved)
    corrected = frozenset({2})
    with DuckDBEngine(lake) as engine:
        known = Facts(engine, DUES[0] + N(days=30), ZONE, corrected, corrected)
        moves = engine.run(timelines(known, rule_set.parameters)).to_pylist()
        rows = engine.run(facilities(known, rule_set.parameters)).to_pylist()
    tiers = sorted((m["day"], m["after"]) for m in moves if m["scale"] == "TIER")
    assert tiers == [
        (DAY, "PASS"),
        (DUES[0] + N(days=8), "SPECIAL_MENTION"),
        (DUES[0] + N(days=20), "PASS"),
    ]
    assert (rows[0]["dpd"], rows[0]["stage"], rows[0]["trigger"]) == (0, 2, "PROBATION_STAGE_2")


def test_what_no_event_says_is_given(tmp_path: Path, rule_set: RuleSet) -> None:
    on = DAY + N(days=3)
    pd = Pd(on, Decimal("0.03"), Decimal("0.01"), 0, proxy=True)
    inputs = Inputs({"L1": [pd]}, {"L1": [Sign(on, "PURPOSE_CHANGED", 1)]})
    with DuckDBEngine(lake_of_one(tmp_path / "lake", lent())) as engine:
        known = Facts(engine, DAY + N(days=9), ZONE, frozenset())
        (one,) = portfolio(known, rule_set.parameters, inputs).classified["C1"]
        (row,) = engine.run(facilities(known, rule_set.parameters)).to_pylist()
        moves = engine.run(timelines(known, rule_set.parameters)).to_pylist()
    assert one.not_evaluated == ("RATING_SHARPLY_DOWN",)
    assert (row["tier"], row["stage"], row["trigger"]) == ("SPECIAL_MENTION", 2, "PD_TRIPLED")
    assert [
        (m["trigger"], m["proxy"]) for m in moves if m["day"] == on and m["scale"] == "STAGE"
    ] == [("PD_TRIPLED", True)]


@pytest.mark.parametrize(
    ("enabled", "proxy", "loss"), [(False, True, None), (True, False, None), (True, True, "159.57")]
)
def test_an_expected_loss_is_an_option(
    tmp_path: Path, rule_set: RuleSet, enabled: bool, proxy: bool, loss: str | None
) -> None:
    """Stage 2 by a PD three times as high: 18 months left are two years, 1 - 0.97 squared = 0.0591, by 0.45."""
    figures = {**rule_set.parameters}
    figures["ecl_enabled"] = msgspec.structs.replace(figures["ecl_enabled"], value=enabled)
    granted = cr.CreditApproved(
        business_date=DAY,
        application_id="A",
        facility_id="L1",
        approved_amount="6000",
        term_months=18,
        currency="CNY",
    )
    pd = Pd(DAY, Decimal("0.03"), Decimal("0.01"), 0, proxy=proxy)
    with DuckDBEngine(lake_of_one(tmp_path / "lake", granted, lent())) as engine:
        known = Facts(engine, DAY, ZONE, frozenset())
        portfolio(known, figures, Inputs({"L1": [pd]}))
        (row,) = engine.run(facilities(known, figures)).to_pylist()
    assert row["expected_loss"] == (None if loss is None else Decimal(loss))


def test_a_bank_without_loans_has_none(tmp_path: Path, rule_set: RuleSet) -> None:
    assert asked(tmp_path, rule_set, DAY, company()) == []


# --- the stream counts the same days ----------------------------------------------------------

amounts = st.integers(1, 1200).map(lambda n: f"{n}.00")
payments = st.lists(st.tuples(st.integers(0, 400), amounts), max_size=12)


@given(payments, st.sets(st.integers(0, 11)), st.integers(0, 420))
def test_stream_and_night_count_the_same_days(
    payments: Sequence[tuple[int, str]], returned: set[int], until: int
) -> None:
    """Whatever is paid, and returned on the day as a debit that bounces is."""
    facts: list[Fact] = [lent(), *(due(n, day) for n, day in enumerate(DUES, start=1))]
    money = []
    for number, (days, amount) in enumerate(payments):
        day, worth = DAY + N(days=days), minor_units(amount)
        facts.append(paid(f"p{number}", day, amount))
        money.append(Money(day, worth, -worth, number))
        if number in returned:
            facts.append(paid(f"r{number}", day, amount, reversal=True))
            money.append(Money(day, -worth, worth, number))
    on = DAY + N(days=until)
    known = sorted((f for f in facts if f.business_date <= on), key=lambda f: f.business_date)
    owed = facility(*known)
    schedule = schedules(
        Instalment(day, day, n, 1, 500 * 10_000, n) for n, day in enumerate(DUES, 1) if day <= on
    )
    ordered = sorted((m for m in money if m.on <= on), key=lambda m: m.on)
    night = spells(schedule, ordered, Materiality())[-1].days_past_due(on)
    assert days_past_due(owed, on, 0) == night


def facility(*facts: Fact) -> Facility:
    return reduce(fold, map(event, facts), ClientState("C1")).facilities["L1"]


def test_small_rests_add_up_in_the_stream() -> None:
    """Two instalments of 80 are more than 100 owed, counted from the second."""
    owed = facility(lent(), due(1, DUES[0], "80.00"), due(2, DUES[1], "80.00"))
    assert days_past_due(owed, DUES[2], 100 * 10_000) == 30
    assert days_past_due(owed, DUES[2], 160 * 10_000) == 0


STREAM: Mapping[str, tuple[list[Fact], int]] = {
    "penalty": (
        [paid("a", DUES[0], "520.00", allocation=PENALTY), paid("b", DUES[1], "480.00")],
        30,
    ),
    "principal ahead": ([paid("a", DAY, "1000.00", early=True)], 60),
    "a returned one of long ago": (
        [*(paid(f"p{n}", DUES[1]) for n in range(2)), paid("r", DUES[1], "1000.00", reversal=True)],
        60,
    ),
    "paid again": (
        [
            paid("a", DUES[1], "1000.00"),
            paid("r", DUES[1], "500.00", reversal=True),
            paid("b", DUES[2]),
        ],
        0,
    ),
}


@pytest.mark.parametrize("name", STREAM)
def test_what_a_repayment_pays_in_the_stream(name: str) -> None:
    payments, days = STREAM[name]
    owed = facility(lent(), due(1, DUES[0]), due(2, DUES[1]), *payments)
    assert days_past_due(owed, DUES[2], 0) == days
