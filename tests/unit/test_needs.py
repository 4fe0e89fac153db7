"""Needs: what counts as evidence, how large a need is, how far it has come, what is said of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.attribute import Figures, Value
from lifecycle.clients.needs import (
    Answer,
    Conflict,
    Mention,
    Need,
    needs_of,
    quantity,
    questions,
    text,
)
from lifecycle.clients.needs.evidence import CLUES
from lifecycle.clients.needs.need import NEEDS_OF
from lifecycle.clients.needs.text import money, percent, plain

D = Decimal
TODAY = dt.date(2026, 6, 30)
ZONE = dt.timezone(dt.timedelta(hours=8))
P2 = frozenset({"P2_PROFILE"})
ALL = frozenset({"P1_SERVICE", "P2_PROFILE", "P6_SENSITIVE"})
SENSITIVE = {"dependants_ages": "P2_PROFILE+P6_SENSITIVE"}


@pytest.fixture(scope="module")
def figures(rule_set: RuleSet) -> Figures:
    return rule_set.parameters


def at(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(10), ZONE)


def value(name: str, text: str | None, **fields: Any) -> Value:
    made = {
        "unit": "currency",
        "purpose": SENSITIVE.get(name, "P1_SERVICE"),
        "confidence": 1.0,
        "null_reason": None if text is not None else "UNKNOWN",
        "source_event_ids": (f"fact-{name}",),
        "source_time": at(dt.date(2026, 6, 1)),
    }
    return Value(name=name, value=text, **{**made, **fields})


def profile(**values: str | None) -> dict[str, Value]:
    return {name: value(name, text) for name, text in values.items()}


def said(
    code: str, strength: int = 3, days_ago: int = 0, kind: Any = "EXPLICIT", event_id: str = "said"
) -> Mention:
    time = at(TODAY - dt.timedelta(days=days_ago))
    return Mention(need_code=code, need_class=kind, strength=strength, time=time, event_id=event_id)


def answer(code: str, kind: Any, days_ago: int = 0) -> Answer:
    time = at(TODAY - dt.timedelta(days=days_ago))
    return Answer(need_code=code, kind=kind, time=time, event_id=f"{kind}-{days_ago}")


def needs(
    figures: Figures,
    known: Mapping[str, Value],
    mentions: Any = (),
    answers: Any = (),
    allowed: Any = ALL,
    client_type: Any = "INDIVIDUAL",
    currency: str = "CNY",
) -> dict[str, Need]:
    found = needs_of(client_type, currency, known, mentions, answers, allowed, TODAY, figures)
    return {need.need_code: need for need in found}


# The formulas, each with its arithmetic.


@pytest.mark.parametrize(
    ("worked_out", "expected"),
    [
        # 100,000 x 1.03 x 1.03
        (quantity.future_value(D(100_000), D("0.03"), 2), "106090.00"),
        # i = 0.01; 1.01^12 = 1.126825; 12,682.50 x 0.01 / 0.126825 = 1,000
        (quantity.monthly_saving(D("12682.50"), D("0.12"), 1), "1000.00"),
        # nothing earned: 1,200 / 12
        (quantity.monthly_saving(D(1_200), D(0), 1), "100.00"),
        # 1.01^-12 = 0.887449; 1,000 x (1 - 0.887449) / 0.01
        (quantity.loan_of(D(1_000), D("0.12"), 12), "11255.08"),
        (quantity.loan_of(D(1_000), D(0), 12), "12000.00"),
        # 100,000 x 1.1^2 = 121,000; 50,000 x 1.02^2 = 52,020
        (quantity.education_gap(2, D(50_000), D(100_000), D("0.1"), D("0.02")), "68980.00"),
        (quantity.education_gap(2, D(500_000), D(100_000), D("0.1"), D("0.02")), "0.00"),
        # (2,000 + 0.04 x 300,000 / 12) / 7,000 = 3,000 / 7,000
        (quantity.replacement_ratio(D(2_000), D(300_000), D(7_000), D("0.04")), "0.43"),
        # (7,000 - 2,000) x 12 / 0.04 = 1,500,000; less 300,000
        (quantity.retirement_gap(D(2_000), D(300_000), D(7_000), D("0.04")), "1200000.00"),
        # 100,000 x (0.85 - 0.60)
        (quantity.amount_to_move(D(100_000), D("0.85"), D("0.6")), "25000.00"),
        (quantity.amount_to_move(D(100_000), D("0.5"), D("0.6")), "0.00"),
        # 3 x 4,000 - 5,000
        (quantity.liquidity_gap(D(4_000), D(5_000), 3), "7000.00"),
        # 90,000 - 2 x 20,000
        (quantity.idle_cash(D(90_000), D(20_000), 2), "50000.00"),
        (quantity.idle_cash(D(30_000), D(20_000), 2), "0.00"),
        # 0.40 x 10,000 - 3,000 = 1,000 a month, as above
        (
            quantity.financing_capacity(D(10_000), D(3_000), D("0.4"), D("0.12"), 12),
            "11255.08",
        ),
        (quantity.financing_capacity(D(10_000), D(5_000), D("0.4"), D("0.12"), 12), "0.00"),
        # 60 + 90 - 30 = 120 days, so 3 turns; 9,000,000 x 0.9 x 1.2 = 9,720,000; / 3
        (
            quantity.capital_tied_up(D(9_000_000), D("0.1"), D("0.2"), D(120), 360),
            "3240000.00",
        ),
        # suppliers pay for it all
        (quantity.capital_tied_up(D(9_000_000), D("0.1"), D("0.2"), D(-5), 360), "0.00"),
        # 10 x 12 x 10,000 = 1,200,000; + 500,000 - 300,000
        (quantity.protection_cover(D(10_000), D(500_000), D(300_000), 10), "1400000.00"),
    ],
)
def test_the_formulas(worked_out: Decimal, expected: str) -> None:
    assert worked_out.quantize(D("0.01")) == D(expected)


PERSON = profile(
    age="64",
    aum="100000",
    asset_class_weights="CASH:0.80;EQUITY:0.20",
    balance_p10_90d="90000",
    currency_exposure="USD:1200.00;CNY:9.00;EUR:-300.00;JPY:0.00",
    debts_declared="500000",
    dependants_ages="16,30",
    essential_outflow_monthly="10000",
    income_observed_monthly="10000",
    instalments_monthly="3000",
    exposures="200000",
    outflow_monthly="20000",
    pension_estimated_monthly="2000",
    risk_tolerance="C3",
)
COMPANY = profile(
    inventory_days="60",
    operating_margin="0.1",
    payable_days="30",
    receivable_days="90",
    revenue_declared="9000000",
    revenue_growth="0.2",
    working_capital_loans="1000000",
)


@pytest.mark.parametrize(
    ("code", "amounts"),
    [
        # 200,000 x 1.03^2 = 212,180; 100,000 x 1.025^2 = 105,062.50; the elder one is grown up.
        # Monthly: i = 0.00208333, (1+i)^24 - 1 = 0.05121642; 107,117.50 x i / 0.05121642.
        ("EDU_SAVING", [("107117.50", "CNY"), ("4357.22", "CNY/month")]),
        # one year to go: 100,000 x 1.025 = 102,500; (7,000 - 2,000) x 12 / 0.04 - 102,500
        ("RETIREMENT", [("1397500.00", "CNY")]),
        # 100,000 x (0.80 - 0.60)
        ("DIVERSIFY", [("20000.00", "CNY")]),
        # regular income: 3 x 10,000 - 80,000
        ("LIQUIDITY", [("0.00", "CNY")]),
        # 90,000 - 2 x 20,000; 50,000 x (0.015 - 0.0005)
        ("CASH_MGMT", [("50000.00", "CNY"), ("725.00", "CNY/year")]),
        # 0.4 x 10,000 - 3,000 = 1,000 for 36 months at 0.5 %: 1.005^-36 = 0.835645;
        # 1,000 x 0.164355 / 0.005
        ("FINANCING", [("32871.02", "CNY")]),
        # sorted, without the own currency and what is even
        ("FX_HEDGE", [("-300.00", "EUR"), ("1200.00", "USD")]),
        # 10 x 12 x 10,000 + max(200,000, 500,000) - 100,000
        ("PROTECTION", [("1600000.00", "CNY")]),
    ],
)
def test_a_need_of_a_person_has_its_size(
    figures: Figures, code: str, amounts: list[tuple[str, str]]
) -> None:
    size = needs(figures, PERSON, [said(code)])[code].quantity
    assert [(str(a.value), a.unit) for a in size.amounts] == amounts
    assert size.null_reason is None
    assert size.inputs


def test_a_company_needs_working_capital(figures: Figures) -> None:
    # 3,240,000 as above, less loans of 1,000,000 and, once known, own funds of 2,500,000
    def line(known: Mapping[str, Value]) -> list[str]:
        found = needs(figures, known, [said("WORKING_CAPITAL")], client_type="CORPORATE")
        return [str(a.value) for a in found["WORKING_CAPITAL"].quantity.amounts]

    assert line(COMPANY) == ["3240000.00", "2240000.00"]
    assert line(COMPANY | profile(own_working_capital="2500000")) == ["3240000.00", "0.00"]
    # 30 days of advances: 90 days, 4 turns
    assert line(COMPANY | profile(advance_days="30")) == ["2430000.00", "1430000.00"]


def test_a_reserve_is_longer_without_a_regular_income(figures: Figures) -> None:
    irregular = {n: v for n, v in PERSON.items() if n != "income_observed_monthly"}
    size = needs(figures, irregular, [said("LIQUIDITY")])["LIQUIDITY"].quantity
    # 6 x 10,000 - 80,000 is covered; at 20,000 a month 120,000 - 80,000 is not
    assert size.amounts[0].value == 0
    dearer = irregular | profile(essential_outflow_monthly="20000")
    size = needs(figures, dearer, [said("LIQUIDITY")])["LIQUIDITY"].quantity
    assert size.amounts[0].value == 40_000


def test_who_has_no_loan_owes_no_instalment(figures: Figures) -> None:
    none_held = value("instalments_monthly", None, null_reason="NOT_APPLICABLE")
    known = PERSON | {"instalments_monthly": none_held}
    size = needs(figures, known, [said("FINANCING")])["FINANCING"].quantity
    # 4,000 a month instead of 1,000
    assert size.amounts[0].value == D("131484.06")
    assert ("instalments_monthly", "0") in [(i.name, i.value) for i in size.inputs]


def test_savings_are_shared_among_the_children(figures: Figures) -> None:
    def gap(aum: str, ages: str) -> Decimal:
        known = profile(aum=aum, dependants_ages=ages)
        return needs(figures, known, [said("EDU_SAVING")])["EDU_SAVING"].quantity.amounts[0].value

    # at 17, one year: 200,000 x 1.03 - 100,000 x 1.025 = 103,500
    assert gap("100000", "17") == 103_500
    # two of them: 2 x (206,000 - 50,000 x 1.025)
    assert gap("100000", "17,17") == 309_500
    # debts are no savings
    assert gap("-100000", "17") == 206_000


def test_a_pensioner_needs_what_is_missing_today(figures: Figures) -> None:
    need = needs(figures, PERSON | profile(age="80"), [said("RETIREMENT")])["RETIREMENT"]
    # (7,000 - 2,000) x 12 / 0.04 - 100,000
    assert need.quantity.amounts[0].value == 1_400_000


@pytest.mark.parametrize(
    ("code", "left_out", "lacks"),
    [
        ("EDU_SAVING", ("dependants_ages", "aum"), ("dependants_ages", "aum")),
        ("RETIREMENT", ("pension_estimated_monthly",), ("pension_estimated_monthly",)),
        ("DIVERSIFY", ("risk_tolerance",), ("risk_tolerance",)),
        ("FINANCING", ("income_observed_monthly",), ("income_declared_monthly",)),
        ("CASH_MGMT", ("balance_p10_90d",), ("balance_p10_90d",)),
        ("FX_HEDGE", ("currency_exposure",), ("currency_exposure",)),
    ],
)
def test_without_an_input_there_is_no_amount(
    figures: Figures, code: str, left_out: tuple[str, ...], lacks: tuple[str, ...]
) -> None:
    known = {name: v for name, v in PERSON.items() if name not in left_out}
    need = needs(figures, known, [said(code)])[code]
    assert (need.quantity.amounts, need.quantity.null_reason) == ((), "UNKNOWN")
    assert need.quantity.lacks == lacks
    assert text.name_of(lacks[0])[0] in need.text_zh
    assert text.name_of(lacks[0])[1] in need.text_en


def test_a_currency_without_figures_has_no_amount(figures: Figures) -> None:
    need = needs(figures, PERSON, [said("EDU_SAVING")], currency="JPY")["EDU_SAVING"]
    assert need.quantity.lacks == ("need_education_cost",)
    assert "planning figures in this currency" in need.text_en


def test_yen_have_no_decimals(figures: Figures) -> None:
    need = needs(figures, PERSON, [said("CASH_MGMT")], currency="JPY")["CASH_MGMT"]
    assert str(need.quantity.amounts[0].value) == "50000"
    assert "50,000 JPY" in need.text_en


# Evidence: what makes each clue speak, what just does not, what it weighs.

SPEAKS: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "CHILD": ({"dependants_ages": "17"}, {"dependants_ages": "18"}, "0.5"),
    "TUITION": ({"tuition_payments_12m": "3"}, {"tuition_payments_12m": "2"}, "0.4"),
    "ASKED_WITH_CHILD": (
        {"dependants_ages": "12", "topics_90d": "CARD;WEALTH_PRODUCT"},
        {"dependants_ages": "13", "topics_90d": "CARD;WEALTH_PRODUCT"},
        "0.2",
    ),
    "RETIREMENT_AHEAD": ({"age": "40"}, {"age": "50"}, "0.2"),
    "RETIREMENT_NEAR": ({"age": "50"}, {"age": "49"}, "0.4"),
    "NO_PENSION": ({"product_set": "CACC;CARD"}, {"product_set": "CACC;PENSION"}, "0.2"),
    # spending 0.7 x 10,000; (3,000 + 0.04 x 0 / 12) / 7,000 = 0.43; 3,500 / 7,000 is half
    "LOW_REPLACEMENT": (
        {
            "pension_estimated_monthly": "3000",
            "essential_outflow_monthly": "10000",
            "aum": "0",
            "age": "30",
        },
        {
            "pension_estimated_monthly": "3500",
            "essential_outflow_monthly": "10000",
            "aum": "0",
            "age": "30",
        },
        "0.4",
    ),
    "CONCENTRATED": ({"hhi": "0.6", "aum": "50000"}, {"hhi": "0.6", "aum": "49999"}, "0.5"),
    "ONE_PRODUCT": ({"largest_product_share": "0.71"}, {"largest_product_share": "0.7"}, "0.3"),
    "MOSTLY_CASH": (
        {"asset_class_weights": "CASH:0.81;FX:0.19"},
        {"asset_class_weights": "CASH:0.80;FX:0.20"},
        "0.3",
    ),
    # 10,000 x 0.75 / 5,000 = 1.5 months: (3 - 1.5) / 3
    "THIN_RESERVE": (
        {"aum": "10000", "asset_class_weights": "CASH:0.75", "essential_outflow_monthly": "5000"},
        {"aum": "20000", "asset_class_weights": "CASH:0.75", "essential_outflow_monthly": "5000"},
        "0.5",
    ),
    "OVERDRAWN": ({"overdraft_days_90d": "1"}, {"overdraft_days_90d": "0"}, "0.3"),
    "SALARY_SPENT": ({"salary_to_zero_days": "10"}, {"salary_to_zero_days": "11"}, "0.3"),
    # (80,000 - 2 x 20,000) / 100,000 = 0.4; (70,000 - 40,000) / 100,000 = 0.3
    "IDLE_CASH": (
        {"balance_p10_90d": "80000", "outflow_monthly": "20000", "aum": "100000"},
        {"balance_p10_90d": "70000", "outflow_monthly": "20000", "aum": "100000"},
        "0.5",
    ),
    "NO_SWEEP": ({"product_set": ""}, {"product_set": "SWEEP"}, "0.2"),
    "INQUIRIES": ({"credit_inquiries_6m": "3"}, {"credit_inquiries_6m": "2"}, "0.4"),
    "CARD_USED_UP": ({"utilisation": "0.71"}, {"utilisation": "0.7"}, "0.3"),
    "PLANNED_OUTFLOW": ({"topics_90d": "PLANNED_OUTFLOW"}, {"topics_90d": "CARD"}, "0.4"),
    "CASH_GAP": ({"cash_gap_forecast_90d": "-1"}, {"cash_gap_forecast_90d": "0"}, "0.5"),
    "LINES_USED_UP": ({"utilisation": "0.81"}, {"utilisation": "0.8"}, "0.3"),
    "GROWING": ({"revenue_growth": "0.01"}, {"revenue_growth": "0"}, "0.2"),
    "ACROSS_BORDERS": ({"cross_border_share": "0.11"}, {"cross_border_share": "0.1"}, "0.5"),
    "DEPENDANTS_UNCOVERED": (
        {"dependants_ages": "4,70", "product_set": "CACC"},
        {"dependants_ages": "4,70", "product_set": "CACC;INSURANCE"},
        "0.4",
    ),
    "MORTGAGE_UNCOVERED": (
        {"product_set": "MORTGAGE"},
        {"product_set": "MORTGAGE;INSURANCE"},
        "0.4",
    ),
}


def heard(figures: Figures, code: str, known: Mapping[str, Value]) -> list[Any]:
    """The evidence of a clue's code in the needs of the kind of client it is about."""
    clue = next(clue for clue in CLUES if clue.code == code)
    kind = "INDIVIDUAL" if clue.need_code in NEEDS_OF["INDIVIDUAL"] else "CORPORATE"
    need = needs(figures, known, client_type=kind).get(clue.need_code)
    return [e for e in need.evidences if e.code == code] if need else []


