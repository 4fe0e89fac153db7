"""What each cross-validation check says of values that are known: the fourteen judgements.

Limits are compared by multiplication, so that nothing is divided by zero or rounded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from lifecycle.clients.attribute import Figures, Value

Result = Literal["PASS", "WARN", "FAIL", "NA"]

Known = Mapping[str, Value]
"""The values of a profile that are not null."""


class Verdict(NamedTuple):
    """What a check says of values that are known; `left` and `right` name attributes."""

    result: Result
    left: str
    right: str | None
    measure: Decimal | None
    zh: str
    en: str


def income(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV01: monthly income seen on the accounts and declared by the person."""
    observed = known["income_observed_monthly"].number
    declared = known["income_declared_monthly"].number
    months, enough = known["income_months"].number, figures["cv01_months_min"].value
    names = ("income_observed_monthly", "income_declared_monthly")
    if months < enough:
        return Verdict(
            "NA",
            *names,
            None,
            f"仅有 {months} 个月的流水收入，至少需要 {enough} 个月。",
            f"Income was seen in {months} months only; {enough} are needed.",
        )
    ratio = _ratio(observed, declared)
    return Verdict(
        _graded(
            figures["cv01_income_ratio"].value,
            lambda band: not Decimal(band[0]) * declared <= observed <= Decimal(band[1]) * declared,
        ),
        *names,
        ratio,
        f"流水月收入 {observed}，申报月收入 {declared}，比例 {text(ratio)}。",
        f"The accounts show a monthly income of {observed}; declared is {declared}: "
        f"a ratio of {text(ratio)}.",
    )


