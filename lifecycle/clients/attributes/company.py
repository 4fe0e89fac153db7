"""What only companies have: revenue, partners, payroll, taxes, statements, groups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import ibis
import ibis.expr.types as ir
import msgspec
from ibis import _

from lifecycle.clients.attribute import (
    COMPANIES,
    SOURCES_MAX,
    Figures,
    attribute,
    both_sources,
    closed_months,
    evidence,
    latest,
    of_one,
    words,
)
from lifecycle.clients.attributes.balances import own_deposits
from lifecycle.clients.attributes.cashflow import net_cashflow_6m
from lifecycle.clients.attributes.credit import exposures
from lifecycle.clients.attributes.identity import LINKED, REGISTERED
from lifecycle.clients.attributes.income import full_months
from lifecycle.clients.entries import SNAPSHOT, closing_balances, flows, in_whole_months, spans_of
from lifecycle.clients.facts import Facts
from lifecycle.events.credit import Statement
from lifecycle.risk.statements import (
    altman_ratios,
    beneish_indexes,
    over,
    weighted,
    winsorised,
)

STATEMENT = "bank.client.financial_statement_filed.v1"

_LINES = tuple(field.name for field in msgspec.structs.fields(Statement))


@attribute("currency", ages="balances", decimals=2, confidence=0.8, clients=COMPANIES)
def revenue_observed_12m(facts: Facts, figures: Figures) -> ir.Table:
    """Credits of the last twelve closed months, annualised where the client was there for fewer."""
    first, end = closed_months(facts.business_date, 12)
    credits = _flows(facts, figures, first, end).filter(_.credit_debit_indicator == "CRDT")
    months = full_months(facts, first, end)
    inside = credits.join(months, credits.client == months.client_id).filter(
        _.business_date >= _.first_month,
        _.months >= int(figures["stability_months_least"].value),
    )
    return inside.group_by("client_id").agg(
        value=_.number.sum() * 12 / _.months.max(), **evidence(inside)
    )


@attribute("currency", ages="statements", decimals=2, confidence=0.7, clients=COMPANIES)
def revenue_declared(facts: Facts, figures: Figures) -> ir.Table:
    """Revenue of the newest statement filed."""
    return _line(facts, lambda now: now.revenue)


@attribute("ratio", ages="statements", decimals=4, confidence=0.7, clients=COMPANIES)
def revenue_growth(facts: Facts, figures: Figures) -> ir.Table:
    """Revenue of the newest statement against the one before, less one."""
    return _two_years(facts, lambda now, before: over(now.revenue, before.revenue) - 1)


@attribute("ratio", ages="balances", decimals=4, confidence=0.8, clients=COMPANIES)
def customer_concentration(facts: Facts, figures: Figures) -> ir.Table:
    """The share of the five largest payers in what came in within a year."""
    return _concentration(facts, figures, "CRDT")


@attribute("ratio", ages="balances", decimals=4, confidence=0.8, clients=COMPANIES)
def supplier_concentration(facts: Facts, figures: Figures) -> ir.Table:
    """The share of the five largest payees in what went out within a year, wages left out."""
    return _concentration(facts, figures, "DBIT")


@attribute("0 or 1", ages="income", confidence=0.8, clients=COMPANIES)
def payroll_regular(facts: Facts, figures: Figures) -> ir.Table:
    """Whether wages were paid in every one of the last closed months."""
    return _regular(facts, figures, list(figures["payroll_purposes"].value))


@attribute("payees", ages="income", confidence=0.5, clients=COMPANIES)
def payroll_headcount(facts: Facts, figures: Figures) -> ir.Table:
    """Different payees of wages in the last closed month: a proxy for the number of employees."""
    first, end = closed_months(facts.business_date, 1)
    wages = in_whole_months(_flows(facts, figures, first, end), facts).filter(
        _.credit_debit_indicator == "DBIT",
        _.purpose.isin(list(figures["payroll_purposes"].value)),
        _.partner.notnull(),
    )
    return wages.group_by(client_id="client").agg(
        value=wages.partner.nunique().cast("float64"), **evidence(wages)
    )


@attribute("0 or 1", ages="income", confidence=0.8, clients=COMPANIES)
def tax_payment_regular(facts: Facts, figures: Figures) -> ir.Table:
    """Whether taxes were paid in every one of the last closed months."""
    return _regular(facts, figures, list(figures["tax_purposes"].value))


@attribute("index", ages="balances", decimals=4, confidence=0.6, clients=COMPANIES)
def seasonality_index(facts: Facts, figures: Figures) -> ir.Table:
    """The strongest month's inflow of the last year for each unit of a mean month's: 1 is none."""
    first, end = closed_months(facts.business_date, 12)
    credits = _flows(facts, figures, first, end).filter(_.credit_debit_indicator == "CRDT")
    whole = full_months(facts, first, end).filter(_.months == 12)
    monthly = (
        credits
        .semi_join(whole, credits.client == whole.client_id)
        .group_by(client_id="client", month=credits.business_date.truncate("M"))
        .agg(total=_.number.sum())
    )
    peak = (
        monthly
        .group_by("client_id")
        .agg(value=_.total.max() * 12 / _.total.sum(), total=_.total.sum())
        .filter(_.total > 0)
        .drop("total")
    )
    return peak.join(credits.group_by(client_id="client").agg(**evidence(credits)), "client_id")


@attribute("days", ages="statements", decimals=1, confidence=0.7, clients=COMPANIES)
def receivable_days(facts: Facts, figures: Figures) -> ir.Table:
    """Receivables in days of revenue."""
    return _line(facts, lambda now: over(now.receivables, now.revenue) * 365)


@attribute("days", ages="statements", decimals=1, confidence=0.7, clients=COMPANIES)
def inventory_days(facts: Facts, figures: Figures) -> ir.Table:
    """Inventory in days of cost of sales."""
    return _line(facts, lambda now: over(now.inventory, now.cogs) * 365)


@attribute("days", ages="statements", decimals=1, confidence=0.7, clients=COMPANIES)
def payable_days(facts: Facts, figures: Figures) -> ir.Table:
    """Payables in days of cost of sales."""
    return _line(facts, lambda now: over(now.payables, now.cogs) * 365)


@attribute("ratio", ages="statements", decimals=4, confidence=0.7, clients=COMPANIES)
def current_ratio(facts: Facts, figures: Figures) -> ir.Table:
    """Current assets for each unit of current liabilities."""
    return _line(facts, lambda now: over(now.current_assets, now.current_liabilities))


@attribute("ratio", ages="statements", decimals=4, confidence=0.7, clients=COMPANIES)
def interest_cover(facts: Facts, figures: Figures) -> ir.Table:
    """Earnings before interest and tax for each unit of interest."""
    return _line(facts, lambda now: over(now.ebit, now.interest_expense))


@attribute("ratio", ages="statements", decimals=4, confidence=0.7, clients=COMPANIES)
def leverage(facts: Facts, figures: Figures) -> ir.Table:
    """Liabilities for each unit of assets."""
    return _line(facts, lambda now: over(now.total_liabilities, now.total_assets))


@attribute("ratio", ages="statements", decimals=4, confidence=0.7, clients=COMPANIES)
def operating_margin(facts: Facts, figures: Figures) -> ir.Table:
    """Earnings before interest and tax for each unit of revenue."""
    return _line(facts, lambda now: over(now.ebit, now.revenue))


@attribute("currency", ages="statements", decimals=2, confidence=0.7, clients=COMPANIES)
def statement_cash_change(facts: Facts, figures: Figures) -> ir.Table:
    """How cash changed from the statement before to the newest one."""
    return _two_years(facts, lambda now, before: now.cash - before.cash)


@attribute("score", ages="statements", decimals=4, confidence=0.7, clients=COMPANIES)
def altman_z2(facts: Facts, figures: Figures) -> ir.Table:
    """Altman's Z'' for private and non-manufacturing companies (Altman, Hotchkiss, Wang 2019), not for
    financial ones."""
    weights = figures["altman_z2_weights"].value
    scores = _line(facts, lambda now: weighted(weights, altman_ratios(now)))
    return _without_financial(scores, facts, figures)


@attribute("score", ages="statements", decimals=4, confidence=0.7, clients=COMPANIES)
def altman_z1(facts: Facts, figures: Figures) -> ir.Table:
    """Altman's Z' for private companies that manufacture (Altman 1983): a fifth ratio, sales by assets."""
    weights = figures["altman_z1_weights"].value
    scores = _line(facts, lambda now: weighted(weights, altman_ratios(now)))
    sections = list(figures["manufacturing_industries"].value)
    return scores.semi_join(_of_sections(facts, sections), "client_id")


@attribute("score", ages="statements", decimals=4, confidence=0.6, clients=COMPANIES, across=True)
def beneish_m(facts: Facts, figures: Figures) -> ir.Table:
    """Beneish's M of eight indexes (Beneish 1999): above -1.78 the earnings look made up. What of an
    index lies outside 1 to 99 % of all companies counts as the bound. An index of sales costs, asset
    quality or depreciation that cannot be had counts as 1. Not for financial companies, nor for those
    younger than two years."""
    weights = dict(figures["beneish_weights"].value)
    names = [name for name in weights if name != "CONSTANT"]
    population = _without_financial(_grown(_indexes(facts), facts, figures), facts, figures)
    share, least = figures["beneish_winsor_share"].value, figures["beneish_population_min"].value
    rows = winsorised(population, names, float(share), int(least))
    neutral = set(figures["beneish_neutral_when_missing"].value)
    terms = {n: ibis.coalesce(rows[n], 1.0) if n in neutral else rows[n] for n in names}
    scored = rows.select("client_id", "sources", "source_time", value=weighted(weights, terms))
    return scored.filter(_.value.notnull())


def _indexes(facts: Facts) -> ir.Table:
    """The eight indexes of every company with two years of statements."""
    joined, now, before = _year_and_before(facts)
    return joined.select(
        **_of_both(joined), **beneish_indexes(now, before), ended=joined.period_end
    )


def _grown(indexes: ir.Table, facts: Facts, figures: Figures) -> ir.Table:
    """Without companies that were too young when their newest statement ended."""
    years = int(figures["beneish_age_min"].value)
    born = latest(facts.table(REGISTERED), "client_id").select("client_id", "incorporation_date")
    joined = indexes.left_join(born, "client_id").drop("client_id_right")
    grown = joined.incorporation_date + ibis.interval(years=years) <= joined.ended
    return joined.filter(joined.incorporation_date.isnull() | grown).drop(
        "incorporation_date", "ended"
    )


@attribute("currency", ages="balances", decimals=2, confidence=0.8, clients=COMPANIES, across=True)
def group_exposure(facts: Facts, figures: Figures) -> ir.Table:
    """What is outstanding to the client and to the companies of its group, whoever said that they
    belong together."""
    own = exposures.derive(facts, figures)
    links = _related(facts, "GROUP").select("client", "other")
    group = links.union(links.select(client="other", other="client"), distinct=True)
    linked = group.join(own, group.other == own.client_id, rname="{name}_own")
    parts = own.union(
        linked.select(
            client_id="client", value="value", sources="sources", source_time="source_time"
        )
    )
    return parts.group_by("client_id").agg(
        value=_.value.sum(),
        sources=_.sources.collect().flatten().sort()[:SOURCES_MAX],
        source_time=_.source_time.max(),
    )


@attribute("ids and shares", ages="kyc", decimals=None, confidence=0.9, clients=COMPANIES)
def ubo_list(facts: Facts, figures: Figures) -> ir.Table:
    """Ultimate beneficial owners with their shares."""
    owners = _related(facts, "UBO")
    word = owners.other + ":" + ibis.coalesce(owners.share, "?")
    named = owners.mutate(word=word)
    return named.group_by(client_id="client").agg(value=words(named), **evidence(named))


@attribute("currency", ages="balances", decimals=2, confidence=0.9, across=True)
def guarantees_given(facts: Facts, figures: Figures) -> ir.Table:
    """What is outstanding to clients that name this one as their guarantor."""
    owed = exposures.derive(facts, figures)
    backed = _related(facts, "GUARANTOR")
    joined = backed.join(owed, backed.client == owed.client_id)
    return joined.group_by(client_id="other").agg(value=_.value.sum(), **evidence(joined))


@attribute("currency", ages="balances", decimals=2, confidence=0.9, clients=COMPANIES)
def bank_balance_change(facts: Facts, figures: Figures) -> ir.Table:
    """How closing balances changed over the period of the newest statement."""
    now = statements(facts).filter(_.nth == 0).select("client", "period_end")
    days = int(figures["statement_days"].value)
    # Few clients file statements, and the window is long.
    snapshots = facts.table(SNAPSHOT).semi_join(now, "client")
    balances = spans_of(closing_balances(snapshots, facts, days), facts, days)
    at = balances.join(now, "client")
    end = at.filter(_.start <= _.period_end, _.until > _.period_end)
    start_day = at.period_end - ibis.interval(years=1)
    begin = at.filter(_.start <= start_day, _.until > start_day)
    signed = end.mutate(signed=end.balance, side=1).union(
        begin.mutate(signed=-begin.balance, side=0)
    )
    both = signed.group_by(client_id="client").agg(value=_.signed.sum(), sides=_.side.nunique())
    used = signed.select("client", "event_id", "time").distinct()
    sources = used.group_by(client_id="client").agg(**evidence(used))
    return both.filter(_.sides == 2).drop("sides").join(sources, "client_id")


@attribute("currency", ages="balances", decimals=2, confidence=0.4, clients=COMPANIES)
def cash_gap_forecast_90d(facts: Facts, figures: Figures) -> ir.Table:
    """What will be in the accounts in three months if the mean month of the last six goes on: below
    zero is a gap."""
    now = own_deposits(facts, figures)
    monthly = net_cashflow_6m.derive(facts, figures)
    joined = now.join(monthly, "client_id", rname="{name}_flow")
    return joined.select(
        "client_id",
        value=joined.value + 3 * joined.value_flow,
        sources=both_sources(joined.sources, joined.sources_flow),
        source_time=ibis.greatest(joined.source_time, joined.source_time_flow),
    )


def _flows(facts: Facts, figures: Figures, first: dt.date, end: dt.date) -> ir.Table:
    """The flows of companies: most clients are none."""
    companies = facts.table(REGISTERED).filter(_.client_type.isin(COMPANIES))
    entries = flows(facts, figures, first, end)
    return entries.semi_join(companies, entries.client == companies.client_id)


def statements(facts: Facts) -> ir.Table:
    """Statements as numbers, newest version of each period, `nth` counted from the newest back;
    `first_filed` is when the period was filed at first."""
    return facts.once("statements", lambda: _read_statements(facts))


def _read_statements(facts: Facts) -> ir.Table:
    filed = facts.table(STATEMENT).filter(_.filed_at <= facts.business_date)
    version = ibis.window(
        group_by=["client", "period_end"], order_by=[ibis.desc("version"), ibis.desc("position")]
    )
    period = ibis.window(group_by=["client", "period_end"])
    newest = filed.mutate(
        newest=ibis.row_number().over(version), first_filed=_.filed_at.min().over(period)
    ).filter(_.newest == 0)
    lines = {name: newest.statement[name].cast("float64") for name in _LINES}
    nth = ibis.row_number().over(ibis.window(group_by="client", order_by=ibis.desc("period_end")))
    told = ("client", "event_id", "time", "period_end", "first_filed", "auditor_hash")
    return newest.select(*told, nth=nth, **lines)


def _line(facts: Facts, value: Callable[[Any], ir.Value]) -> ir.Table:
    """A figure of the newest statement."""
    now = statements(facts).filter(_.nth == 0)
    return of_one(now, value(now)).filter(_.value.notnull())


def _two_years(facts: Facts, value: Callable[[Any, Any], ir.Value]) -> ir.Table:
    """A figure of the newest statement and the one of the year before."""
    joined, now, before = _year_and_before(facts)
    return joined.select(value=value(now, before), **_of_both(joined)).filter(_.value.notnull())


def _year_and_before(facts: Facts) -> tuple[ir.Table, Any, Any]:
    """The newest statement of each company beside that of the year before, and the lines of both."""
    filed = statements(facts)
    now, before = filed.filter(_.nth == 0), filed.filter(_.nth == 1).view()
    years = [
        now.client == before.client,
        now.period_end.year() == before.period_end.year() + 1,
    ]
    joined = now.join(before, years, rname="{name}_before")
    earlier = SimpleNamespace(**{name: joined[f"{name}_before"] for name in _LINES})
    return joined, joined, earlier


def _of_both(joined: ir.Table) -> dict[str, ir.Value]:
    return {
        "client_id": joined.client,
        "sources": ibis.array([joined.event_id, joined.event_id_before]),
        "source_time": ibis.greatest(joined.time, joined.time_before),
    }


def _related(facts: Facts, relation: str) -> ir.Table:
    """(client, other, share, event_id, time) of a kind of relation, as it was last said."""
    said = facts.table(LINKED).filter(_.relation == relation)
    linked = latest(said, "client", "other_client_id")
    return linked.select(
        "client", "event_id", "time", other="other_client_id", share=_.share.cast("string")
    )


def _without_financial(scores: ir.Table, facts: Facts, figures: Figures) -> ir.Table:
    """Scores that mean nothing for who lives of lending."""
    sections = list(figures["financial_industries"].value)
    return scores.anti_join(_of_sections(facts, sections), "client_id")


def _of_sections(facts: Facts, sections: list[str]) -> ir.Table:
    """Companies of these sections of the industry classification."""
    return facts.table(REGISTERED).filter(_.industry_code.substr(0, 1).isin(sections))


def _concentration(facts: Facts, figures: Figures, side: str) -> ir.Table:
    first = facts.since(int(figures["concentration_days"].value))
    wages = list(figures["payroll_purposes"].value)
    end = facts.business_date + dt.timedelta(days=1)
    entries = _flows(facts, figures, first, end).filter(
        _.credit_debit_indicator == side,
        ~_.purpose.isin(wages).fill_null(False),
        _.amount > 0,
    )
    each = (
        entries
        .filter(_.partner.notnull())
        .group_by(["client", "partner"])
        .agg(total=_.number.sum())
    )
    rank = ibis.row_number().over(
        ibis.window(group_by="client", order_by=[ibis.desc("total"), "partner"])
    )
    ranked = each.mutate(rank=rank)
    largest = ibis.ifelse(ranked.rank < int(figures["largest_partners"].value), ranked.total, 0.0)
    shares = ranked.group_by(client_id="client").agg(value=largest.sum() / ranked.total.sum())
    return shares.join(entries.group_by(client_id="client").agg(**evidence(entries)), "client_id")


def _regular(facts: Facts, figures: Figures, purposes: list[str]) -> ir.Table:
    """1 when such a debit came in every closed month of the window, 0 when one lacks; nothing for
    who never paid any, nor for who was not there so long."""
    window = int(figures["regular_months"].value)
    first, end = closed_months(facts.business_date, window)
    paid = _flows(facts, figures, first, end).filter(
        _.credit_debit_indicator == "DBIT", _.purpose.isin(purposes)
    )
    whole = full_months(facts, first, end).filter(_.months == window)
    paid = paid.semi_join(whole, paid.client == whole.client_id)
    months = paid.business_date.truncate("M").nunique()
    return paid.group_by(client_id="client").agg(
        value=ibis.ifelse(months == window, 1.0, 0.0), **evidence(paid)
    )
