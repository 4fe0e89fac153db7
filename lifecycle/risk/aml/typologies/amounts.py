"""How large and how round: single amounts and sums within a sliding window."""

from __future__ import annotations

from decimal import Decimal

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, latest
from lifecycle.clients.attributes.company import STATEMENT
from lifecycle.clients.attributes.identity import DECLARED
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.clients import client_types
from lifecycle.risk.aml.entries import DAY, entries, money, rate_of
from lifecycle.risk.aml.typology import Own, completed, shown, trailing, typology


@typology("M01")
def structuring(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """化整为零: several cash entries of one side, each a little below the reporting threshold."""
    span, by = int(own["days"]) * DAY, ("client", "side")
    least = Decimal(own["amount"]) * int(own["percent_least"]) / 100
    below = entries(facts, figures).filter(
        _.is_cash, _.cny >= money(str(least)), _.cny < money(own["amount"])
    )
    window = trailing(span, *by)
    summed = below.mutate(entries=_.count().over(window), total=_.cny.sum().over(window))
    found = summed.filter(_.entries >= int(own["entries"]), _.total >= money(own["total"]))
    return completed(found, below, span, by, "entries", "total")


@typology("M07")
def beyond_the_profile(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """More comes in than the client says to earn. Loans and money back from products are no inflow."""
    span, by = int(own["days"]) * DAY, ("client",)
    borrowed = list(figures["flow_excluded_credit_purposes"].value)
    invested = list(figures["flow_excluded_purposes"].value)
    inflows = entries(facts, figures).filter(
        _.side == "CRDT", ~_.purpose.isin(borrowed + invested).fill_null(False)
    )
    summed = inflows.mutate(inflow=_.cny.sum().over(trailing(span, *by)))
    known = summed.join(_expected(facts, figures, own), "client")
    found = known.filter(known.inflow.cast("float64") > known.excessive_from)
    return completed(found, inflows, span, by, "inflow", "expected", "excessive_from")


def _expected(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """(client, expected, excessive_from), in yuan: what a month should bring, by the newest declaration of a
    person and the newest statement of a company, and the multiple of it that is too much."""
    said = facts.table(DECLARED).mutate(
        monthly=_.declared_income_monthly.cast("float64"), times=float(own["times_income"])
    )
    filed = facts.table(STATEMENT).mutate(
        monthly=_.statement["revenue"].cast("float64") / 12, times=float(own["times_revenue"])
    )
    persons, companies = (
        latest(table.filter(table.monthly > 0), "client")
        .mutate(expected=lambda t: t.monthly * rate_of(t.currency, figures))
        .select("client", "expected", "times", client_type=ibis.literal(kind))
        for table, kind in ((said, "INDIVIDUAL"), (filed, "CORPORATE"))
    )
    known = persons.union(companies).join(client_types(facts), ["client", "client_type"])
    return known.select("client", "expected", excessive_from=known.expected * known.times)


@typology("M08")
def round_amounts(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """Most of many entries are round."""
    span, by, window = (
        int(own["days"]) * DAY,
        ("client",),
        trailing(int(own["days"]) * DAY, "client"),
    )
    every = entries(facts, figures)
    is_round = (every.cny > 0) & (every.cny % int(own["multiple"]) == 0)
    counted = every.mutate(
        entries=every.count().over(window),
        round_entries=is_round.cast("int64").sum().over(window),
    )
    found = counted.filter(
        _.entries >= int(own["entries"]),
        _.round_entries * 100 >= _.entries * int(own["percent"]),
    )
    return completed(found, every, span, by, "entries", "round_entries")


@typology("M09")
def large_cross_border(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """A day's cross-border money of one side: a person's beyond an amount, or anybody's a multiple of
    the client's own largest day before."""
    abroad = entries(facts, figures).filter(_.is_cross_border).mutate(day=_.business_date)
    sides = abroad.group_by("client", "side", "day").agg(total=_.cny.sum())
    days = sides.group_by("client", "day").agg(total=_.total.max())
    before = ibis.window(group_by="client", order_by="day", preceding=(None, 1))
    compared = days.mutate(largest_before=_.total.max().over(before))
    known = compared.join(client_types(facts), "client")
    large = (known.client_type == "INDIVIDUAL") & (known.total >= money(own["amount"]))
    grown = (known.total >= money(own["amount_least"])) & (
        known.total >= known.largest_before * int(own["times_own"])
    )
    found = known.filter(large | grown.fill_null(False)).mutate(
        largest_before=_.largest_before.fill_null(money("0"))
    )
    inside = found.join(sides, ["client", "day", "total"]).join(abroad, ["client", "side", "day"])
    return shown(inside, "total", "largest_before")


@typology("M10")
def company_to_persons(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """A company pays persons, often or much, and it is no payroll: not by its purpose, nor a payee who
    gets about the same every month."""
    span, by = int(own["days"]) * DAY, ("client",)
    purposes = [*figures["payroll_purposes"].value, *figures["tax_purposes"].value]
    companies = client_types(facts).filter(_.client_type == "CORPORATE")
    paid = entries(facts, figures).filter(
        _.side == "DBIT",
        ~_.is_cash,
        _.partner_type == "PERSON",
        ~_.purpose.isin(purposes).fill_null(False),
    )
    paid = paid.semi_join(companies, "client")
    steady = _steady_payees(paid, figures)
    transfers = paid.anti_join(steady, ["client", "partner"])
    window = trailing(span, *by)
    summed = transfers.mutate(transfers=_.count().over(window), total=_.cny.sum().over(window))
    found = summed.filter((_.transfers >= int(own["transfers"])) | (_.total >= money(own["total"])))
    return completed(found, transfers, span, by, "transfers", "total")


def _steady_payees(paid: ir.Table, figures: Figures) -> ir.Table:
    """(client, partner) of who is paid about the same in several months: wages by another name."""
    paid = paid.mutate(number=_.cny.cast("float64"), month=_.business_date.truncate("M"))
    payees = (
        paid
        .filter(_.partner.notnull())
        .group_by(["client", "partner"])
        .agg(
            months=_.month.nunique(),
            n=_.count(),
            variation=_.number.std(how="pop") / _.number.mean(),
        )
    )
    return payees.filter(
        _.months >= int(figures["income_occurrences"].value),
        _.n <= _.months,
        _.variation <= float(figures["income_variation_max"].value),
    )
