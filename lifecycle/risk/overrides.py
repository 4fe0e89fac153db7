"""How often people decide against the score: applications granted or declined although the PD they were
decided on says otherwise."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts

APPROVED = "bank.credit.approved.v1"
DECLINED = "bank.credit.declined.v1"


def overrides(facts: Facts, figures: Figures) -> ir.Table:
    """One row (decisions, overrides) of the days that are looked back: decisions that carry a PD, and how
    many of them were against it."""
    policy = figures["override_policy"].value
    first = facts.since(int(policy["days"]))
    pd = _.pd_at_origination.cast("float64")
    granted, declined = (
        facts.table(name).filter(_.business_date >= first, _.pd_at_origination.notnull())
        for name in (APPROVED, DECLINED)
    )
    against = granted.select(against=pd >= float(policy["granted_from"])).union(
        declined.select(against=pd < float(policy["declined_below"]))
    )
    return against.agg(
        decisions=_.count(), overrides=ibis.coalesce(_.against.cast("int64").sum(), 0)
    )