@pytest.mark.parametrize("code", [clue.code for clue in CLUES])
def test_every_clue_speaks_from_its_bound_on(figures: Figures, code: str) -> None:
    speaks, silent, weight = SPEAKS[code]
    [evidence] = heard(figures, code, profile(**speaks))
    assert evidence.weight == D(weight)
    assert {i.name: i.value for i in evidence.inputs} == speaks
    assert set(evidence.source_event_ids) == {f"fact-{name}" for name in speaks}
    assert "P2_PROFILE" in evidence.purposes
    assert heard(figures, code, profile(**silent)) == []
    for name in speaks:
        assert heard(figures, code, profile(**(speaks | {name: None}))) == []


def test_an_overdrawn_reserve_weighs_no_more_than_an_empty_one(figures: Figures) -> None:
    known = profile(aum="-5000", asset_class_weights="CASH:1.00", essential_outflow_monthly="5000")
    assert needs(figures, known)["LIQUIDITY"].evidences[0].weight == 1


def test_the_strongest_three_are_shown_and_all_count(figures: Figures) -> None:
    known = profile(
        age="55",
        product_set="CACC",
        pension_estimated_monthly="0",
        aum="0",
        essential_outflow_monthly="10000",
    )
    need = needs(figures, known, [said("RETIREMENT", 1)])["RETIREMENT"]
    assert [e.code for e in need.evidences] == ["SAID", "LOW_REPLACEMENT", "RETIREMENT_NEAR"]
    # 1 - 0.5 x 0.6 x 0.6 x 0.8 = 0.856
    assert need.score == D("85.6")
    assert need.need_class == "EXPLICIT"


