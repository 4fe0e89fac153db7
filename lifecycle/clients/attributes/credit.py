"""What the client owes here and elsewhere, and how it is paid."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import (
    Figures,
    attribute,
    counted,
    evidence,
    foremost,
    latest,
    of_one,
    quotient,
)
from lifecycle.clients.attributes.identity import REGISTERED
from lifecycle.clients.attributes.income import income_observed_monthly
from lifecycle.clients.attributes.products import DISBURSED, SETTLED
from lifecycle.clients.entries import all_booked
from lifecycle.clients.facts import Facts
from lifecycle.risk.classification import facilities
from lifecycle.risk.facility_log import DUE, repayments
from lifecycle.risk.triggers import TIERS

UTILISATION = "bank.credit.utilisation_snapshot.v1"
INQUIRY = "bank.credit.bureau_inquiry.v1"
REPORT = "bank.credit.bureau_report_received.v1"


@attribute("currency", ages="balances", decimals=2)
def exposures(facts: Facts, figures: Figures) -> ir.Table:
    """What is outstanding on all facilities."""
    owed = _of_facilities(facts, figures, _.outstanding.sum().cast("float64"))
    return counted(facts.table(REGISTERED), owed)


@attribute("days", ages="balances")
def days_past_due(facts: Facts, figures: Figures) -> ir.Table:
    """Days past due of the worst facility."""
    return _of_facilities(facts, figures, _.dpd.max().cast("float64"))


@attribute("days", ages="balances")
def max_dpd_12m(facts: Facts, figures: Figures) -> ir.Table:
    """The most days an instalment that was unpaid within the year was past due in that time."""
    late = _lateness(facts).filter(
        _.paid_on >= facts.since(int(figures["missed_days"].value)), _.days > 0
    )
    worst = foremost(late, "client", _.days.desc(), _.time.desc())
    # A client that borrowed and was never late has none, which the loan says.
    loan = foremost(facts.table(DISBURSED), "client", _.time.desc())
    clients = loan.select("event_id", "time", client_id="client")
    return counted(clients, of_one(worst, worst.days.cast("float64")))


@attribute("stage", ages="balances")
def stage(facts: Facts, figures: Figures) -> ir.Table:
    """IFRS 9 stage of the worst facility."""
    return _of_facilities(facts, figures, _.stage.max().cast("float64"))


@attribute("tier", ages="balances", decimals=None)
def five_tier(facts: Facts, figures: Figures) -> ir.Table:
    """Five-tier class of the worst facility."""
    ranked = facilities(facts, figures)
    rank = ranked.tier.cases(*[(tier, number) for number, tier in enumerate(TIERS)])
    worst = _of_facilities(facts, figures, rank.max())
    return worst.mutate(value=worst.value.cases(*enumerate(TIERS)))


@attribute("ratio", ages="balances", decimals=4, confidence=0.9)
def utilisation(facts: Facts, figures: Figures) -> ir.Table:
    """What is drawn of all lines that are not settled, for each unit of their limits."""
    drawn = facts.table(UTILISATION).anti_join(facts.table(SETTLED), "facility_id")
    newest = latest(drawn, "facility_id")
    return (
        newest
        .group_by(client_id="client")
        .agg(
            drawn=_.drawn.cast("float64").sum(),
            total=newest["limit"].cast("float64").sum(),
            **evidence(newest),
        )
        .filter(_.total > 0)
        .select("client_id", "sources", "source_time", value=_.drawn / _.total)
    )


@attribute("currency/month", ages="balances", decimals=2, confidence=0.9)
def instalments_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """The newest instalment of every facility that is not settled, added up."""
    due = facts.table(DUE).anti_join(facts.table(SETTLED), "facility_id")
    newest = latest(due.filter(due.due_date <= facts.business_date), "facility_id")
    owed = newest.group_by(client_id="client").agg(
        value=_.total.cast("float64").sum(), **evidence(newest)
    )
    return counted(facts.table(REGISTERED), owed)


@attribute("ratio", ages="income", decimals=4, confidence=0.8)
def dsti(facts: Facts, figures: Figures) -> ir.Table:
    """Debt service to income: instalments a month for each unit of observed income."""
    return quotient(
        instalments_monthly.derive(facts, figures), income_observed_monthly.derive(facts, figures)
    )


@attribute("inquiries", ages="kyc", confidence=0.9)
def credit_inquiries_6m(facts: Facts, figures: Figures) -> ir.Table:
    """Hard inquiries at a credit bureau within half a year."""
    first = facts.since(int(figures["inquiry_days"].value))
    asked = facts.table(INQUIRY).filter(_.hard, _.business_date >= first)
    return counted(
        facts.table(REGISTERED),
        asked.group_by(client_id="client").agg(
            value=_.inquiry_id.nunique().cast("float64"), **evidence(asked)
        ),
    )


@attribute("currency", ages="kyc", decimals=2, confidence=0.9)
def bureau_total_debt(facts: Facts, figures: Figures) -> ir.Table:
    """All debts a credit bureau knows of, from its newest report."""
    report = latest(facts.table(REPORT), "client")
    return of_one(report, report.total_debt.cast("float64"))


@attribute("lenders", ages="kyc", confidence=0.9)
def bureau_lenders(facts: Facts, figures: Figures) -> ir.Table:
    """How many lenders a credit bureau knows of, from its newest report."""
    report = latest(facts.table(REPORT), "client")
    return of_one(report, report.n_lenders.cast("float64"))


@attribute("purpose code", ages="kyc", decimals=None)
def loan_purpose(facts: Facts, figures: Figures) -> ir.Table:
    """What the newest loan was said to be for."""
    said = facts.table(DISBURSED).filter(_.declared_purpose_code.notnull())
    newest = latest(said, "client")
    return of_one(newest, newest.declared_purpose_code)


@attribute("payee type", ages="kyc", decimals=None, confidence=0.7)
def loan_payee_type(facts: Facts, figures: Figures) -> ir.Table:
    """Who got the largest payment soon after the newest loan that was paid out to the client itself."""
    paid_out = facts.table(DISBURSED).filter(_.payment_mode == "SELF")
    lent = latest(paid_out, "client").select("client", lent_on="business_date")
    days = int(figures["proceeds_days"].value)
    debits = all_booked(facts).filter(
        _.credit_debit_indicator == "DBIT", _.partner_type.notnull(), _.partner_type != "OWN"
    )
    after = debits.join(lent, "client")
    late = after.business_date.delta(after.lent_on, unit="day")
    soon = after.filter(late >= 0, late <= days)
    largest = ibis.window(group_by="client", order_by=[ibis.desc("number"), "event_id"])
    first = soon.mutate(nth=ibis.row_number().over(largest)).filter(_.nth == 0)
    return of_one(first, first.partner_type)


def _of_facilities(facts: Facts, figures: Figures, value: ir.Deferred) -> ir.Table:
    own = facilities(facts, figures)
    return own.group_by("client_id").agg(value=value, **evidence(own))


def _lateness(facts: Facts) -> ir.Table:
    """(client, event_id, time, paid_on, days) of each instalment that fell due: money pays the oldest
    first, so an instalment is paid when the running sum of payments reaches that of instalments."""
    due = facts.table(DUE).filter(_.due_date <= facts.business_date)
    made = repayments(facts)
    owed = due.select(
        "client",
        "event_id",
        "time",
        "due_date",
        facility="facility_id",
        level=_added_up(due.total, due.facility_id, [due.due_date, due.instalment_no, due.event_id])
        - 0.005,
        paid_on=ibis.null("date"),
        owed=1,
    )
    paid = made.select(
        client=ibis.null("string"),
        event_id="event_id",
        time="time",
        due_date=ibis.null("date"),
        facility="facility_id",
        level=_added_up(
            made.pays, made.facility_id, [made.business_date, made.time, made.event_id]
        ),
        paid_on="business_date",
        owed=0,
    )
    # From the highest sum down, so that all payments that reach an instalment's stand before it: one
    # sort, where a join would hold every instalment against every payment.
    levels = owed.union(paid)
    downwards = ibis.window(
        group_by=levels.facility,
        order_by=[levels.level.desc(), levels.owed, levels.event_id],
        preceding=None,
        following=0,
    )
    each = levels.mutate(reached=levels.paid_on.min().over(downwards)).filter(_.owed == 1)
    paid_on = ibis.coalesce(each.reached, ibis.literal(facts.business_date))
    return each.select(
        "client",
        "event_id",
        "time",
        paid_on=paid_on,
        days=paid_on.delta(each.due_date, unit="day"),
    )


def _added_up(amount: ir.Value, group: ir.Value, order: list[ir.Value]) -> ir.FloatingValue:
    """The running sum of an amount in a group."""
    window = ibis.window(group_by=group, order_by=order, preceding=None, following=0)
    return amount.cast("float64").sum().over(window)
