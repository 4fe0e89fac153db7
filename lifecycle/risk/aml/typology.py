"""What a typology is: a function that finds hits, and how it shows what a hit rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import msgspec
from ibis import _

from lifecycle.clients.attribute import Figures, evidence, rounded
from lifecycle.clients.facts import Facts

Own = Mapping[str, Any]
"""The windows, thresholds and points of one typology, as rules/aml.yaml has them."""
Find = Callable[[Facts, Figures, Own], ir.Table]


class Typology(msgspec.Struct, frozen=True):
    """One typology. `find` gives (client_id, day, sources, figures): the business date on which it was
    completed, ids of at most twenty of the facts that complete it, and the numbers that show it."""

    code: str
    find: Find

    def hits(self, facts: Facts, figures: Figures) -> ir.Table:
        """Its hits of the days that still count: one row per client and day, with code and points."""
        own: Own = figures[f"aml_{self.code.lower()}"].value
        found = self.find(facts, figures, own)
        first = facts.since(int(figures["aml_hit_days"].value))
        return found.filter(found.day >= first).select(
            "client_id",
            "day",
            "sources",
            "figures",
            code=ibis.literal(self.code),
            points=ibis.literal(int(own["points"])).cast("int64"),
        )


def typology(code: str) -> Callable[[Find], Typology]:
    """Make a function the typology of a code."""
    return lambda find: Typology(code, find)


def trailing(span: int, *by: str) -> Any:
    """The window of all entries of a group that are less than `span` microseconds older."""
    return ibis.range_window(preceding=span - 1, following=0, group_by=list(by), order_by="at")


def completed(
    found: ir.Table, among: ir.Table, span: int, by: tuple[str, ...], *names: str
) -> ir.Table:
    """Hits of the entries `found` to complete a window of `among`: the last one of each client and
    day, with the entries of its window and its columns `names` as figures."""
    last = last_of_day(found).select(*by, "at", *names, day="business_date")
    inner = among.select(*by, "event_id", "time", inner_at="at")
    inside = last.join(inner, list(by)).filter(_.at >= _.inner_at, _.at - _.inner_at < span)
    return shown(inside.select("client", "day", *names, "event_id", "time"), *names)


def last_of_day(found: ir.Table) -> ir.Table:
    """Of each client and business date the last entry; of equal ones the same, however they came."""
    newest = ibis.window(
        group_by=["client", "business_date"], order_by=[ibis.desc("at"), "event_id"]
    )
    return found.mutate(nth=ibis.row_number().over(newest)).filter(_.nth == 0).drop("nth")


def shown(inside: ir.Table, *names: str) -> ir.Table:
    """Hits from the entries inside their windows: (client, day, event_id, time) and the columns `names`,
    which are the same for all entries of a hit."""
    hits = inside.group_by(["client", "day", *names]).agg(**evidence(inside))
    return hits.select("day", "sources", client_id="client", figures=numbers(hits, *names))


def numbers(table: ir.Table, *names: str) -> ir.ArrayValue:
    """Columns as a list of (name, value), the value with two decimals."""
    return ibis.array([
        ibis.struct({
            "name": ibis.literal(name),
            "value": rounded(table[name].cast("float64"), 2),
        })
        for name in names
    ])