@pytest.mark.parametrize(("strength", "score"), [(1, "50.0"), (2, "70.0"), (3, "90.0")])
def test_the_clients_word_counts_by_its_strength(
    figures: Figures, strength: int, score: str
) -> None:
    assert needs(figures, {}, [said("FX_HEDGE", strength)])["FX_HEDGE"].score == D(score)


def test_twice_in_one_talk_counts_once(figures: Figures) -> None:
    talk = [said("FX_HEDGE", 2), said("FX_HEDGE", 3), said("FX_HEDGE", 1, kind="IMPLICIT")]
    assert needs(figures, {}, talk)["FX_HEDGE"].score == 90
    two_talks = [said("FX_HEDGE", 2), said("FX_HEDGE", 3, event_id="another")]
    assert needs(figures, {}, two_talks)["FX_HEDGE"].score == 97


def test_what_is_dated_later_is_not_seen(figures: Figures) -> None:
    assert needs(figures, {}, [said("FX_HEDGE", days_ago=-1)]) == {}
    need = needs(figures, {}, [said("FX_HEDGE", 1)], [answer("FX_HEDGE", "SOLD", days_ago=-1)])[
        "FX_HEDGE"
    ]
    assert need.state == "HYPOTHESIS"


def test_a_need_is_of_the_clients_kind(figures: Figures) -> None:
    everything = [said(code, event_id=code) for codes in NEEDS_OF.values() for code in codes] + [
        said("UNHEARD_OF")
    ]
    for kind, codes in NEEDS_OF.items():
        assert set(needs(figures, {}, everything, client_type=kind)) == set(codes)


