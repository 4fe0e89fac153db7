"""The client profile: one small function per attribute, found by the attribute's name.

Each returns an Ibis table (client_id, value, sources): `value` a number, `sources` at most twenty
event ids. `profile` puts them together, one row per client and attribute.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.alerts.rules import Parameter
from lifecycle.clients.facts import Facts

POSTED = "bank.account.transaction_posted.v1"
OPENED = "bank.account.opened.v1"
REGISTERED = "bank.client.registered.v1"
SNAPSHOT = "bank.account.balance_snapshot.v1"
SOURCES_MAX = 20
METHOD_VERSION = "1"

Figures = Mapping[str, Parameter]


class Attribute(NamedTuple):
    """One attribute of the profile: how it is derived, and what a reader must know of it."""

    derive: Callable[[Facts, Figures], ir.Table]
    unit: str
    purpose: str
    confidence: float
    decimals: int


def age(facts: Facts, figures: Figures) -> ir.Table:
    """Full years since birth, or since incorporation."""
    registered = facts.table(REGISTERED)
    born = ibis.coalesce(registered.birth_date, registered.incorporation_date)
    today = ibis.literal(facts.business_date)
    had_birthday = (today.month() * 100 + today.day()) >= (born.month() * 100 + born.day())
    years = today.year() - born.year() - ibis.ifelse(had_birthday, 0, 1)
    return registered.filter(born.notnull()).select(
        client_id=_.client_id, value=years.cast("float64"), sources=ibis.array([_.event_id])
    )


def tenure_days(facts: Facts, figures: Figures) -> ir.Table:
    """Days since the first account was opened."""
    opened = facts.table(OPENED)
    since = ibis.literal(facts.business_date).delta(opened.opened_date, unit="day")
    return (
        opened
        .mutate(days=since)
        .group_by(client_id="client")
        .agg(value=_.days.max().cast("float64"), sources=_some(opened))
    )


def inflow_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits over the closed months of the window, without reversals and interest."""
    return _flow(facts, figures, "CRDT")


def outflow_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly debits over the closed months of the window."""
    return _flow(facts, figures, "DBIT")


def net_cashflow(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits less debits over the closed months of the window."""
    return _flow(facts, figures, "CRDT", "DBIT")


def _flow(facts: Facts, figures: Figures, *sides: str) -> ir.Table:
    months = int(figures["flow_months"].value)
    first, end = closed_months(facts.business_date, months)
    entries = _customer_entries(facts).filter(
        _.business_date >= first,
        _.business_date < end,
        _.credit_debit_indicator.isin(sides),
    )
    signed = ibis.ifelse((entries.credit_debit_indicator == "DBIT") & (len(sides) > 1), -1, 1)
    return entries.group_by(client_id="client").agg(
        value=(entries.amount * signed).sum().cast("float64") / months, sources=_some(entries)
    )


def income_observed_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """Median month of recurring inflows: one payer or purpose, often, at a steady amount and day."""
    first, end = closed_months(facts.business_date, int(figures["income_months"].value))
    purposes = list(figures["income_purposes"].value)
    credits = _customer_entries(facts).filter(
        _.business_date >= first, _.business_date < end, _.credit_debit_indicator == "CRDT"
    )
    payer = ibis.coalesce(
        ibis.ifelse(credits.purpose.isin(purposes), credits.purpose, ibis.null("string")),
        credits.counterparty["name_hash"],
        credits.counterparty["account_hash"],
    )
    credits = credits.mutate(payer=payer, number=credits.amount.cast("float64")).filter(
        _.payer.notnull()
    )
    spread = _.business_date.day().max() - _.business_date.day().min()
    steady = (
        credits
        .group_by(["client", "payer"])
        .agg(
            n=_.count(),
            variation=(_.number.std(how="pop") / _.number.mean()),
            spread=spread,
        )
        .filter(
            _.n >= int(figures["income_occurrences"].value),
            _.variation <= float(figures["income_variation_max"].value),
            _.spread <= int(figures["income_day_spread_max"].value),
        )
    )
    recurring = credits.semi_join(steady, ["client", "payer"])
    monthly = recurring.group_by([
        "client",
        recurring.business_date.truncate("M").name("month"),
    ]).agg(total=_.number.sum(), ids=_.event_id.collect())
    return monthly.group_by(client_id="client").agg(
        value=_.total.median(), sources=_.ids.collect().flatten().sort()[:SOURCES_MAX]
    )


def min_balance_90d(facts: Facts, figures: Figures) -> ir.Table:
    """The lowest closing balance of the window, over the client's accounts."""
    balances = _closing_balances(facts, figures)
    return balances.group_by(client_id="client").agg(
        value=_.balance.min(), sources=ibis.array([_.event_id.argmin(_.balance)])
    )


def balance_cv_90d(facts: Facts, figures: Figures) -> ir.Table:
    """Coefficient of variation of closing balances in the window."""
    balances = _closing_balances(facts, figures)
    spread = (
        balances
        .group_by(client_id="client")
        .agg(
            mean=_.balance.mean(),
            deviation=_.balance.std(how="pop"),
            n=_.count(),
            sources=_some(balances),
        )
        .filter(_.mean > 0, _.n > 1)
    )
    return spread.select("client_id", value=_.deviation / _.mean, sources=_.sources)


