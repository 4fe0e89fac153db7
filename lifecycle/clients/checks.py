"""Cross-validation: what is known of a client twice has to agree.

Each check is found by its id in `CHECKS`; its judgement is a small function of `verdicts`. It says
what it saw in plain words; the fact that loses stays visible beside the one that is preferred.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import msgspec

from lifecycle.clients import verdicts
from lifecycle.clients.attribute import COMPANIES, EVERYBODY, PERSONS, Figures, NullReason, Value
from lifecycle.clients.verdicts import Known, Result, Verdict, text
from lifecycle.events.fields import ClientType

Preferred = Literal["left", "right"]


class Side(msgspec.Struct, frozen=True):
    """One of the facts that were compared; `value` is None where it is not known."""

    name: str
    value: str | None
    source_event_ids: tuple[str, ...]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found, with both facts."""

    id: str
    result: Result
    na_reason: NullReason | None
    """Why nothing could be compared; None unless the result is NA."""
    left: Side | None
    right: Side | None
    """None where there is no second fact, and both are None where the client's consent is lacking."""
    measure: str | None
    """The ratio or difference that the limits apply to, rounded to four decimals."""
    reason_zh: str
    reason_en: str
    preferred: Preferred | None
    """Which of two facts that differ has the better source and wins: what the bank sees before what
    others report, and that before what the client declares. None: both may be wrong."""
    owner: str | None
    """Who has to solve it (RM, RO, CO); None when nobody has to. Of what CO owns RM learns nothing."""
    due_days: int | None
    """Calendar days the owner has for it."""


def checks(
    profile: Mapping[str, Value],
    client_type: ClientType,
    business_date: dt.date,
    figures: Figures,
) -> list[Check]:
    """Every check of one client as of the end of a business date, in the order of their ids."""
    known = {name: value for name, value in profile.items() if value.null_reason is None}
    return [
        _check(
            check_id, rule, _not_compared(rule, profile, client_type), known, business_date, figures
        )
        for check_id, rule in CHECKS.items()
    ]


class Rule(NamedTuple):
    """One check: how it judges, whom, and on what."""

    judge: Callable[[Known, dt.date, Figures], Verdict]
    clients: tuple[ClientType, ...]
    needs: tuple[tuple[str, ...], ...]
    """Of each of these groups of attributes one has to be known."""
    uses: tuple[str, ...] = ()
    """Attributes it does without when they are not known."""
    preferred: Preferred | None = None


CHECKS: dict[str, Rule] = {
    "CV01": Rule(
        verdicts.income,
        PERSONS,
        (("income_observed_monthly",), ("income_declared_monthly",), ("income_months",)),
        preferred="left",
    ),
    "CV02": Rule(
        verdicts.employer,
        PERSONS,
        (("employer_declared",), ("salary_payer",)),
        uses=("application_income_declared",),
        preferred="right",
    ),
    "CV03": Rule(
        verdicts.revenue,
        COMPANIES,
        (("revenue_declared",), ("revenue_observed_12m",)),
        preferred="right",
    ),
    "CV04": Rule(
        verdicts.debts, EVERYBODY, (("debts_declared",), ("bureau_total_debt",)), preferred="right"
    ),
    "CV05": Rule(
        verdicts.household,
        PERSONS,
        (("dependants_ages", "household_size"), ("tuition_payments_12m",)),
        preferred="right",
    ),
    "CV06": Rule(verdicts.tolerance, EVERYBODY, (("risk_tolerance",), ("product_risk_max",))),
    "CV07": Rule(
        verdicts.experience,
        PERSONS,
        (("investment_experience_declared",), ("investment_experience_observed", "age")),
        preferred="right",
    ),
    "CV08": Rule(verdicts.identifier, EVERYBODY, (("id_check",),)),
    "CV09": Rule(verdicts.id_expiry, EVERYBODY, (("id_expiry",),)),
    "CV10": Rule(verdicts.balance_chain, EVERYBODY, (("balance_chain_gap",),)),
    "CV11": Rule(verdicts.balance_snapshot, EVERYBODY, (("balance_snapshot_gap",),)),
    "CV12": Rule(
        verdicts.statement_cash,
        COMPANIES,
        (("statement_cash_change",), ("bank_balance_change",)),
        preferred="right",
    ),
    "CV13": Rule(verdicts.loan_use, EVERYBODY, (("loan_purpose", "loan_payee_type"),)),
    "CV14": Rule(verdicts.shared_contact, EVERYBODY, (("shared_contact_clients",),)),
}
"""Check by id, in the order of the ids."""

_NOT_COMPARED: dict[NullReason, tuple[str, str]] = {
    "UNKNOWN": ("已知信息不足，无法核对。", "Too little is known to compare."),
    "NOT_APPLICABLE": ("不适用于该客户。", "This does not apply to the client."),
    "NOT_CONSENTED": (
        "客户未授权使用核对所需的信息。",
        "The client has not allowed the use of what this compares.",
    ),
    "SUPPRESSED": ("核对所需的信息已停用。", "What this compares is held back."),
}
_HIDDEN: tuple[NullReason, ...] = ("NOT_CONSENTED", "SUPPRESSED")


def _check(
    check_id: str,
    rule: Rule,
    reason: NullReason | None,
    known: Known,
    business_date: dt.date,
    figures: Figures,
) -> Check:
    if reason is None:
        verdict = rule.judge(known, business_date, figures)
        reason = "UNKNOWN" if verdict.result == "NA" else None
    else:
        names = [group[0] for group in rule.needs]
        right = names[1] if len(names) > 1 else None
        verdict = Verdict("NA", names[0], right, None, *_NOT_COMPARED[reason])
    owner = figures["check_owners"].value[check_id].get(verdict.result)
    differs = verdict.result in {"WARN", "FAIL"}
    shown = reason not in _HIDDEN
    return Check(
        id=check_id,
        result=verdict.result,
        na_reason=reason,
        left=_side(verdict.left, known) if shown else None,
        right=_side(verdict.right, known) if shown and verdict.right else None,
        measure=None if verdict.measure is None else text(verdict.measure),
        reason_zh=verdict.zh,
        reason_en=verdict.en,
        preferred=rule.preferred if differs else None,
        owner=owner,
        due_days=figures["check_due_days"].value[verdict.result] if owner else None,
    )


def _not_compared(
    rule: Rule, profile: Mapping[str, Value], client_type: ClientType
) -> NullReason | None:
    """Why a check has nothing to compare. Consent comes before all that the profile holds."""
    if client_type not in rule.clients:
        return "NOT_APPLICABLE"
    why = {name: _null_reason(profile.get(name)) for group in rule.needs for name in group}
    used = {*why.values(), *(_null_reason(profile.get(name)) for name in rule.uses)}
    for hidden in _HIDDEN:
        if hidden in used:
            return hidden
    lacking = [why[name] for group in rule.needs for name in group if all(why[n] for n in group)]
    if not lacking:
        return None
    return "UNKNOWN" if "UNKNOWN" in lacking else "NOT_APPLICABLE"


def _null_reason(value: Value | None) -> NullReason | None:
    return "UNKNOWN" if value is None else value.null_reason


def _side(name: str, known: Known) -> Side:
    if name not in known:
        return Side(name, None, ())
    return Side(name, known[name].value, known[name].source_event_ids)
