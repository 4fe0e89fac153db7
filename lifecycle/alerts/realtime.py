"""The real-time rules: `rule(state, event, rule) -> Finding | None`, one function each.

`state` is the client's state after the fold of `event`. Pure: figures come from `rule`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from lifecycle.alerts.alert import Finding, alert_scope
from lifecycle.alerts.rules import Rule
from lifecycle.clients.state import ClientState, Facility, days_past_due, oldest_unpaid, source_of
from lifecycle.events import Event, minor_units, money_text, to_decimal
from lifecycle.events.account import BalanceSnapshot, TransactionPosted
from lifecycle.events.catalogue import CATALOGUE, CREDIT
from lifecycle.events.credit import PenaltyInterestCharged, RepaymentMissed

RuleFunction = Callable[[ClientState, Event, Rule], Finding | None]


def missed_instalment(state: ClientState, event: Event, rule: Rule) -> Finding | None:
    """RT-01: an instalment was missed; graver when it is the second within the look-back."""
    data: RepaymentMissed = event.data
    facility = state.facilities[data.facility_id]
    if data.instalment_no in facility.paid:
        return None  # it came when the instalment was paid already
    since = data.due_date - dt.timedelta(days=rule.figure("repeat_days"))
    recent = [m for m in facility.missed if since < m.due_date <= data.due_date]
    repeated = len(recent) >= rule.figure("repeat_count")
    return Finding(
        entity=f"facility/{data.facility_id}#{data.instalment_no}",
        bucket=data.due_date.isoformat(),
        severity=rule.figure("repeat_severity") if repeated else rule.severity,
        value=to_decimal(minor_units(data.outstanding)),
        unit=data.currency,
        evidence=tuple(m.source for m in recent[-20:]),
        fields={
            "facility": data.facility_id,
            "instalment": str(data.instalment_no),
            "due_date": data.due_date.isoformat(),
            "amount": f"{data.outstanding} {data.currency}",
            "missed": str(len(recent)),
        },
    )


def days_past_due_crossed(state: ClientState, event: Event, rule: Rule) -> Finding | None:
    """RT-02: days past due reached a threshold; any credit fact of the client moves the calendar."""
    worst: Finding | None = None
    for facility_id, facility in state.facilities.items():
        if facility.unpaid:
            finding = _dpd_finding(state, event, rule, facility_id, facility)
            if finding and (worst is None or finding.value > worst.value):
                worst = finding
    return worst


def _dpd_finding(
    state: ClientState, event: Event, rule: Rule, facility_id: str, facility: Facility
) -> Finding | None:
    materiality = minor_units(rule.figure("materiality"))
    dpd = days_past_due(facility, state.credit_date, materiality)
    reached = [t for t in rule.figure("thresholds") if dpd >= t["days"]]
    if not reached:
        return None
    threshold = reached[-1]
    oldest = oldest_unpaid(facility, materiality)
    assert oldest, "days past due are counted from it"
    scope = f"facility/{facility_id}>{threshold['days']}"
    if alert_scope(rule.id, scope, oldest.due_date.isoformat()) in state.raised:
        return None  # standing past a threshold is not another crossing
    owed = sum(i.total - i.paid for i in facility.unpaid if i.due_date <= state.credit_date)
    return Finding(
        entity=scope,
        bucket=oldest.due_date.isoformat(),
        severity=threshold["severity"],
        value=Decimal(dpd),
        unit="days",
        evidence=(oldest.source, source_of(event)),
        fields={
            "facility": facility_id,
            "threshold": str(threshold["days"]),
            "dpd": str(dpd),
            "due_date": oldest.due_date.isoformat(),
            "amount": f"{money_text(owed)} {facility.currency}",
        },
    )


def overdrawn(state: ClientState, event: Event, rule: Rule) -> Finding | None:
    """RT-03: the balance fell below what the overdraft limit allows."""
    data: TransactionPosted | BalanceSnapshot = event.data
    account = state.accounts.get(data.account_id)
    balance = _balance_in(data)
    if account is None or balance is None or balance >= -account.overdraft_limit:
        return None
    beyond = -balance - account.overdraft_limit
    return Finding(
        entity=f"account/{data.account_id}",
        bucket="overdrawn",
        severity=rule.severity,
        value=to_decimal(beyond),
        unit=data.currency,
        evidence=(source_of(event),),
        fields={
            "account": data.account_id,
            "balance": f"{money_text(balance)} {data.currency}",
            "limit": f"{money_text(account.overdraft_limit)} {data.currency}",
        },
    )


def _balance_in(data: TransactionPosted | BalanceSnapshot) -> int | None:
    if isinstance(data, TransactionPosted):
        return None if data.balance_after is None else minor_units(data.balance_after)
    if data.balance_type != "CLBD":
        return None
    sign = -1 if data.credit_debit_indicator == "DBIT" else 1
    return sign * minor_units(data.amount)


def penalty_interest(state: ClientState, event: Event, rule: Rule) -> Finding | None:
    """RT-04: penalty interest was charged."""
    data: PenaltyInterestCharged = event.data
    return Finding(
        entity=f"facility/{data.facility_id}",
        bucket="penalty",
        severity=rule.severity,
        value=to_decimal(minor_units(data.amount)),
        unit=data.currency,
        evidence=(source_of(event),),
        fields={"facility": data.facility_id, "amount": f"{data.amount} {data.currency}"},
    )


def large_transaction(state: ClientState, event: Event, rule: Rule) -> Finding | None:
    """RT-07: one client's entries of one day and class reached the statutory threshold."""
    data: TransactionPosted = event.data
    if not state.day_totals:
        return None
    # The fold puts the total it has just added to last; a fact it left out has none.
    total = state.day_totals[-1]
    if total.sources[-1] != source_of(event):
        return None
    threshold = _statutory_threshold(state.client_type, data, rule)
    units = int(total.total)
    if threshold is None or units < minor_units(threshold):
        return None
    return Finding(
        entity=f"client/{state.client_id}",
        bucket=f"{event.business_date}|{total.kind}",
        severity=rule.severity,
        value=to_decimal(units),
        unit=data.currency,
        evidence=total.sources,
        fields={
            "kind": total.kind.replace("|", " "),
            "day": event.business_date.isoformat(),
            "amount": f"{money_text(units)} {data.currency}",
            "threshold": f"{threshold} {data.currency}",
        },
    )


def _statutory_threshold(client_type: str, data: TransactionPosted, rule: Rule) -> str | None:
    """The figure of this class in this currency, as decimal text; None where the law names none."""
    if data.is_cash:
        name = "cash"
    elif client_type == "CORPORATE":
        name = "transfer_corporate"
    else:
        name = "cross_border_individual" if data.is_cross_border else "transfer_individual"
    thresholds: dict[str, str] = rule.figure(name)
    return thresholds.get(data.currency)


CREDIT_FACTS = tuple(row.data for row in CATALOGUE.values() if row.topic == CREDIT)

RULES: tuple[tuple[str, tuple[type, ...], RuleFunction], ...] = (
    ("RT-01", (RepaymentMissed,), missed_instalment),
    ("RT-02", CREDIT_FACTS, days_past_due_crossed),
    ("RT-03", (TransactionPosted, BalanceSnapshot), overdrawn),
    ("RT-04", (PenaltyInterestCharged,), penalty_interest),
    ("RT-07", (TransactionPosted,), large_transaction),
)
"""Rule id, the facts it listens to, the function: the whole wiring of the stream's rules."""