def overdraft_days_90d(facts: Facts, figures: Figures) -> ir.Table:
    """Days of the window that closed below zero; a day without entries keeps the balance before."""
    snapshots = _snapshots(facts)
    until = ibis.coalesce(
        snapshots.business_date.lead().over(
            ibis.window(group_by=snapshots.account_id, order_by=snapshots.business_date)
        ),
        ibis.literal(facts.business_date + dt.timedelta(days=1)),
    )
    first = facts.since(int(figures["balance_days"].value))
    start = ibis.greatest(snapshots.business_date, ibis.literal(first))
    spans = snapshots.mutate(days=until.delta(start, unit="day")).filter(_.days > 0)
    days = ibis.ifelse(spans.balance < 0, spans.days, 0)
    return spans.group_by(client_id="client").agg(
        value=days.sum().cast("float64"),
        sources=ibis.coalesce(
            spans.event_id.collect(where=spans.balance < 0).sort()[:SOURCES_MAX],
            ibis.array([spans.event_id.max()]),
        ),
    )


def cash_share(facts: Facts, figures: Figures) -> ir.Table:
    """Cash credits as a share of all credits in the window, 0 to 1."""
    first = facts.since(int(figures["cash_days"].value))
    credits = _customer_entries(facts).filter(
        _.business_date >= first, _.credit_debit_indicator == "CRDT", _.amount > 0
    )
    cash = ibis.ifelse(credits.is_cash, credits.amount, ibis.literal(0).cast(credits.amount.type()))
    return credits.group_by(client_id="client").agg(
        value=cash.sum().cast("float64") / credits.amount.sum().cast("float64"),
        sources=_some(credits),
    )


ATTRIBUTES: dict[str, Attribute] = {
    "age": Attribute(age, "years", "P1_SERVICE", 1.0, 0),
    "tenure_days": Attribute(tenure_days, "days", "P1_SERVICE", 1.0, 0),
    "income_observed_monthly": Attribute(
        income_observed_monthly, "currency/month", "P1_SERVICE", 0.8, 2
    ),
    "inflow_monthly": Attribute(inflow_monthly, "currency/month", "P1_SERVICE", 0.9, 2),
    "outflow_monthly": Attribute(outflow_monthly, "currency/month", "P1_SERVICE", 0.9, 2),
    "net_cashflow": Attribute(net_cashflow, "currency/month", "P1_SERVICE", 0.9, 2),
    "min_balance_90d": Attribute(min_balance_90d, "currency", "P1_SERVICE", 1.0, 2),
    "balance_cv_90d": Attribute(balance_cv_90d, "ratio", "P1_SERVICE", 0.9, 4),
    "overdraft_days_90d": Attribute(overdraft_days_90d, "days", "P1_SERVICE", 1.0, 0),
    "cash_share": Attribute(cash_share, "ratio", "P1_SERVICE", 0.9, 4),
}
"""The profile in this release: what servicing and credit monitoring need, so no consent gates it."""


def profile(facts: Facts, figures: Figures) -> ir.Table:
    """One row per registered client and attribute:
    (client_id, name, value, unit, purpose, confidence, null_reason, sources)."""
    clients = facts.table(REGISTERED).select("client_id").distinct()
    rows = [
        _rows(clients, name, attribute, attribute.derive(facts, figures))
        for name, attribute in ATTRIBUTES.items()
    ]
    return ibis.union(*rows)


def closed_months(business_date: dt.date, months: int) -> tuple[dt.date, dt.date]:
    """First day of the window and first day after it: calendar months closed by the date's end."""
    last_of_month = calendar.monthrange(business_date.year, business_date.month)[1]
    closed = business_date.day == last_of_month
    end = business_date.year * 12 + business_date.month - (0 if closed else 1)
    start = end - months
    return dt.date(start // 12, start % 12 + 1, 1), dt.date(end // 12, end % 12 + 1, 1)


def _rows(clients: ir.Table, name: str, attribute: Attribute, derived: ir.Table) -> ir.Table:
    joined = clients.left_join(derived, "client_id")
    value: Any = joined.value.round(attribute.decimals)
    text = value.cast(f"decimal(18, {attribute.decimals})").cast("string")
    return joined.select(
        client_id=joined.client_id,
        name=ibis.literal(name),
        value=text,
        unit=ibis.literal(attribute.unit),
        purpose=ibis.literal(attribute.purpose),
        confidence=ibis.ifelse(joined.value.isnull(), 0.0, attribute.confidence),
        null_reason=ibis.ifelse(joined.value.isnull(), "UNKNOWN", ibis.null("string")),
        sources=joined.sources,
    )


def _customer_entries(facts: Facts) -> ir.Table:
    """Booked entries a customer or a payer made: no interest, fees, penalties or reversals."""
    posted = facts.table(POSTED)
    return posted.filter(posted.initiator != "BANK", posted.status == "BOOK", ~posted.reversal)


def _snapshots(facts: Facts) -> ir.Table:
    snapshots = facts.table(SNAPSHOT).filter(_.balance_type == "CLBD")
    sign = ibis.ifelse(snapshots.credit_debit_indicator == "DBIT", -1.0, 1.0)
    return snapshots.mutate(balance=snapshots.amount.cast("float64") * sign)


def _closing_balances(facts: Facts, figures: Figures) -> ir.Table:
    first = facts.since(int(figures["balance_days"].value))
    return _snapshots(facts).filter(_.business_date >= first)


def _some(facts: ir.Table) -> Any:
    """The ids of up to twenty of the newest facts, in a stable order."""
    return facts.event_id.collect(order_by=[facts.time.desc(), facts.event_id])[:SOURCES_MAX]
