"""Cross-validation: each check around its limits, what it shows, and the tasks that follow."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alerts.owners import ROLES
from lifecycle.alerts.rules import Parameter, load_rules
from lifecycle.clients.attribute import NullReason, Value
from lifecycle.clients.checks import CHECKS, Check, checks
from lifecycle.clients.tasks import tasks
from lifecycle.events.fields import ClientType
from lifecycle.settings import ROOT

DAY = dt.date(2026, 3, 31)
NOON = dt.datetime(2026, 3, 31, 12, tzinfo=dt.UTC)
NULLS = ("UNKNOWN", "NOT_APPLICABLE", "NOT_CONSENTED", "SUPPRESSED")
FIGURES = load_rules(ROOT / "rules").parameters


def value(name: str, text: str | None) -> Value:
    """An attribute from one fact; a null reason in place of its value makes it null."""
    null: NullReason | None = text if text in NULLS else None  # type: ignore[assignment]
    return Value(
        name=name,
        value=None if null else text,
        unit="",
        purpose="P1_SERVICE",
        confidence=1.0,
        null_reason=null,
        source_event_ids=() if null else (f"event-of-{name}",),
        source_time=None if null else NOON,
    )


def check(
    check_id: str,
    known: dict[str, str],
    client_type: ClientType | None = None,
    **changed: Any,
) -> Check:
    """One check of a client of whom only this is known; `changed` are other values of figures."""
    profile = {name: value(name, text) for name, text in known.items()}
    figures = FIGURES | {name: _figure(changed[name]) for name in changed}
    client = client_type or CHECKS[check_id].clients[0]
    found = {check.id: check for check in checks(profile, client, DAY, figures)}
    return found[check_id]


def _figure(content: Any) -> Parameter:
    return Parameter(
        value=content, unit="u", source="s", effective_from="2026-01-01", verified=False
    )


def test_every_check_is_there_and_in_order() -> None:
    found = [check.id for check in checks({}, "INDIVIDUAL", DAY, FIGURES)]
    assert found == list(CHECKS) == [f"CV{number:02d}" for number in range(1, 15)]


# --- results around every limit -----------------------------------------------------------------


def income(observed: str, declared: str = "10000.00", months: str = "6") -> dict[str, str]:
    return {
        "income_observed_monthly": observed,
        "income_declared_monthly": declared,
        "income_months": months,
    }


def employer(declared: str, payer: str, relied: str | None = None) -> dict[str, str]:
    relies = {"application_income_declared": relied} if relied else {}
    return {"employer_declared": declared, "salary_payer": payer, **relies}


def revenue(declared: str, observed: str = "1000000.00") -> dict[str, str]:
    return {"revenue_declared": declared, "revenue_observed_12m": observed}


def debts(declared: str, reported: str = "100000.00") -> dict[str, str]:
    return {"debts_declared": declared, "bureau_total_debt": reported}


def household(payments: str, ages: str | None = None, size: str | None = None) -> dict[str, str]:
    said = {"dependants_ages": ages, "household_size": size}
    return {
        "tuition_payments_12m": payments,
        **{name: text for name, text in said.items() if text is not None},
    }


def tolerance(level: str, risk: str) -> dict[str, str]:
    return {"risk_tolerance": level, "product_risk_max": risk}


def experience(declared: str, observed: str | None, age: str | None) -> dict[str, str]:
    seen = {"investment_experience_observed": observed, "age": age}
    return {
        "investment_experience_declared": declared,
        **{name: text for name, text in seen.items() if text is not None},
    }


def cash(filed: str, booked: str) -> dict[str, str]:
    return {"statement_cash_change": filed, "bank_balance_change": booked}


def loan(purpose: str, payee: str) -> dict[str, str]:
    return {"loan_purpose": purpose, "loan_payee_type": payee}


def day(after: int) -> str:
    return (DAY + dt.timedelta(days=after)).isoformat()


RESULTS = [
    ("CV01", income("5999.99"), "FAIL"),
    ("CV01", income("6000.00"), "WARN"),
    ("CV01", income("7999.99"), "WARN"),
    ("CV01", income("8000.00"), "PASS"),
    ("CV01", income("15000.00"), "PASS"),
    ("CV01", income("15000.01"), "WARN"),
    ("CV01", income("20000.00"), "WARN"),
    ("CV01", income("20000.01"), "FAIL"),
    ("CV01", income("0.00", "0.00"), "PASS"),
    ("CV01", income("0.01", "0.00"), "FAIL"),
    ("CV01", income("5000.00", months="3"), "FAIL"),
    ("CV01", income("5000.00", months="2"), "NA"),
    ("CV02", employer("h1", "h1"), "PASS"),
    ("CV02", employer("h1", "h1", "9000.00"), "PASS"),
    ("CV02", employer("h1", "h2"), "WARN"),
    ("CV02", employer("h1", "h2", "UNKNOWN"), "WARN"),
    ("CV02", employer("h1", "h2", "9000.00"), "FAIL"),
    ("CV03", revenue("1300000.00"), "PASS"),
    ("CV03", revenue("1300000.01"), "WARN"),
    ("CV03", revenue("1600000.00"), "WARN"),
    ("CV03", revenue("1600000.01"), "FAIL"),
    ("CV03", revenue("0.00", "0.00"), "PASS"),
    ("CV03", revenue("0.01", "0.00"), "FAIL"),
    ("CV04", debts("69999.99"), "FAIL"),
    ("CV04", debts("70000.00"), "WARN"),
    ("CV04", debts("89999.99"), "WARN"),
    ("CV04", debts("90000.00"), "PASS"),
    ("CV04", debts("500000.00"), "PASS"),
    ("CV04", debts("0.00", "0.00"), "PASS"),
    ("CV05", household("3", ""), "WARN"),
    ("CV05", household("2", ""), "PASS"),
    ("CV05", household("3", "4,12"), "PASS"),
    ("CV05", household("3", "25"), "PASS"),
    ("CV05", household("3", "26,70"), "WARN"),
    ("CV05", household("3", "26", "4"), "WARN"),
    ("CV05", household("3", size="1"), "WARN"),
    ("CV05", household("3", size="2"), "PASS"),
    ("CV05", household("2", size="1"), "PASS"),
    ("CV06", tolerance("C3", "R2"), "PASS"),
    ("CV06", tolerance("C3", "R3"), "PASS"),
    ("CV06", tolerance("C3", "R4"), "FAIL"),
    ("CV07", experience("6.5", "5.5", "40"), "PASS"),
    ("CV07", experience("6.6", "5.5", "40"), "FAIL"),
    ("CV07", experience("12", None, "30"), "PASS"),
    ("CV07", experience("13", None, "30"), "FAIL"),
    ("CV07", experience("13", "20", "30"), "FAIL"),
    ("CV07", experience("0", None, "17"), "PASS"),
    ("CV07", experience("1", None, "17"), "FAIL"),
    ("CV08", {"id_check": "PASS"}, "PASS"),
    ("CV08", {"id_check": "FAIL"}, "FAIL"),
    ("CV09", {"id_expiry": day(30)}, "PASS"),
    ("CV09", {"id_expiry": day(29)}, "WARN"),
    ("CV09", {"id_expiry": day(0)}, "WARN"),
    ("CV09", {"id_expiry": day(-1)}, "FAIL"),
    ("CV10", {"balance_chain_gap": "1.00"}, "PASS"),
    ("CV10", {"balance_chain_gap": "1.01"}, "FAIL"),
    ("CV10", {"balance_chain_gap": "-1.01"}, "FAIL"),
    ("CV11", {"balance_snapshot_gap": "0.01"}, "PASS"),
    ("CV11", {"balance_snapshot_gap": "0.02"}, "WARN"),
    ("CV11", {"balance_snapshot_gap": "1.00"}, "WARN"),
    ("CV11", {"balance_snapshot_gap": "-1.01"}, "FAIL"),
    ("CV12", cash("1000.00", "1100.00"), "PASS"),
    ("CV12", cash("1000.00", "1100.01"), "WARN"),
    ("CV12", cash("-1000.00", "-750.00"), "WARN"),
    ("CV12", cash("-1000.00", "-749.99"), "FAIL"),
    ("CV12", cash("1000.00", "-1000.00"), "FAIL"),
    ("CV12", cash("0.00", "0.00"), "PASS"),
    ("CV12", cash("0.00", "0.01"), "FAIL"),
    ("CV13", loan("CONSUMPTION", "COMPANY"), "PASS"),
    ("CV13", loan("CONSUMPTION", "REAL_ESTATE"), "FAIL"),
    ("CV13", loan("MORTGAGE", "REAL_ESTATE"), "PASS"),
    ("CV13", loan("MORTGAGE", "SECURITIES"), "FAIL"),
    ("CV13", loan("UNKNOWN", "COMPANY"), "WARN"),
    ("CV13", loan("MORTGAGE", "UNKNOWN"), "WARN"),
    ("CV13", loan("UNKNOWN", "UNKNOWN"), "NA"),
    ("CV14", {"shared_contact_clients": "3"}, "PASS"),
    ("CV14", {"shared_contact_clients": "4"}, "WARN"),
    ("CV14", {"shared_contact_clients": "5"}, "WARN"),
    ("CV14", {"shared_contact_clients": "6"}, "FAIL"),
]  # fmt: skip


@pytest.mark.parametrize(("check_id", "known", "result"), RESULTS)
def test_result(check_id: str, known: dict[str, str], result: str) -> None:
    assert check(check_id, known).result == result


def test_an_employer_has_several_names() -> None:
    aliases = {"h2": "h1", "h3": "h1"}
    assert check("CV02", employer("h1", "h2"), employer_aliases=aliases).result == "PASS"
    assert check("CV02", employer("h3", "h2"), employer_aliases=aliases).result == "PASS"
    assert check("CV02", employer("h4", "h2"), employer_aliases=aliases).result == "WARN"


def test_a_bank_with_half_the_wallet_expects_half_the_inflow() -> None:
    found = check("CV03", revenue("2600000.00"), cv03_share_of_wallet="0.5")
    assert (found.result, found.measure) == ("PASS", "1.3")
    assert check("CV03", revenue("2600000.02"), cv03_share_of_wallet="0.5").result == "WARN"


# --- what a check shows -------------------------------------------------------------------------


def test_both_facts_stay_visible_with_their_sources() -> None:
    found = check("CV01", income("5000.00"))
    assert found.left is not None
    assert found.right is not None
    assert (found.left.name, found.left.value) == ("income_observed_monthly", "5000.00")
    assert (found.right.name, found.right.value) == ("income_declared_monthly", "10000.00")
    assert found.left.source_event_ids == ("event-of-income_observed_monthly",)
    assert (found.measure, found.preferred, found.na_reason) == ("0.5", "left", None)
    assert found.reason_zh == "流水月收入 5000.00，申报月收入 10000.00，比例 0.5。"
    assert found.reason_en == (
        "The accounts show a monthly income of 5000.00; declared is 10000.00: a ratio of 0.5."
    )


def test_facts_that_agree_need_no_preference_and_nobody() -> None:
    found = check("CV01", income("10000.00"))
    assert (found.preferred, found.owner, found.due_days) == (None, None, None)


def test_the_stricter_reason_is_the_one_shown() -> None:
    by_age = check("CV07", experience("13", "20", "30")).right
    by_trade = check("CV07", experience("13", "2", "60")).right
    assert by_age is not None
    assert by_trade is not None
    assert (by_age.name, by_trade.name) == ("age", "investment_experience_observed")


@pytest.mark.parametrize(("check_id", "known", "result"), RESULTS)
def test_both_languages_name_the_same_numbers(
    check_id: str, known: dict[str, str], result: str
) -> None:
    found = check(check_id, known)
    assert found.reason_zh.endswith("。")
    assert found.reason_en.endswith(".")
    if result != "NA":
        for side in (found.left, found.right):
            if side and side.value and side.value[0].isdigit() and side.name not in _AGES:
                assert side.value in found.reason_zh
                assert side.value in found.reason_en


_AGES = ("dependants_ages", "household_size", "age", "investment_experience_observed")
"""Their reasons count students, or say what follows from an age or a first trade."""


# --- what is not known --------------------------------------------------------------------------

COMPLETE = {
    "CV01": income("5000.00"),
    "CV02": employer("h1", "h2", "9000.00"),
    "CV03": revenue("2000000.00"),
    "CV04": debts("1.00"),
    "CV05": household("3", "", "1"),
    "CV06": tolerance("C1", "R5"),
    "CV07": experience("50", "5", "40"),
    "CV08": {"id_check": "FAIL"},
    "CV09": {"id_expiry": day(-100)},
    "CV10": {"balance_chain_gap": "7.77"},
    "CV11": {"balance_snapshot_gap": "7.77"},
    "CV12": cash("1000.00", "7.77"),
    "CV13": loan("CONSUMPTION", "GAMBLING"),
    "CV14": {"shared_contact_clients": "77"},
}
INPUTS = [(check_id, name) for check_id, known in COMPLETE.items() for name in known]


@pytest.mark.parametrize("check_id", COMPLETE)
@pytest.mark.parametrize("why", ["UNKNOWN", "NOT_APPLICABLE"])
def test_nothing_known_is_not_compared(check_id: str, why: str) -> None:
    found = check(check_id, dict.fromkeys(COMPLETE[check_id], why))
    assert (found.result, found.na_reason) == ("NA", why)
    assert (found.measure, found.preferred, found.owner) == (None, None, None)
    assert found.left is not None
    assert found.left.value is None


def test_an_attribute_the_profile_lacks_is_not_known() -> None:
    assert check("CV08", {}).na_reason == "UNKNOWN"


def test_the_fact_that_is_known_shows_which_one_is_missing() -> None:
    found = check("CV04", {"debts_declared": "5.00", "bureau_total_debt": "UNKNOWN"})
    assert (found.result, found.na_reason) == ("NA", "UNKNOWN")
    assert found.left is not None
    assert found.right is not None
    assert (found.left.value, found.right.value) == ("5.00", None)


@pytest.mark.parametrize("why", ["NOT_CONSENTED", "SUPPRESSED"])
@pytest.mark.parametrize(("check_id", "name"), INPUTS)
def test_without_consent_nothing_is_revealed(check_id: str, name: str, why: str) -> None:
    found = check(check_id, COMPLETE[check_id] | {name: why})
    assert (found.result, found.na_reason) == ("NA", why)
    assert (found.left, found.right, found.measure, found.owner) == (None, None, None, None)
    nothing_known = check(check_id, dict.fromkeys(COMPLETE[check_id], why))
    assert found == nothing_known, "it may not depend on what else is known"


@pytest.mark.parametrize(
    ("check_id", "client_type"),
    [("CV01", "CORPORATE"), ("CV02", "CORPORATE"), ("CV03", "INDIVIDUAL"), ("CV05", "CORPORATE"),
     ("CV07", "CORPORATE"), ("CV12", "INDIVIDUAL")],
)  # fmt: skip
def test_a_check_of_the_other_kind_of_client_does_not_apply(
    check_id: str, client_type: ClientType
) -> None:
    found = check(check_id, COMPLETE[check_id], client_type)
    assert (found.result, found.na_reason) == ("NA", "NOT_APPLICABLE")


# --- who solves it ------------------------------------------------------------------------------


def test_every_failure_has_an_owner_that_exists_and_time() -> None:
    for check_id, known in COMPLETE.items():
        found = check(check_id, known)
        assert found.result == ("WARN" if check_id == "CV05" else "FAIL")
        assert found.owner in ROLES
        assert found.due_days is not None
        assert found.due_days > 0


def test_shared_contacts_are_for_compliance_alone() -> None:
    assert set(FIGURES["check_owners"].value["CV14"].values()) == {"CO"}


def test_a_conflict_with_an_owner_is_a_task() -> None:
    found = [check("CV01", income("5000.00")), check("CV04", debts("100000.00"))]
    (task,) = tasks(found, DAY)
    assert (task.check_id, task.owner, task.due) == ("CV01", "RM", DAY + dt.timedelta(days=7))
    assert (task.reason_zh, task.reason_en) == (found[0].reason_zh, found[0].reason_en)


def key(check_id: str, known: dict[str, Value]) -> str:
    client = CHECKS[check_id].clients[0]
    (task,) = tasks((c for c in checks(known, client, DAY, FIGURES) if c.id == check_id), DAY)
    return task.key


def values(known: dict[str, str], **sources: tuple[str, ...]) -> dict[str, Value]:
    made = {name: value(name, text) for name, text in known.items()}
    for name, ids in sources.items():
        made[name] = msgspec.structs.replace(made[name], source_event_ids=ids)
    return made


def test_the_next_night_sees_the_same_task_though_another_salary_came() -> None:
    first = key("CV01", values(income("5000.00")))
    salary = ("another", "event-of-income_observed_monthly")
    assert key("CV01", values(income("4800.00"), income_observed_monthly=salary)) == first
    assert key("CV01", values(income("5000.00"), income_declared_monthly=("anew",))) != first


def test_where_either_fact_may_be_wrong_both_make_the_task() -> None:
    first = key("CV06", values(COMPLETE["CV06"]))
    assert key("CV06", values(COMPLETE["CV06"], risk_tolerance=("anew",))) != first
    assert key("CV06", values(COMPLETE["CV06"], product_risk_max=("anew",))) != first


def test_tasks_of_two_checks_differ() -> None:
    same = ("one-event",)
    chain = key("CV10", values(COMPLETE["CV10"], balance_chain_gap=same))
    snapshot = key("CV11", values(COMPLETE["CV11"], balance_snapshot_gap=same))
    assert chain != snapshot


# --- properties ---------------------------------------------------------------------------------

money = st.decimals(0, 10**12, places=2).map(str)
GRAVITY = ("PASS", "WARN", "FAIL")


@given(money, money)
def test_income_is_judged_by_the_ratio_alone(observed: str, declared: str) -> None:
    once = check("CV01", income(observed, declared))
    tenfold = check("CV01", income(str(Decimal(observed) * 10), str(Decimal(declared) * 10)))
    assert once.result == tenfold.result
    assert once.measure == tenfold.measure


@given(st.decimals(0, 10**9, places=2), st.decimals(0, 10**9, places=2), money)
def test_fewer_declared_debts_are_never_better(one: Decimal, other: Decimal, bureau: str) -> None:
    fewer, more = sorted((one, other))
    gravity = [GRAVITY.index(check("CV04", debts(str(d), bureau)).result) for d in (fewer, more)]
    assert gravity[0] >= gravity[1]


def test_the_page_names_every_check_and_figure() -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    figures = [name for name in FIGURES if name.startswith(("cv", "check_", "quality_"))]
    assert len(figures) > len(CHECKS)
    assert [name for name in [*CHECKS, *figures] if name not in page] == []
    inputs = {name for rule in CHECKS.values() for name in [*sum(rule.needs, ()), *rule.uses]}
    assert [name for name in inputs if f"`{name}`" not in page] == []
