"""The life of a credit: lawful lives fact by fact, unlawful facts as failures, and how it runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import load_rules
from lifecycle.clients.facts import Facts
from lifecycle.events import Event, Fact
from lifecycle.events import credit as cr
from lifecycle.risk import credit_lifecycle as cl
from lifecycle.risk.credit_facts import credit_facts, statuses
from lifecycle.risk.credit_lifecycle import NEXT, STATUS_AFTER, Credit, Status, follow, state
from lifecycle.settings import ROOT
from tests.lakes import ZONE
from tests.support import DAY, disbursed, due, event, made, missed, posted

FIGURES = load_rules(ROOT / "rules").parameters


def fact(kind: type[Fact], day: int, **fields: Any) -> Event:
    """A fact of the facility L1 or its application P1, so many days after DAY."""
    names = kind.__struct_fields__
    common = {"facility_id": "L1", "application_id": "P1", "client_id": "C1", "currency": "CNY"}
    common |= {"amount": "1", "approved_amount": "1", "requested_amount": "1"}
    known = {name: value for name, value in common.items() if name in names}
    return event(kind(business_date=DAY + dt.timedelta(days=day), **(known | fields)), offset=day)


def submitted(day: int = 0) -> Event:
    return fact(cr.ApplicationSubmitted, day, product_code="X", term_months=1)


def approved(day: int = 0) -> Event:
    return fact(cr.CreditApproved, day, term_months=1)


def declined(day: int = 0) -> Event:
    return fact(cr.CreditDeclined, day)


def cancelled(day: int = 0) -> Event:
    return fact(cr.CreditCancelled, day)


def limited(day: int = 0) -> Event:
    return fact(cr.LimitChanged, day, old_limit="0", new_limit="9", reason="NEW")


def lent(day: int = 0) -> Event:
    return fact(cr.CreditDisbursed, day, tranche_no=1)


def paid(day: int = 0) -> Event:
    return event(made("P1", DAY + dt.timedelta(days=day)), offset=day)


def defaulted(day: int = 0) -> Event:
    return fact(cr.DefaultDeclared, day, criterion="DPD90")


def cured(day: int = 0) -> Event:
    return fact(cr.DefaultCured, day, criterion="DPD90")


def restructured(day: int = 0, distressed: bool = True) -> Event:
    return fact(
        cr.CreditRestructured,
        day,
        reason="INCOME",
        forbearance_type="EXTENSION",
        distressed=distressed,
    )


def written_off(day: int = 0) -> Event:
    return fact(cr.CreditWrittenOff, day)


def recovered(day: int = 0) -> Event:
    return fact(cr.CreditRecovered, day)


def settled(day: int = 0) -> Event:
    return fact(cr.CreditSettled, day, settled_date=DAY)


def told(event: Event) -> cl.CreditFact:
    """What an event says of the life of its credit."""
    distressed = isinstance(event.data, cr.CreditRestructured) and event.data.distressed
    name = cl.DISTRESSED if distressed else event.type
    return cl.CreditFact("L1", name, event.business_date, event.id)


def lived(*events: Event) -> Credit:
    return reduce(follow, map(told, events), Credit())


LIVES: list[tuple[list[Event], list[Status]]] = [
    (
        [submitted(), approved(), limited(), lent(), paid(), settled()],
        ["APPLIED", "APPROVED", "COMMITTED", "PERFORMING", "PERFORMING", "SETTLED"],
    ),
    ([submitted(), declined()], ["APPLIED", "DECLINED"]),
    ([submitted(), approved(), cancelled()], ["APPLIED", "APPROVED", "CANCELLED"]),
    ([limited(), limited(), cancelled()], ["COMMITTED", "COMMITTED", "CANCELLED"]),
    (
        [lent(), defaulted(), restructured(), cured(), lent(), limited()],
        ["PERFORMING", "DEFAULT", "RESTRUCTURED", "PROBATION", "PROBATION", "PROBATION"],
    ),
    ([lent(), restructured(distressed=False), lent()], ["PERFORMING"] * 3),
    ([lent(), restructured(), defaulted()], ["PERFORMING", "RESTRUCTURED", "DEFAULT"]),
    (
        [lent(), written_off(), recovered(), written_off(), paid(), recovered(), settled()],
        [
            "PERFORMING",
            "WRITTEN_OFF",
            "RECOVERING",
            "WRITTEN_OFF",
            "WRITTEN_OFF",
            "RECOVERING",
            "SETTLED",
        ],
    ),
]


@pytest.mark.parametrize(("events", "statuses"), LIVES)
def test_a_lawful_life(events: list[Event], statuses: list[Status]) -> None:
    credit, found = Credit(), []
    for one in events:
        credit = follow(credit, told(one))
        found.append(credit.status)
    assert (found, credit.failures) == (statuses, ())


def test_the_lives_go_through_every_status() -> None:
    assert {s for _, statuses in LIVES for s in statuses} == set(get_args(Status)) - {"NONE"}


UNLAWFUL: list[tuple[list[Event], Event, Status]] = [
    ([submitted()], defaulted(1), "APPLIED"),
    ([submitted()], lent(1), "APPLIED"),
    ([lent(), settled()], paid(1), "SETTLED"),
    ([lent(), settled()], recovered(1), "SETTLED"),
    ([lent(), defaulted()], lent(1), "DEFAULT"),
    ([lent(), restructured()], lent(1), "RESTRUCTURED"),
    ([lent()], cured(1), "PERFORMING"),
    ([lent(), written_off()], restructured(1), "WRITTEN_OFF"),
    ([submitted(), declined()], approved(1), "DECLINED"),
    ([], paid(1), "NONE"),
]


@pytest.mark.parametrize(("events", "wrong", "met"), UNLAWFUL)
def test_an_unlawful_fact_is_a_failure_and_no_state(
    events: list[Event], wrong: Event, met: Status
) -> None:
    before = lived(*events)
    after = follow(before, told(wrong))
    assert (after.status, after.since) == (before.status, before.since)
    (failure,) = after.failures
    name = cl.DISTRESSED if isinstance(wrong.data, cr.CreditRestructured) else wrong.type
    assert (failure.fact, failure.met, failure.event_id) == (name, met, wrong.id)
    assert failure.on == DAY + dt.timedelta(days=1)


def test_what_says_nothing_of_the_status_is_no_failure() -> None:
    snapshot = fact(cr.UtilisationSnapshot, 1, limit="9", drawn="1")
    for other in (snapshot, event(posted())):
        assert follow(lived(lent(), settled()), told(other)) == lived(lent(), settled())


# --- how a running credit runs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "day", "dpd", "stage", "expected"),
    [
        ([submitted()], 5, 0, 1, "APPLIED"),
        ([limited()], 5, 0, 1, "COMMITTED"),
        ([lent()], 5, 0, 1, "PERFORMING"),
        ([lent()], 5, 0, 2, "WATCH"),
        ([lent()], 5, 1, 1, "EARLY_ARREARS"),
        ([lent()], 5, 30, 2, "EARLY_ARREARS"),
        ([lent()], 5, 31, 2, "ARREARS"),
        ([lent()], 5, 90, 2, "ARREARS"),
        ([lent()], 5, 91, 3, "DEFAULT"),
        ([lent(), defaulted()], 5, 0, 1, "DEFAULT"),
        ([lent(), restructured()], 364, 0, 2, "RESTRUCTURED"),
        ([lent(), restructured()], 364, 20, 2, "RESTRUCTURED"),
        ([lent(), restructured()], 364, 91, 3, "DEFAULT"),
        ([lent(), restructured()], 365, 1, 2, "RESTRUCTURED"),
        ([lent(), restructured()], 365, 0, 2, "PROBATION"),
        ([lent(), restructured()], 729, 0, 2, "PROBATION"),
        ([lent(), restructured()], 730, 0, 2, "WATCH"),
        ([lent(), restructured()], 730, 0, 1, "PERFORMING"),
        ([lent(), restructured(), restructured(10)], 374, 0, 1, "RESTRUCTURED"),
        ([lent(), restructured(), restructured(10)], 375, 0, 1, "PROBATION"),
        ([lent(), defaulted(), cured(10)], 374, 0, 1, "PROBATION"),
        ([lent(), defaulted(), cured(10)], 374, 5, 2, "EARLY_ARREARS"),
        ([lent(), defaulted(), cured(10)], 375, 0, 1, "PERFORMING"),
        ([lent(), defaulted(), cured(10)], 375, 40, 2, "ARREARS"),
        ([lent(), written_off()], 5, 200, 3, "WRITTEN_OFF"),
        ([lent(), written_off(), recovered()], 5, 200, 3, "RECOVERING"),
        ([lent(), settled()], 5, 0, 1, "SETTLED"),
    ],
)
def test_where_a_credit_stands(
    events: list[Event], day: int, dpd: int, stage: int, expected: str
) -> None:
    on = DAY + dt.timedelta(days=day)
    assert state(lived(*events), on, dpd, stage, FIGURES) == expected


# --- what may never happen --------------------------------------------------------------------------

KINDS = (
    submitted(),
    approved(),
    declined(),
    cancelled(),
    limited(),
    lent(),
    event(due(1, DAY)),
    paid(),
    event(missed(1, DAY)),
    defaulted(),
    cured(),
    restructured(),
    restructured(distressed=False),
    written_off(),
    recovered(),
    settled(),
    event(disbursed()),
)


@given(st.lists(st.sampled_from(KINDS), max_size=30), st.integers(0, 400), st.integers(1, 3))
def test_no_facts_lead_to_an_undefined_state(events: list[Event], dpd: int, stage: int) -> None:
    credit = Credit()
    for one in events:
        after = follow(credit, told(one))
        lawful = after.status in NEXT[credit.status].values() and after.failures == credit.failures
        assert lawful or (
            after.status == credit.status and len(after.failures) > len(credit.failures)
        )
        credit = after
    states = {*get_args(Status), "WATCH", "EARLY_ARREARS", "ARREARS"}
    assert state(credit, DAY, dpd, stage, FIGURES) in states


def _name(one: Event) -> str:
    distressed = isinstance(one.data, cr.CreditRestructured) and one.data.distressed
    return cl.DISTRESSED if distressed else one.type


def _first_unlawful(events: Sequence[Event]) -> int | None:
    """As the staged gate reads a life: a fact is judged by what the last one that leads to a
    status led to."""
    status: Status = "NONE"
    for number, one in enumerate(events):
        if _name(one) not in NEXT[status]:
            return number
        status = STATUS_AFTER.get(_name(one), status)
    return None


JUDGED = [one for one in KINDS if one.type in (*cl.APPLICATION_FACTS, *cl.FACILITY_FACTS)]


@given(st.lists(st.sampled_from(JUDGED), max_size=30))
def test_the_gate_and_the_fold_refuse_the_same_fact_first(events: list[Event]) -> None:
    failures = [len(lived(*events[:n]).failures) for n in range(1, len(events) + 1)]
    first = next((n for n, count in enumerate(failures) if count), None)
    assert _first_unlawful(events) == first


def test_a_fact_leads_to_one_status_wherever_it_changes_one() -> None:
    for before, facts in NEXT.items():
        assert all(after in (before, STATUS_AFTER.get(name)) for name, after in facts.items())
    assert set(NEXT) == set(get_args(Status))


def test_all_that_the_gate_judges_is_in_the_table() -> None:
    known = {name for facts in NEXT.values() for name in facts}
    assert known == {*cl.APPLICATION_FACTS, *cl.FACILITY_FACTS, cl.DISTRESSED, cl.LIMIT_CHANGED}


def test_a_facility_is_followed_from_its_application_on(tmp_path: Path) -> None:
    apart = fact(cr.CreditSettled, 1, facility_id="L2", settled_date=DAY)
    lives = [lent(2), submitted(0), approved(1), settled(3), apart]
    lake = Lake(tmp_path)
    lake.append(list(enumerate(lives)), seal_id=1, version=0)
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, DAY + dt.timedelta(days=400), ZONE, frozenset())
        found = statuses(engine.run(credit_facts(facts)).to_pylist())
    assert found["L1"].status == "SETTLED"
    assert found["L1"].failures == ()
    assert [failure.fact for failure in found["L2"].failures] == [cl.SETTLED]