def employer(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV02: the declared employer and who pays the salary."""
    aliases = figures["employer_aliases"].value
    names = ("employer_declared", "salary_payer")
    one, other = (aliases.get(known[name].value, known[name].value) for name in names)
    if one == other:
        return Verdict(
            "PASS", *names, None, "工资由申报的雇主发放。", "The declared employer pays the salary."
        )
    if "application_income_declared" not in known:
        return Verdict(
            "WARN",
            *names,
            None,
            "工资不是由申报的雇主发放。",
            "Somebody else than the declared employer pays the salary.",
        )
    relied = known["application_income_declared"].number
    return Verdict(
        "FAIL",
        *names,
        None,
        f"工资不是由申报的雇主发放，而授信申请依据的申报月收入为 {relied}。",
        "Somebody else than the declared employer pays the salary, and a credit application relies "
        f"on a declared monthly income of {relied}.",
    )


def revenue(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV03: revenue a company declares, and what came in, grossed up by the bank's share of it."""
    declared, observed = known["revenue_declared"].number, known["revenue_observed_12m"].number
    share = Decimal(figures["cv03_share_of_wallet"].value)
    ratio = _ratio(declared * share, observed)
    return Verdict(
        _graded(
            figures["cv03_revenue_ratio_max"].value,
            lambda limit: declared * share > Decimal(limit) * observed,
        ),
        "revenue_declared",
        "revenue_observed_12m",
        ratio,
        f"申报年收入 {declared}，本行近12个月入账 {observed}（占比 {share}），比例 {text(ratio)}。",
        f"Declared is a revenue of {declared} a year; {observed} came in here in 12 months, a share "
        f"of {share}: a ratio of {text(ratio)}.",
    )


def debts(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV04: debts the client declares, and those the credit bureau knows."""
    declared, reported = known["debts_declared"].number, known["bureau_total_debt"].number
    ratio = _ratio(declared, reported)
    return Verdict(
        _graded(
            figures["cv04_debt_ratio_min"].value, lambda limit: declared < Decimal(limit) * reported
        ),
        "debts_declared",
        "bureau_total_debt",
        ratio,
        f"申报负债 {declared}，征信负债 {reported}，比例 {text(ratio)}。",
        f"Declared are debts of {declared}; the bureau reports {reported}: "
        f"a ratio of {text(ratio)}.",
    )


def household(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV05: tuition is paid, so somebody of the declared household should be of an age to study.
    Where dependants are not known, a household of one has nobody else."""
    payments = known["tuition_payments_12m"].number
    oldest = figures["cv05_student_age_max"].value
    if "dependants_ages" in known:
        name, ages = "dependants_ages", known["dependants_ages"].value or ""
        students = sum(int(age) <= oldest for age in ages.split(",") if age)
    else:
        name = "household_size"
        students = int(known["household_size"].number) - 1
    contradicts = payments >= figures["cv05_tuition_payments_min"].value and students < 1
    return Verdict(
        "WARN" if contradicts else "PASS",
        name,
        "tuition_payments_12m",
        None,
        f"近12个月有 {payments} 笔学费支出，申报的家庭中可能就学（{oldest} 岁及以下）的有 {students} 人。",
        f"Tuition was paid {payments} times in 12 months; the declared household has {students} who "
        f"may be studying ({oldest} years or younger).",
    )


def tolerance(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV06: no product held is riskier than the person's tolerance."""
    level, risk = known["risk_tolerance"].value or "", known["product_risk_max"].value or ""
    excess = max(0, int(risk.removeprefix("R")) - int(level.removeprefix("C")))
    return Verdict(
        "FAIL" if excess else "PASS",
        "risk_tolerance",
        "product_risk_max",
        Decimal(excess),
        f"风险承受能力 {level}，持有产品最高风险 {risk}，超出 {excess} 级。",
        f"The tolerance is {level}; the riskiest product held is {risk}. Levels above it: {excess}.",
    )


def experience(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV07: declared years of investing, at most those since adulthood or, with some grace, since the
    first trade."""
    declared = known["investment_experience_declared"].number
    possible: dict[str, Decimal] = {}
    if "investment_experience_observed" in known:
        grace = figures["cv07_grace_years"].value
        possible["investment_experience_observed"] = (
            known["investment_experience_observed"].number + grace
        )
    if "age" in known:
        possible["age"] = max(Decimal(0), known["age"].number - figures["cv07_adult_age"].value)
    name, most = min(possible.items(), key=lambda item: item[1])
    zh, en = ("成年", "adulthood") if name == "age" else ("首次交易", "the first trade")
    return Verdict(
        "FAIL" if declared > most else "PASS",
        "investment_experience_declared",
        name,
        declared - most,
        f"申报投资经验 {declared} 年，自{zh}起至多 {text(most)} 年。",
        f"Declared are {declared} years of investing; since {en} at most {text(most)} are possible.",
    )


def identifier(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV08: what the source found in the number of the identity document."""
    if known["id_check"].value == "PASS":
        return Verdict("PASS", "id_check", None, None, "证件号码有效。", "The id number holds.")
    return Verdict(
        "FAIL",
        "id_check",
        None,
        None,
        "证件号码的校验位、出生日期或性别不符。",
        "The id number does not hold: its check character, date of birth or sex.",
    )


def id_expiry(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV09: the identity document is valid."""
    expiry = dt.date.fromisoformat(known["id_expiry"].value or "")
    left = (expiry - business_date).days
    past = left < 0
    return Verdict(
        _graded(figures["cv09_days_left_min"].value, lambda limit: left < limit),
        "id_expiry",
        None,
        Decimal(left),
        f"证件于 {expiry} 到期，{f'已过期 {-left} 天' if past else f'还有 {left} 天'}。",
        f"The last valid day of the identity document is {expiry}: "
        f"{f'{-left} days past' if past else f'{left} days left'}.",
    )


def balance_chain(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV10: each balance follows from the one before and the entry."""
    gap = abs(known["balance_chain_gap"].number)
    return Verdict(
        _graded(figures["cv10_gap_max"].value, lambda limit: gap > Decimal(limit)),
        "balance_chain_gap",
        None,
        gap,
        f"逐笔余额的最大偏差为 {gap}。",
        f"From entry to entry balances are off by {gap} at most.",
    )


def balance_snapshot(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV11: the closing balance is the sum of the entries."""
    gap = abs(known["balance_snapshot_gap"].number)
    return Verdict(
        _graded(figures["cv11_gap_max"].value, lambda limit: gap > Decimal(limit)),
        "balance_snapshot_gap",
        None,
        gap,
        f"日终余额与交易合计的最大偏差为 {gap}。",
        f"Closing balances are off the sum of their entries by {gap} at most.",
    )


def statement_cash(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV12: the change in cash that a company files, and the change in its balances."""
    filed, booked = known["statement_cash_change"].number, known["bank_balance_change"].number
    difference = abs(filed - booked)
    ratio = _ratio(difference, abs(filed))
    return Verdict(
        _graded(
            figures["cv12_difference_max"].value,
            lambda limit: difference > Decimal(limit) * abs(filed),
        ),
        "statement_cash_change",
        "bank_balance_change",
        ratio,
        f"报表现金变动 {filed}，账户余额变动 {booked}，相差 {difference}，比例 {text(ratio)}。",
        f"The statement shows a change in cash of {filed}, the accounts one of {booked}: "
        f"{difference} apart, a ratio of {text(ratio)}.",
    )


def loan_use(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV13: whom a loan paid suits what it was for."""
    names = ("loan_purpose", "loan_payee_type")
    if not all(name in known for name in names):
        return Verdict(
            "WARN",
            *names,
            None,
            "贷款用途或收款方类型未知。",
            "The loan's purpose or payee is unknown.",
        )
    purpose, payee = (known[name].value for name in names)
    prohibited = figures["cv13_prohibited_payees"].value
    wrong = payee in prohibited and purpose not in prohibited[payee]
    return Verdict(
        "FAIL" if wrong else "PASS",
        *names,
        None,
        f"贷款用途 {purpose}，收款方类型 {payee}：{'禁止' if wrong else '允许'}。",
        f"A loan for {purpose} paid {payee}: {'prohibited' if wrong else 'allowed'}.",
    )


def shared_contact(known: Known, business_date: dt.date, figures: Figures) -> Verdict:
    """CV14: a phone, an address or a device belongs to few unrelated clients."""
    clients = known["shared_contact_clients"].number
    return Verdict(
        _graded(figures["cv14_clients_max"].value, lambda limit: clients > limit),
        "shared_contact_clients",
        None,
        clients,
        f"同一电话、地址或设备最多关联 {clients} 个无关客户。",
        f"{clients} unrelated clients at most share a phone, an address or a device.",
    )


def _graded(limits: Mapping[str, Any], breaks: Callable[[Any], bool]) -> Result:
    """The gravest result whose limit is broken."""
    grave: tuple[Result, ...] = ("FAIL", "WARN")
    return next((result for result in grave if result in limits and breaks(limits[result])), "PASS")


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return part / whole if whole else None


def text(number: Decimal | None) -> str:
    """At most four decimals; a dash where there is no number."""
    return "–" if number is None else f"{number:.4f}".rstrip("0").rstrip(".")
