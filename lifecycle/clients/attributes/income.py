"""What the client earns: as the bank sees it, and as the client says."""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import (
    PERSONS,
    SOURCES_MAX,
    Figures,
    attribute,
    closed_months,
    evidence,
    latest,
    of_one,
    quotient,
)
from lifecycle.clients.attributes.identity import declared
from lifecycle.clients.entries import (
    first_full_month,
    flows,
    in_whole_months,
    income_entries,
)
from lifecycle.clients.facts import Facts

APPLIED = "bank.credit.application_submitted.v1"


@attribute("currency/month", ages="income", decimals=2, confidence=0.8)
def income_observed_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """Median month of recurring inflows: one payer or purpose, often, at a steady amount and day."""
    return (
        _recurring_months(facts, figures)
        .group_by("client_id")
        .agg(
            value=_.total.median(),
            sources=_.ids.collect().flatten().sort()[:SOURCES_MAX],
            source_time=_.newest.max(),
        )
    )


@attribute("months", ages="income", confidence=0.8)
def income_months(facts: Facts, figures: Figures) -> ir.Table:
    """In how many closed months of the window recurring inflows came."""
    return (
        _recurring_months(facts, figures)
        .group_by("client_id")
        .agg(
            value=_.count().cast("float64"),
            sources=_.ids.collect().flatten().sort()[:SOURCES_MAX],
            source_time=_.newest.max(),
        )
    )


@attribute("currency/month", ages="kyc", decimals=2, confidence=0.5)
def income_declared_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """What the client said to earn in a month."""
    return declared(facts, "declared_income_monthly", "float64")


@attribute("ratio", ages="income", decimals=4, confidence=0.5)
def income_gap_ratio(facts: Facts, figures: Figures) -> ir.Table:
    """Observed income for each unit of declared income."""
    return quotient(
        income_observed_monthly.derive(facts, figures),
        income_declared_monthly.derive(facts, figures),
    )


@attribute("ratio", ages="income", decimals=4, confidence=0.8)
def income_stability(facts: Facts, figures: Figures) -> ir.Table:
    """One less the coefficient of variation of monthly inflows, at least zero: 1 is steady. Over the
    closed months of a year that the client was there from the first day, three at least."""
    window = int(figures["stability_months"].value)
    first, end = closed_months(facts.business_date, window)
    inflows = flows(facts, figures, first, end).filter(_.credit_debit_indicator == "CRDT")
    credits = in_whole_months(inflows, facts)
    monthly = credits.group_by([
        "client",
        credits.business_date.truncate("M").cast("date").name("month"),
    ]).agg(total=_.number.sum())
    months = full_months(facts, first, end)
    inside = monthly.join(months, monthly.client == months.client_id)
    # A month without inflow is a month of nothing: it counts.
    sums = inside.group_by("client_id").agg(
        mean=_.total.sum() / _.months.max(),
        square=(_.total * _.total).sum() / _.months.max(),
        months=_.months.max(),
    )
    variation = (ibis.greatest(sums.square - sums.mean * sums.mean, 0.0)).sqrt() / sums.mean
    steady = sums.filter(
        sums.months >= int(figures["stability_months_least"].value), sums.mean > 0
    ).select("client_id", value=1 - ibis.least(variation, 1.0))
    return steady.join(credits.group_by(client_id="client").agg(**evidence(credits)), "client_id")


@attribute("months", ages="income", confidence=0.8, clients=PERSONS)
def job_stability_months(facts: Facts, figures: Figures) -> ir.Table:
    """Full months since the payer of today's salary first paid one."""
    paid = salaries(facts, figures, None)
    now = latest(paid, "client").select("client", "payer")
    first = (
        paid
        .semi_join(now, ["client", "payer"])
        .group_by(client_id="client")
        .agg(since=_.business_date.min(), **evidence(paid))
    )
    today, since = facts.business_date, first.since
    months = (today.year - since.year()) * 12 + (today.month - since.month())
    begun = ibis.ifelse(since.day() > today.day, 1, 0)
    return first.select(
        "client_id", "sources", "source_time", value=(months - begun).cast("float64")
    )