# Consent.


def test_without_consent_only_the_clients_own_word_is_left(figures: Figures) -> None:
    gathered = said("RETIREMENT", kind="IMPLICIT", event_id="talk")
    everything = PERSON | profile(product_set="CACC;MORTGAGE", overdraft_days_90d="9")
    answers = [answer("PROTECTION", "DECLINED")]
    mentions = [said("EDU_SAVING"), gathered]
    found = needs(figures, everything, mentions, answers, allowed=frozenset())
    assert set(found) == {"EDU_SAVING"}
    need = found["EDU_SAVING"]
    assert need.needs_consent == ()
    assert need.quantity.null_reason == "NOT_CONSENTED"
    assert [e.code for e in need.evidences] == ["SAID"]
    assert "16" not in need.text_zh + need.text_en


def test_schooling_points_to_a_child_and_needs_its_consent(figures: Figures) -> None:
    known = profile(tuition_payments_12m="4", dependants_ages="4", product_set="CACC;MORTGAGE")
    found = needs(figures, known, allowed=P2)
    assert "EDU_SAVING" not in found
    assert [e.code for e in found["PROTECTION"].evidences] == ["MORTGAGE_UNCOVERED"]
    assert found["PROTECTION"].needs_consent == ("P2_PROFILE",)
    found = needs(figures, known, allowed=ALL)
    assert found["EDU_SAVING"].needs_consent == ("P2_PROFILE", "P6_SENSITIVE")
    assert found["PROTECTION"].needs_consent == ("P2_PROFILE", "P6_SENSITIVE")


