"""What comes in and goes out: closed calendar months, a partial first month left out."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import (
    SOURCES_MAX,
    Figures,
    attribute,
    closed_months,
    counted,
    evidence,
    foremost,
    newest_first,
    quotient,
    rounded,
)
from lifecycle.clients.attributes.identity import REGISTERED
from lifecycle.clients.attributes.income import full_months
from lifecycle.clients.entries import OPENED, booked, customer_entries, flows, in_whole_months
from lifecycle.clients.facts import Facts

_PER_MONTH = "currency/month"
MONTHS_MAX = 12
"""The longest window of a flow, in closed calendar months."""


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def inflow_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits of the last three closed months."""
    return _flow(facts, figures, 3, "CRDT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def inflow_monthly_1m(facts: Facts, figures: Figures) -> ir.Table:
    """Credits of the last closed month."""
    return _flow(facts, figures, 1, "CRDT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def inflow_monthly_6m(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits of the last six closed months."""
    return _flow(facts, figures, 6, "CRDT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def inflow_monthly_12m(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits of the last twelve closed months."""
    return _flow(facts, figures, 12, "CRDT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def outflow_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly debits of the last three closed months."""
    return _flow(facts, figures, 3, "DBIT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def outflow_monthly_1m(facts: Facts, figures: Figures) -> ir.Table:
    """Debits of the last closed month."""
    return _flow(facts, figures, 1, "DBIT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def outflow_monthly_6m(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly debits of the last six closed months."""
    return _flow(facts, figures, 6, "DBIT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def outflow_monthly_12m(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly debits of the last twelve closed months."""
    return _flow(facts, figures, 12, "DBIT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def net_cashflow(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits less debits of the last three closed months."""
    return _flow(facts, figures, 3, "CRDT", "DBIT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def net_cashflow_1m(facts: Facts, figures: Figures) -> ir.Table:
    """Credits less debits of the last closed month."""
    return _flow(facts, figures, 1, "CRDT", "DBIT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def net_cashflow_6m(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits less debits of the last six closed months."""
    return _flow(facts, figures, 6, "CRDT", "DBIT")


@attribute(_PER_MONTH, ages="balances", decimals=2, confidence=0.9)
def net_cashflow_12m(facts: Facts, figures: Figures) -> ir.Table:
    """Mean monthly credits less debits of the last twelve closed months."""
    return _flow(facts, figures, 12, "CRDT", "DBIT")


@attribute("ratio", ages="balances", decimals=4, purposes=("P2_PROFILE",), confidence=0.8)
def savings_rate(facts: Facts, figures: Figures) -> ir.Table:
    """What is left of the inflow of the last six closed months, as a share of it."""
    return quotient(_flow(facts, figures, 6, "CRDT", "DBIT"), _flow(facts, figures, 6, "CRDT"))


@attribute(_PER_MONTH, ages="income", decimals=2, purposes=("P2_PROFILE",), confidence=0.7)
def essential_outflow_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """Median month of what has to be paid: rent, household, insurance, instalments, utilities."""
    first, end = closed_months(facts.business_date, int(figures["flow_months"].value))
    outflows = flows(facts, figures, first, end).filter(_.credit_debit_indicator == "DBIT")
    debits = in_whole_months(outflows, facts)
    purposes = list(figures["essential_purposes"].value)
    categories = list(figures["essential_categories"].value)
    essential = debits.filter(
        debits.purpose.isin(purposes).fill_null(False)
        | debits.category.isin(categories).fill_null(False)
    )
    monthly = essential.group_by([
        "client",
        essential.business_date.truncate("M").name("month"),
    ]).agg(total=_.number.sum())
    medians = monthly.group_by(client_id="client").agg(value=_.total.median())
    return medians.join(
        essential.group_by(client_id="client").agg(**evidence(essential)), "client_id"
    )


@attribute("ratio", ages="balances", decimals=4, confidence=0.9)
def cash_share(facts: Facts, figures: Figures) -> ir.Table:
    """Cash credits as a share of all credits in the window, 0 to 1."""
    first = facts.since(int(figures["cash_days"].value))
    credits = customer_entries(facts, figures, first).filter(
        _.credit_debit_indicator == "CRDT", _.amount > 0
    )
    cash = ibis.ifelse(credits.is_cash, credits.amount, ibis.literal(0).cast(credits.amount.type()))
    return credits.group_by(client_id="client").agg(
        value=cash.sum().cast("float64") / credits.amount.sum().cast("float64"),
        **evidence(credits),
    )


@attribute("ratio", ages="balances", decimals=4, confidence=0.9)
def cross_border_share(facts: Facts, figures: Figures) -> ir.Table:
    """Cross-border entries as a share of the turnover in the window, 0 to 1."""
    first = facts.since(int(figures["cash_days"].value))
    entries = customer_entries(facts, figures, first).filter(_.amount > 0)
    abroad = ibis.ifelse(entries.is_cross_border, entries.number, 0.0)
    return entries.group_by(client_id="client").agg(
        value=abroad.sum() / entries.number.sum(), **evidence(entries)
    )


@attribute(
    "net amount by currency",
    ages="balances",
    decimals=None,
    purposes=("P2_PROFILE",),
    confidence=0.9,
)
def currency_exposure(facts: Facts, figures: Figures) -> ir.Table:
    """Credits less debits of the window in currencies other than that of the first account."""
    first = foremost(facts.table(OPENED), "client", _.opened_date, _.time)
    home = first.select("client", home="currency")
    entries = booked(facts, figures).filter(
        _.business_date >= facts.since(int(figures["cash_days"].value))
    )
    foreign = entries.join(home, "client").filter(_.currency != _.home)
    signed = ibis.ifelse(foreign.credit_debit_indicator == "DBIT", -1.0, 1.0) * foreign.number
    nets = foreign.mutate(signed=signed).group_by(["client", "currency"]).agg(net=_.signed.sum())
    word = nets.currency + ":" + rounded(nets.net, 2).cast("string")
    texts = (
        nets
        .mutate(word=word)
        .group_by(client_id="client")
        .agg(value=_.word.collect().sort().join(";"))
    )
    return texts.join(foreign.group_by(client_id="client").agg(**evidence(foreign)), "client_id")


@attribute("payments", ages="balances", purposes=("P2_PROFILE", "P6_SENSITIVE"), confidence=0.9)
def tuition_payments_12m(facts: Facts, figures: Figures) -> ir.Table:
    """Payments to schools within a year."""
    first = facts.since(int(figures["tuition_days"].value))
    paid = customer_entries(facts, figures, first).filter(_.credit_debit_indicator == "DBIT")
    tuition = paid.filter(paid.category.isin(list(figures["tuition_categories"].value)))
    return counted(
        facts.table(REGISTERED),
        tuition.group_by(client_id="client").agg(
            value=_.count().cast("float64"), **evidence(tuition)
        ),
    )


def _flow(facts: Facts, figures: Figures, window: int, *sides: str) -> ir.Table:
    """Mean of the closed months that the client was there from the first day."""
    first, end = closed_months(facts.business_date, window)
    months = full_months(facts, first, end)
    every = facts.once("monthly_flows", lambda: _monthly_flows(facts, figures))
    own = every.filter(_.first >= first, _.side.isin(sides))
    signed = ibis.ifelse((own.side == "DBIT") & (len(sides) > 1), -1, 1)
    joined = own.mutate(signed=own.total * signed).join(months, own.client == months.client_id)
    sums = joined.group_by("client_id").agg(
        value=_.signed.sum().cast("float64") / _.months.max(),
        sources=_newest_ids(joined.newest.collect().flatten()),
        source_time=_.source_time.max(),
    )
    return counted(months, sums)


def _monthly_flows(facts: Facts, figures: Figures) -> ir.Table:
    """(client, side, first, total, newest, source_time) of what came in and went out in each closed
    month that begins on a `first`: the exact total, and the newest facts of the month as structs. The
    windows of a year end with the same month, so that one look at the entries serves them all."""
    first, end = closed_months(facts.business_date, MONTHS_MAX)
    entries = in_whole_months(flows(facts, figures, first, end), facts)
    month = entries.business_date.truncate("M").cast("date").name("first")
    return entries.group_by(["client", entries.credit_debit_indicator.name("side"), month]).agg(
        total=_.amount.sum(),
        newest=newest_first(entries)[:SOURCES_MAX],
        source_time=_.time.max(),
    )


def _newest_ids(facts: ir.ArrayValue) -> ir.ArrayValue:
    return facts.sort()[:SOURCES_MAX].map(lambda fact: fact["event_id"])
