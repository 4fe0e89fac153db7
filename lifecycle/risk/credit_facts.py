"""The facts of every credit, as the credit lifecycle follows them."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.facts import Facts
from lifecycle.risk.credit_lifecycle import (
    APPLICATION_FACTS,
    APPROVED,
    DISTRESSED,
    FACILITY_FACTS,
    LIMIT_CHANGED,
    RESTRUCTURED,
    Credit,
    CreditFact,
    follow,
)

_COLUMNS = ("facility_id", "fact", "on", "event_id", "time", "position")


def credit_facts(facts: Facts) -> ir.Table:
    """(facility_id, fact, on, event_id) in the order `statuses` reads them: each facility's own, as
    they happened. What was said of an application is said of the facility it became."""
    approved = facts.table(APPROVED).select("application_id", "facility_id").distinct()
    parts = [_named(facts.table(name), name) for name in (*FACILITY_FACTS, LIMIT_CHANGED, APPROVED)]
    parts += [
        _named(facts.table(name).join(approved, "application_id"), name)
        for name in APPLICATION_FACTS
        if name != APPROVED
    ]
    ordered = ibis.union(*parts).order_by("facility_id", "time", "position")
    return ordered.drop("time", "position")


def statuses(rows: Iterable[Mapping[str, Any]]) -> dict[str, Credit]:
    """facility id -> its credit, from rows of `credit_facts`."""
    found = {}
    for facility, own in itertools.groupby(rows, operator.itemgetter("facility_id")):
        credit = Credit()
        for row in own:
            credit = follow(credit, CreditFact(**row))
        found[facility] = credit
    return found


def _named(table: ir.Table, name: str) -> ir.Table:
    fact: ir.Value = ibis.literal(name)
    if name == RESTRUCTURED:
        fact = ibis.ifelse(table.distressed, DISTRESSED, RESTRUCTURED)
    return table.mutate(fact=fact, on=_.business_date).select(*_COLUMNS)