def test_whoever_sees_a_size_must_be_allowed_what_it_rests_on(figures: Figures) -> None:
    assert needs(figures, PERSON, [said("FX_HEDGE")])["FX_HEDGE"].needs_consent == ("P2_PROFILE",)
    bought = needs(figures, {}, (), [answer("EDU_SAVING", "SOLD")])["EDU_SAVING"]
    assert bought.needs_consent == ("P2_PROFILE", "P6_SENSITIVE")


def test_that_something_does_not_apply_may_be_kept_back_too(figures: Figures) -> None:
    kept_back = value(
        "instalments_monthly", None, null_reason="NOT_APPLICABLE", purpose="P3_BUREAU"
    )
    known = PERSON | {"instalments_monthly": kept_back}
    size = needs(figures, known, [said("FINANCING")])["FINANCING"].quantity
    assert (size.amounts, size.null_reason, size.lacks) == ((), "NOT_CONSENTED", ())


# States.


@pytest.mark.parametrize(
    ("mentions", "answers", "state", "days_since", "days_until"),
    [
        ([("IMPLICIT", 3, 5)], [], "HYPOTHESIS", 5, None),
        ([("EXPLICIT", 1, 5)], [], "HYPOTHESIS", 5, None),
        ([("EXPLICIT", 2, 5)], [], "CONFIRMED", 5, None),
        ([("EXPLICIT", 1, 9)], [("CONFIRMED", 4)], "CONFIRMED", 4, None),
        ([("EXPLICIT", 3, 9)], [("SOLD", 4)], "ADDRESSED", 4, None),
        ([("EXPLICIT", 3, 9)], [("DECLINED", 4)], "REJECTED", 4, 176),
        # the last day of the rest, and the first day after it
        ([("EXPLICIT", 3, 300)], [("DECLINED", 179)], "REJECTED", 179, 1),
        ([("EXPLICIT", 3, 300)], [("DECLINED", 180)], "HYPOTHESIS", 0, None),
        # the client itself raises it again
        ([("EXPLICIT", 3, 2)], [("DECLINED", 4)], "CONFIRMED", 2, None),
        ([("EXPLICIT", 1, 2)], [("DECLINED", 4)], "REJECTED", 4, 176),
        ([("EXPLICIT", 3, 2)], [("SOLD", 4)], "CONFIRMED", 2, None),
        # at the same instant the sale is the last word
        ([("EXPLICIT", 3, 4)], [("CONFIRMED", 4), ("SOLD", 4)], "ADDRESSED", 4, None),
    ],
)
def test_the_last_thing_said_or_done_decides(
    figures: Figures,
    mentions: list[Any],
    answers: list[Any],
    state: str,
    days_since: int,
    days_until: int | None,
) -> None:
    need = needs(
        figures,
        {},
        [said("FX_HEDGE", s, d, kind=k, event_id=f"{k}{d}") for k, s, d in mentions],
        [answer("FX_HEDGE", kind, days) for kind, days in answers],
    )["FX_HEDGE"]
    until = None if days_until is None else TODAY + dt.timedelta(days=days_until)
    assert (need.state, need.since) == (state, TODAY - dt.timedelta(days=days_since))
    assert need.suppressed_until == until
    assert need.offer == (state in {"HYPOTHESIS", "CONFIRMED"})


