"""The statutory list of large transactions: what compliance has to look at and report. It is a list
and no score, and nothing is filed from here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, evidence, rounded
from lifecycle.clients.entries import customer_entries
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.clients import client_types
from lifecycle.risk.aml.entries import HOME, rate_of

DOLLAR = "USD"
_MONEY = "decimal(38, 4)"


def large_transactions(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, day, kind, side, currency, amount, threshold, entries, single, sources): clients whose
    entries of one day, kind and side reach the threshold, alone (`single`) or together. Entries in yuan
    are added up in yuan, all others in dollars by the rates of the rules."""
    entries = _by_kind(facts, figures)
    sums = entries.group_by("client_id", "kind", "side", "currency", day="business_date").agg(
        amount=_.amount.sum(),
        largest=_.amount.max(),
        threshold=_.threshold.max(),
        entries=_.count(),
        **evidence(entries),
    )
    return (
        sums
        .filter(_.amount >= _.threshold)
        .mutate(single=_.largest >= _.threshold)
        .drop("largest", "source_time")
    )


def _by_kind(facts: Facts, figures: Figures) -> ir.Table:
    """Entries with the kind the law knows them as, the amount in its currency, and the threshold."""
    since = facts.since(int(figures["aml_large_days"].value))
    every = customer_entries(facts, figures, since)
    known = every.join(client_types(facts), "client")
    person = known.client_type == "INDIVIDUAL"
    kind = ibis.cases(
        (known.is_cash, "cash"),
        (~person, "transfer_corporate"),
        (known.is_cross_border, "cross_border_individual"),
        else_="transfer_individual",
    )
    home = known.currency == HOME
    dollars = known.number * rate_of(known.currency, figures) / _dollar_rate(figures)
    thresholds: Mapping[str, Mapping[str, str]] = figures["aml_large"].value
    limits = [
        ((kind == name) & (home if unit == HOME else ~home), Decimal(limit))
        for name, own in thresholds.items()
        for unit, limit in own.items()
    ]
    return known.select(
        "business_date",
        "event_id",
        "time",
        client_id="client",
        kind=kind,
        side="credit_debit_indicator",
        currency=ibis.ifelse(home, HOME, DOLLAR),
        amount=rounded(ibis.ifelse(home, known.number, dollars), 4).cast(_MONEY),
        threshold=ibis.cases(*limits).cast(_MONEY),
    )


def _dollar_rate(figures: Figures) -> float:
    return float(figures["aml_rates"].value[DOLLAR])


def due_date(day: dt.date, figures: Figures) -> dt.date:
    """The last working day on which a transaction of `day` may be reported."""
    own: Mapping[str, Any] = figures["aml_large_due"].value
    return working_days_after(day, int(own["working_days"]), own["weekdays"], own["holidays"])


def working_days_after(
    day: dt.date, count: int, weekdays: Iterable[int], holidays: Iterable[str]
) -> dt.date:
    """The `count`-th working day after a day. Weekdays are ISO numbers, holidays dates as text."""
    worked, closed = set(weekdays), set(holidays)
    while count:
        day += dt.timedelta(days=1)
        if day.isoweekday() in worked and day.isoformat() not in closed:
            count -= 1
    return day