@attribute("changes", ages="income", confidence=0.8, clients=PERSONS)
def payer_changes_24m(facts: Facts, figures: Figures) -> ir.Table:
    """How many payers of a salary came after the first one of the last two years."""
    window = int(figures["payer_days"].value)
    paid = salaries(facts, figures, facts.since(window))
    return paid.group_by(client_id="client").agg(
        value=(_.payer.nunique() - 1).cast("float64"), **evidence(paid)
    )


@attribute("hash", ages="income", decimals=None, confidence=0.8, clients=PERSONS)
def salary_payer(facts: Facts, figures: Figures) -> ir.Table:
    """The name hash of who paid the newest salary."""
    paid = salaries(facts, figures, facts.since(int(figures["payer_days"].value)))
    newest = latest(paid.filter(_.partner.notnull()), "client")
    return of_one(newest, newest.partner)


@attribute("hash", ages="kyc", decimals=None, confidence=0.5, clients=PERSONS)
def employer_declared(facts: Facts, figures: Figures) -> ir.Table:
    """The employer the client named, as a name hash."""
    return declared(facts, "employer", "string")


@attribute("currency/month", ages="kyc", decimals=2, confidence=0.5)
def application_income_declared(facts: Facts, figures: Figures) -> ir.Table:
    """The income a credit application of the window relied on."""
    applied = facts.table(APPLIED)
    first = facts.since(int(figures["application_days"].value))
    relied = latest(
        applied.filter(applied.declared_income_monthly.notnull(), applied.business_date >= first),
        "client",
    )
    return of_one(relied, relied.declared_income_monthly.cast("float64"))


def salaries(facts: Facts, figures: Figures, first: dt.date | None) -> ir.Table:
    """Inflows that say they are salary or pension, with `payer`, from a date on."""
    paid = income_entries(facts, figures).filter(_.credit_debit_indicator == "CRDT")
    if first:
        paid = paid.filter(_.business_date >= first)
    return paid.mutate(payer=ibis.coalesce(paid.partner, paid.purpose))


def full_months(facts: Facts, first: dt.date, end: dt.date) -> ir.Table:
    """(client_id, event_id, time, first_month, months): how many whole months of [first, end) a
    client was there, from which on, and the opening of the account that says so."""
    began = first_full_month(facts)
    start = ibis.greatest(began.first_month, ibis.literal(first))
    months = (end.year * 12 + end.month) - (start.year() * 12 + start.month())
    return began.select("client_id", "event_id", "time", first_month=start, months=months).filter(
        _.months > 0
    )


def _recurring_months(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, month, total, ids, newest) of the inflows that recur."""
    return facts.once("recurring_months", lambda: _found_recurring(facts, figures))


def _found_recurring(facts: Facts, figures: Figures) -> ir.Table:
    first, end = closed_months(facts.business_date, int(figures["income_months"].value))
    purposes = list(figures["income_purposes"].value)
    inflows = flows(facts, figures, first, end).filter(_.credit_debit_indicator == "CRDT")
    credits = in_whole_months(inflows, facts)
    payer = ibis.coalesce(
        ibis.ifelse(credits.purpose.isin(purposes), credits.purpose, ibis.null("string")),
        credits.partner,
    )
    credits = credits.mutate(payer=payer).filter(_.payer.notnull())
    spread = _.business_date.day().max() - _.business_date.day().min()
    steady = (
        credits
        .group_by(["client", "payer"])
        .agg(n=_.count(), variation=_.number.std(how="pop") / _.number.mean(), spread=spread)
        .filter(
            _.n >= int(figures["income_occurrences"].value),
            _.variation <= float(figures["income_variation_max"].value),
            _.spread <= int(figures["income_day_spread_max"].value),
        )
    )
    recurring = credits.semi_join(steady, ["client", "payer"])
    return recurring.group_by(
        client_id=recurring.client, month=recurring.business_date.truncate("M")
    ).agg(total=_.number.sum(), ids=_.event_id.collect(), newest=_.time.max())