def test_an_answered_need_stays_without_evidence_as_long_as_it_says_something(
    figures: Figures,
) -> None:
    assert needs(figures, {}, (), [answer("FX_HEDGE", "SOLD", 900)])["FX_HEDGE"].score == 0
    assert needs(figures, {}, (), [answer("FX_HEDGE", "DECLINED", 900)]) == {}


@pytest.mark.parametrize(
    ("dsti", "offer"),
    [
        (value("dsti", "0.34"), True),
        (value("dsti", "0.35"), False),
        (value("dsti", None), False),
        (value("dsti", None, null_reason="NOT_APPLICABLE"), True),
    ],
)
def test_who_is_indebted_has_the_need_and_gets_no_offer(
    figures: Figures, dsti: Value, offer: bool
) -> None:
    need = needs(figures, PERSON | {"dsti": dsti}, [said("FINANCING")])["FINANCING"]
    assert need.offer is offer
    assert ("no offer" in need.text_en) is not offer
    assert ("暂不提供产品" in need.text_zh) is not offer


# Texts.

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def numbers(sentence: str) -> list[str]:
    return sorted(NUMBER.findall(sentence))


def test_a_text_says_what_why_and_how_much(figures: Figures) -> None:
    known = profile(
        balance_p10_90d="124000", outflow_monthly="21000", aum="124000", product_set="CACC"
    )
    need = needs(figures, known)["CASH_MGMT"]
    assert need.text_en == (
        "Need: putting idle cash to use (inferred from behaviour, score 60.0; supposed since "
        "2026-06-01, to be confirmed). Because: 82,000.00 CNY of assets of 124,000.00 CNY lies "
        "idle; has no sweep. Estimate: 82,000.00 CNY is idle; which forgoes about 1,189.00 CNY a "
        "year at the assumed yields."
    )
    assert need.text_zh == (
        "闲置资金管理(由行为推断,得分60.0;自2026-06-01起推测,待确认)。依据:资产124,000.00 CNY中有"
        "82,000.00 CNY闲置;没有自动理财。测算:闲置资金82,000.00 CNY;按假设收益率每年少得约"
        "1,189.00 CNY。"
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (plain(D("4.00")), "4"),
        (plain(D("100")), "100"),
        (plain(D("0.620")), "0.62"),
        (percent(D("0.7049")), "70.5%"),
        (percent(D("1")), "100%"),
        (money(D("-12345.6"), "CNY"), "-12,345.60 CNY"),
        (money(D("12345.6"), "JPY"), "12,346 JPY"),
    ],
)
def test_numbers_as_people_read_them(written: str, expected: str) -> None:
    assert written == expected


def test_both_languages_of_a_clue_name_the_same_fields() -> None:
    for zh, en in (*text.CLUES.values(), *text.AMOUNTS.values()):
        fields = [sorted(re.findall(r"\{\w+\}", sentence)) for sentence in (zh, en)]
        assert fields[0] == fields[1]


def test_everything_that_may_be_said_has_its_words(figures: Figures) -> None:
    assert text.CLUES.keys() == {clue.code for clue in CLUES} | {"SAID", "GATHERED"}
    assert figures["need_weights"].value.keys() == {clue.code for clue in CLUES}
    assert figures["question_told_days"].value.keys() <= text.ATTRIBUTES.keys()
    for kind, codes in NEEDS_OF.items():
        found = needs(figures, {}, [said(c, event_id=c) for c in codes], client_type=kind)
        for need in found.values():
            assert need.quantity.lacks
            assert set(need.quantity.lacks) <= {*text.ATTRIBUTES, *text._BESIDE}


# Questions.


def asked(figures: Figures, known: Mapping[str, Value], **given: Any) -> list[Any]:
    found = given.pop("needs", {})
    allowed = given.pop("allowed", ALL)
    return questions(known, found.values(), given.pop("conflicts", ()), allowed, TODAY, figures)


def conflict(check_id: str, result: Any = "FAIL", **fields: Any) -> Conflict:
    return Conflict(
        check_id=check_id, result=result, zh="申报 5,000。", en="Declared 5,000.", **fields
    )


def test_contradictions_come_first_and_the_graver_before(figures: Figures) -> None:
    found = needs(figures, profile(product_set="MORTGAGE", dependants_ages="4"))
    made = asked(figures, {}, needs=found, conflicts=[conflict("CV02", "WARN"), conflict("CV04")])
    assert [q.about for q in made[:2]] == ["CV04", "CV02"]
    assert [q.reason for q in made] == ["CONFLICT"] * 2 + ["HYPOTHESIS"] * 2 + ["MISSING"] * 2
    assert made[0].kind == "CLOSED"
    assert "Declared 5,000." in made[0].text_en
    assert "申报 5,000。" in made[0].text_zh


