"""Peer groups: clients of one type, industry, income and age, among whom one may stand out."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from lifecycle.clients.attribute import Figures
from lifecycle.clients.attributes.company import revenue_declared
from lifecycle.clients.attributes.identity import age
from lifecycle.clients.attributes.income import income_declared_monthly, income_observed_monthly
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.clients import registered

UNKNOWN = "?"


def peers(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, peer_group). The income is what is observed, else what is declared; of a company a
    twelfth of the revenue it filed. What is not known is a band of its own."""
    clients = registered(facts).select("client_id", "client_type", "industry_code")
    incomes = _incomes(facts, figures)
    ages = age.derive(facts, figures).select("client_id", years="value")
    known = clients.left_join(incomes, "client_id").drop("client_id_right")
    known = known.left_join(ages, "client_id").drop("client_id_right")
    section = ibis.coalesce(known.industry_code.substr(0, 1), UNKNOWN)
    income = _band(known.income, figures["aml_income_bands"].value)
    years = _band(known.years, figures["aml_age_bands"].value)
    return known.select(
        "client_id",
        peer_group=known.client_type + "|" + section + "|" + income + "|" + years,
    )


def _incomes(facts: Facts, figures: Figures) -> ir.Table:
    observed = income_observed_monthly.derive(facts, figures)
    declared = income_declared_monthly.derive(facts, figures)
    revenue = revenue_declared.derive(facts, figures)
    ranked = ibis.union(
        observed.select("client_id", "value", rank=1),
        declared.select("client_id", "value", rank=2),
        revenue.select("client_id", value=revenue.value / 12, rank=0),
    )
    best = ibis.window(group_by="client_id", order_by="rank")
    first = ranked.mutate(nth=ibis.row_number().over(best)).filter(ibis._.nth == 0)
    return first.select("client_id", income="value")


def _band(number: ir.NumericValue, bounds: Sequence[int]) -> ir.StringValue:
    """The band of a number: the highest bound it reaches, 0 below the first."""
    reached = [(number >= bound, str(bound)) for bound in sorted(bounds, reverse=True)]
    return ibis.ifelse(number.isnull(), UNKNOWN, ibis.cases(*reached, else_="0"))
