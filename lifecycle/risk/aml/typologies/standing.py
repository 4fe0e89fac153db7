"""What a client's loans and contacts say."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.attributes.identity import shared_contact_clients
from lifecycle.clients.attributes.income import income_declared_monthly, income_observed_monthly
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.typology import Own, numbers, shown, typology

DISBURSED = "bank.credit.disbursed.v1"
DUE = "bank.credit.repayment_due.v1"
MADE = "bank.credit.repayment_made.v1"
SETTLED = "bank.credit.settled.v1"


@typology("M11")
def early_settlement(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """A loan is settled early with much of its principal at once, and the client's income, observed or
    else declared, is too small a multiple of its instalment. An unknown income says nothing."""
    lent = (
        facts
        .table(DISBURSED)
        .group_by("facility_id")
        .agg(principal=_.amount.sum(), client=_.client.min())
    )
    instalments = (
        facts.table(DUE).group_by("facility_id").agg(instalment=_.total.max().cast("float64"))
    )
    settled = (
        facts
        .table(SETTLED)
        .filter(_.early)
        .group_by("facility_id")
        .agg(settled=_.settled_date.max())
    )
    loans = settled.join(lent, "facility_id").join(instalments, "facility_id")
    loans = loans.join(_incomes(facts, figures), "client")
    paid = facts.table(MADE).select("facility_id", "event_id", "time", "business_date", "amount")
    final = loans.join(paid, "facility_id").filter(
        _.business_date <= _.settled,
        _.settled.delta(_.business_date, unit="day") < int(own["days"]),
    )
    by_loan = ibis.window(group_by="facility_id")
    summed = final.mutate(repaid=final.amount.sum().over(by_loan))
    found = summed.filter(
        _.repaid * 100 >= _.principal * int(own["percent"]),
        _.income < _.instalment * float(own["times_instalment"]),
    )
    of_day = ibis.window(group_by=["client", "settled"])
    found = found.mutate(largest=found.repaid.max().over(of_day)).filter(_.repaid == _.largest)
    names = ("repaid", "principal", "income", "instalment")
    return shown(found.select("client", *names, "event_id", "time", day=_.settled), *names)


def _incomes(facts: Facts, figures: Figures) -> ir.Table:
    observed = income_observed_monthly.derive(facts, figures).select("client_id", seen="value")
    declared = income_declared_monthly.derive(facts, figures).select("client_id", said="value")
    both = observed.outer_join(declared, "client_id")
    return both.select(
        client=ibis.coalesce(both.client_id, both.client_id_right),
        income=ibis.coalesce(both.seen, both.said),
    )


@typology("M13")
def shared_contacts(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """Check CV14 fails: too many clients that are not related share a phone, an address or a device. It
    is a state, so it counts in full as long as it lasts."""
    sharing = shared_contact_clients.derive(facts, figures)
    limit = int(figures["cv14_clients_max"].value["FAIL"])
    found = sharing.filter(sharing.value > limit).rename(clients="value")
    return found.select(
        "client_id",
        "sources",
        day=ibis.literal(facts.business_date),
        figures=numbers(found, "clients"),
    )