def test_no_question_tips_a_client_off(figures: Figures) -> None:
    assert asked(figures, {}, conflicts=[conflict("CV14"), conflict("CV13")]) == []


def test_a_latent_need_is_asked_openly_and_a_seen_one_closed(figures: Figures) -> None:
    latent = needs(figures, profile(product_set="MORTGAGE"))
    seen = needs(figures, profile(credit_inquiries_6m="3"))
    [first, *_] = asked(figures, {}, needs=latent)
    assert (first.kind, first.about) == ("OPEN", "PROTECTION")
    [first, *_] = asked(figures, {}, needs=seen)
    assert (first.kind, first.about) == ("CLOSED", "FINANCING")
    assert first.needs_consent == ("P2_PROFILE",)


@pytest.mark.parametrize("kind", ["SOLD", "DECLINED"])
def test_a_need_that_was_answered_is_not_asked_about(figures: Figures, kind: str) -> None:
    known = profile(credit_inquiries_6m="3")
    found = needs(figures, known, (), [answer("FINANCING", kind)])
    assert asked(figures, known, needs=found) == []


def test_what_is_missing_and_what_is_old_is_asked_for(figures: Figures) -> None:
    known = profile(goals=None, aum=None) | {
        "income_declared_monthly": value(
            "income_declared_monthly", "8000.00", source_time=at(dt.date(2025, 6, 29))
        ),
        "risk_tolerance": value("risk_tolerance", "C3", source_time=at(dt.date(2025, 6, 30))),
    }
    made = asked(figures, known)
    assert [(q.reason, q.kind, q.about) for q in made] == [
        ("MISSING", "OPEN", "goals"),
        ("STALE", "CLOSED", "income_declared_monthly"),
    ]
    assert "8000.00" in made[1].text_zh
    assert "2025-06-29" in made[1].text_en


def test_nothing_is_asked_that_consent_does_not_cover(figures: Figures) -> None:
    old = at(dt.date(2020, 1, 1))
    known = {
        "dependants_ages": value("dependants_ages", "4", source_time=old),
        "goals": value("goals", None, null_reason="NOT_CONSENTED"),
    }
    about_children = conflict("CV05", purposes=frozenset({"P6_SENSITIVE"}))
    assert asked(figures, known, conflicts=[about_children], allowed=P2) == []
    made = asked(figures, known, conflicts=[about_children])
    assert [q.about for q in made] == ["CV05", "dependants_ages"]
    assert made[1].needs_consent == ("P2_PROFILE", "P6_SENSITIVE")


def test_there_are_at_most_six(figures: Figures) -> None:
    told = figures["question_told_days"].value
    assert len(told) > 6
    assert len(asked(figures, profile(**dict.fromkeys(told)))) == 6


# Properties.

AMOUNTS = st.decimals(0, 10**9, places=2).map(str)
SHARES = st.decimals(0, 1, places=2).map(str)
DAYS = st.integers(0, 400).map(str)
VALUES: dict[str, st.SearchStrategy[str]] = {
    "age": st.integers(0, 110).map(str),
    "dependants_ages": st.lists(st.integers(0, 90), max_size=4).map(
        lambda ages: ",".join(map(str, ages))
    ),
    "product_set": st.lists(
        st.sampled_from(["CACC", "CARD", "INSURANCE", "PENSION", "SWEEP", "MORTGAGE"]), unique=True
    ).map(";".join),
    "topics_90d": st.sampled_from(["", "WEALTH_PRODUCT", "PLANNED_OUTFLOW;WEALTH_PRODUCT"]),
    "asset_class_weights": SHARES.map(lambda share: f"CASH:{share};EQUITY:{1 - D(share)}"),
    "currency_exposure": AMOUNTS.map(lambda amount: f"USD:{amount};EUR:-{amount}"),
    "risk_tolerance": st.sampled_from(["C1", "C2", "C3", "C4", "C5"]),
    "cash_gap_forecast_90d": st.decimals(-(10**9), 10**9, places=2).map(str),
    "revenue_growth": st.decimals(-1, 3, places=2).map(str),
    **dict.fromkeys(
        [
            "aum",
            "balance_p10_90d",
            "outflow_monthly",
            "essential_outflow_monthly",
            "income_observed_monthly",
            "income_declared_monthly",
            "instalments_monthly",
            "exposures",
            "debts_declared",
            "assets_declared",
            "pension_estimated_monthly",
            "revenue_declared",
            "revenue_observed_12m",
            "working_capital_loans",
        ],
        AMOUNTS,
    ),
    **dict.fromkeys(
        ["hhi", "largest_product_share", "utilisation", "cross_border_share", "dsti"], SHARES
    ),
    "operating_margin": SHARES,
    **dict.fromkeys(
        [
            "tuition_payments_12m",
            "overdraft_days_90d",
            "salary_to_zero_days",
            "credit_inquiries_6m",
            "receivable_days",
            "inventory_days",
            "payable_days",
        ],
        DAYS,
    ),
}
known_profiles = st.fixed_dictionaries({}, optional=VALUES).map(lambda drawn: profile(**drawn))
kinds = st.sampled_from(["INDIVIDUAL", "CORPORATE"])
consents = st.sets(st.sampled_from(sorted(ALL)))
codes = st.sampled_from(sorted({code for codes in NEEDS_OF.values() for code in codes}))
mentioned = st.builds(
    said,
    codes,
    st.integers(1, 3),
    st.integers(0, 700),
    st.sampled_from(["EXPLICIT", "IMPLICIT"]),
    st.uuids().map(str),
)
answered = st.builds(
    answer, codes, st.sampled_from(["CONFIRMED", "DECLINED", "SOLD"]), st.integers(0, 700)
)
histories = st.tuples(st.lists(mentioned, max_size=4), st.lists(answered, max_size=3))


