"""How money moves: in and out again, and out of a sleep."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.entries import OPENED
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.entries import DAY, HOUR, entries, money
from lifecycle.risk.aml.typology import Own, shown, typology


@typology("M02")
def rapid_in_out(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """快进快出: most of a large inflow leaves its account within hours, and little stays there."""
    every = entries(facts, figures)
    inflows = every.filter(_.side == "CRDT", _.cny >= money(own["amount"])).select(
        "client",
        "account_id",
        inflow_id="event_id",
        inflow_at="at",
        inflow="cny",
        inflow_time="time",
    )
    after = every.filter(_.side == "DBIT").view()
    pairs = inflows.join(
        after,
        [
            inflows.account_id == after.account_id,
            after.at >= inflows.inflow_at,
            after.at - inflows.inflow_at <= int(own["hours"]) * HOUR,
        ],
        rname="{name}_out",
    )
    so_far = ibis.range_window(preceding=None, following=0, group_by="inflow_id", order_by="at")
    running = pairs.mutate(outflow=_.cny.sum().over(so_far))
    found = running.filter(
        _.outflow * 100 >= _.inflow * int(own["percent_out"]),
        _.balance * 100 < _.inflow * int(own["percent_left"]),
    )
    hits = _first(found, "inflow_id").select(
        "client",
        "inflow_id",
        "inflow",
        "outflow",
        "balance",
        "inflow_time",
        day="business_date",
        until="at",
    )
    hits = _largest(hits, hits.inflow, "inflow_id")
    paid = pairs.select("inflow_id", "event_id", "time", "at").view()
    out = hits.join(paid, "inflow_id").filter(_.at <= _.until)
    columns = ("client", "day", "inflow", "outflow", "balance", "event_id", "time")
    both = ibis.union(
        out.select(*columns), hits.mutate(event_id=_.inflow_id, time=_.inflow_time).select(*columns)
    )
    return shown(both, "inflow", "outflow", "balance")


@typology("M04")
def dormant_reactivation(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """The client did nothing for long, then much of one side is booked within days."""
    every = entries(facts, figures)
    earlier = ibis.range_window(preceding=(None, 1), group_by="client", order_by="at")
    by_client = every.mutate(last_at=_.at.max(where=_.initiator == "CUSTOMER").over(earlier))
    opened = facts.table(OPENED).group_by(client="client").agg(opened=_.opened_date.min())
    known = by_client.left_join(opened, "client").drop("client_right")
    slept = ibis.ifelse(
        known.last_at.isnull(),
        known.business_date.delta(known.opened, unit="day").cast("int64"),
        ((known.at - known.last_at) / DAY).floor().cast("int64"),
    )
    woken = known.mutate(days_asleep=slept).filter(_.days_asleep >= int(own["days_asleep"]))
    woken = woken.select("client", "days_asleep", woken_id="event_id", woken_at="at")
    later = every.view()
    pairs = woken.join(
        later,
        [
            woken.client == later.client,
            later.at >= woken.woken_at,
            later.at - woken.woken_at < int(own["days"]) * DAY,
        ],
        rname="{name}_later",
    )
    so_far = ibis.range_window(
        preceding=None, following=0, group_by=["woken_id", "side"], order_by="at"
    )
    summed = pairs.mutate(total=_.cny.sum().over(so_far))
    found = _first(summed.filter(_.total >= money(own["amount"])), "woken_id").select(
        "client", "woken_id", "days_asleep", "total", "side", day="business_date", until="at"
    )
    found = _largest(found, found.days_asleep, "woken_id")
    moved = pairs.select("woken_id", "side", "event_id", "time", "at").view()
    inside = found.join(moved, ["woken_id", "side"]).filter(_.at <= _.until)
    return shown(
        inside.select("client", "day", "days_asleep", "total", "event_id", "time"),
        "days_asleep",
        "total",
    )


def _first(found: ir.Table, group: str) -> ir.Table:
    """The earliest entry of each group; of equal ones the same, however they came."""
    order = ibis.window(group_by=group, order_by=["at", "event_id"])
    return found.mutate(nth=ibis.row_number().over(order)).filter(_.nth == 0)


def _largest(hits: ir.Table, measure: ir.NumericColumn, tie: str) -> ir.Table:
    """One hit for each client and day: the one that says most."""
    order = ibis.window(group_by=["client", "day"], order_by=[ibis.desc(measure), tie])
    return hits.mutate(nth=ibis.row_number().over(order)).filter(_.nth == 0).drop("nth")
