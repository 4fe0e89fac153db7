"""What a picture of a client shows: closing balances by day, and flows by month."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import ibis
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.entries import daily_balances, flows
from lifecycle.clients.facts import Facts
from lifecycle.ports import Engine

Balances = list[tuple[dt.date, float]]


class Flow(NamedTuple):
    """What came in and went out in the month that begins on a date."""

    month: dt.date
    inflow: float
    outflow: float


def balances_and_flows(
    engine: Engine, facts: Facts, figures: Figures
) -> tuple[Balances, list[Flow]]:
    """Of the year up to the facts' date: (day, balance) and flows by month."""
    days = int(figures["picture_days"].value)
    daily = daily_balances(facts, days).group_by("day").agg(balance=_.balance.sum())
    end = facts.business_date + dt.timedelta(days=1)
    entries = flows(facts, figures, facts.since(days).replace(day=1), end)
    came = entries.credit_debit_indicator == "CRDT"
    monthly = entries.group_by(month=entries.business_date.truncate("M").cast("date")).agg(
        inflow=ibis.ifelse(came, entries.number, 0.0).sum(),
        outflow=ibis.ifelse(came, 0.0, entries.number).sum(),
    )
    return (
        [(r["day"], r["balance"]) for r in engine.run(daily.order_by("day")).to_pylist()],
        [Flow(**row) for row in engine.run(monthly.order_by("month")).to_pylist()],
    )