@given(kinds, known_profiles, histories, consents)
def test_every_need_is_sound(
    figures: Figures, kind: Any, known: dict[str, Value], history: Any, allowed: Any
) -> None:
    found = needs(figures, known, *history, allowed=allowed, client_type=kind)
    for need in found.values():
        assert 0 <= need.score <= 100
        assert len(need.evidences) <= 3
        assert all(0 < e.weight <= 1 for e in need.evidences)
        assert set(need.needs_consent) <= allowed
        assert numbers(need.text_zh) == numbers(need.text_en)
        assert (need.quantity.null_reason is None) == bool(need.quantity.amounts)
        if need.state == "REJECTED":
            assert not need.offer
            assert need.suppressed_until is not None
            assert need.suppressed_until > TODAY
    scores = [need.score for need in found.values()]
    assert scores == sorted(scores, reverse=True)
    for question in asked(figures, known, needs=found, allowed=allowed):
        assert set(question.needs_consent) <= allowed
        assert numbers(question.text_zh) == numbers(question.text_en)
        state = found[question.about].state if question.about in found else "HYPOTHESIS"
        assert state == "HYPOTHESIS"


@given(kinds, known_profiles, histories, mentioned, st.data())
def test_more_evidence_never_lowers_a_score(
    figures: Figures, kind: Any, known: dict[str, Value], history: Any, more: Mention, data: Any
) -> None:
    mentions, answers = history
    less_known = dict(known)
    if known:
        del less_known[data.draw(st.sampled_from(sorted(known)))]
    before = needs(figures, less_known, mentions, answers, client_type=kind)
    after = needs(figures, known, [*mentions, more], answers, client_type=kind)
    assert before.keys() <= after.keys()
    assert all(after[code].score >= need.score for code, need in before.items())


@given(codes, st.integers(1, 3), st.integers(0, 500))
def test_what_was_said_weighs_half_after_ninety_days(
    figures: Figures, code: str, strength: int, age: int
) -> None:
    def weight(days: int) -> Decimal:
        kind = "INDIVIDUAL" if code in NEEDS_OF["INDIVIDUAL"] else "CORPORATE"
        return (
            needs(figures, {}, [said(code, strength, days)], client_type=kind)[code]
            .evidences[0]
            .weight
        )

    assert abs(weight(age) / 2 - weight(age + 90)) <= D("0.0001")


def withheld(known: Mapping[str, Value], names: Any, secret: Mapping[str, str | None]) -> Any:
    long_ago = at(dt.date(2020, 1, 1))
    hidden = {
        name: value(name, secret.get(name), null_reason="NOT_CONSENTED", source_time=long_ago)
        for name in names
        if name in known
    }
    return {**known, **hidden}


@given(kinds, known_profiles, known_profiles, histories, st.sets(st.sampled_from(sorted(VALUES))))
def test_what_the_client_keeps_back_changes_nothing(
    figures: Figures, kind: Any, known: Any, other: Any, history: Any, names: Any
) -> None:
    """Not consented: neither the value nor that there is one shows in anything that is said."""
    secret = {name: v.value for name, v in known.items()}
    another = {name: v.value for name, v in other.items()}
    made = []
    for kept_back in (secret, another):
        seen = withheld(known, names, kept_back)
        found = needs(figures, seen, *history, client_type=kind)
        made.append((found, asked(figures, seen, needs=found)))
    assert made[0] == made[1]
    hidden = names & set(known)
    for need in made[0][0].values():
        used = [*need.quantity.inputs, *(i for e in need.evidences for i in e.inputs)]
        assert not hidden & {i.name for i in used}
        assert not hidden & set(need.quantity.lacks)
    assert not hidden & {question.about for question in made[0][1]}


@given(kinds, known_profiles, histories)
def test_a_purpose_that_is_not_allowed_keeps_a_value_back(
    figures: Figures, kind: Any, known: dict[str, Value], history: Any
) -> None:
    without = {n: v for n, v in known.items() if n != "dependants_ages"}
    seen = needs(figures, known, *history, allowed=P2, client_type=kind)
    blind = needs(figures, without, *history, allowed=P2, client_type=kind)
    assert {c: n.text_zh for c, n in seen.items()} == {c: n.text_zh for c, n in blind.items()}
    assert msgspec.to_builtins(list(seen.values())) == msgspec.to_builtins(list(blind.values()))
