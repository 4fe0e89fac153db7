"""What an attribute of the profile is: how it is derived, and what a reader must know of it."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import msgspec
from ibis import _

from lifecycle.alerts.rules import Parameter
from lifecycle.clients.facts import Facts
from lifecycle.events.fields import ClientType, Purpose

SOURCES_MAX = 20
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HALF_DIGIT = 1e-6
_HALF_FLOAT = 4e-16

Figures = Mapping[str, Parameter]
Derive = Callable[[Facts, Figures], ir.Table]
NullReason = Literal["UNKNOWN", "NOT_APPLICABLE", "NOT_CONSENTED", "SUPPRESSED"]
EVERYBODY: tuple[ClientType, ...] = ("INDIVIDUAL", "CORPORATE")
PERSONS: tuple[ClientType, ...] = ("INDIVIDUAL",)
COMPANIES: tuple[ClientType, ...] = ("CORPORATE",)


class Attribute(msgspec.Struct, frozen=True):
    """One attribute. `derive` gives (client_id, value, sources, source_time): the value a number,
    or text where `decimals` is None; the ids of the facts it stems from, and the newest one's time."""

    name: str
    section: str
    derive: Derive
    unit: str
    purposes: tuple[Purpose, ...]
    """Every one of them must be allowed, else the attribute is not computed."""
    confidence: float
    decimals: int | None
    clients: tuple[ClientType, ...]
    """The kinds of clients it says something of."""
    ages: str
    """Which half-life of `freshness_half_life` its value ages with."""
    across: bool
    """Whether it looks at facts of other clients too."""

    @property
    def purpose(self) -> str:
        """All its purposes as one text."""
        return "+".join(self.purposes)


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute of one client as of a date."""

    name: str
    value: str | None
    unit: str
    purpose: str
    confidence: float
    null_reason: NullReason | None
    source_event_ids: tuple[str, ...]
    source_time: dt.datetime | None
    """When the newest fact it stems from became true."""

    @property
    def number(self) -> Decimal:
        """The value of an attribute that is a number and has one."""
        assert self.value is not None, self.name
        return Decimal(self.value)


def attribute(
    unit: str,
    *,
    ages: str,
    decimals: int | None = 0,
    purposes: tuple[Purpose, ...] = ("P1_SERVICE",),
    confidence: float = 1.0,
    clients: tuple[ClientType, ...] = EVERYBODY,
    across: bool = False,
) -> Callable[[Derive], Attribute]:
    """Make a function an attribute of its name, in the section of its module."""

    def made(derive: Derive) -> Attribute:
        section = derive.__module__.rpartition(".")[2]
        return Attribute(
            derive.__name__,
            section,
            derive,
            unit,
            purposes,
            confidence,
            decimals,
            clients,
            ages,
            across,
        )

    return made


def evidence(facts: ir.Table, where: Any = None) -> dict[str, Any]:
    """Columns `sources` and `source_time` of a group: up to twenty of its newest facts, in a stable
    order, and when the newest became true."""
    return {
        "sources": newest_first(facts, where)[:SOURCES_MAX].map(lambda fact: fact["event_id"]),
        "source_time": facts.time.max(where=where),
    }


def newest_first(facts: ir.Table, where: Any = None) -> ir.ArrayValue:
    """The facts of a group as structs (age, event_id), the newest first."""
    # Spark collects in no order of ours, so that the facts are sorted once they are collected.
    age = ibis.literal(_EPOCH).delta(facts.time, unit="microsecond")
    return ibis.struct({"age": age, "event_id": facts.event_id}).collect(where=where).sort()


def of_one(facts: ir.Table, value: ir.Value) -> ir.Table:
    """A value that stems from a single fact of each client."""
    return facts.select(
        client_id=facts.client,
        value=value,
        sources=ibis.array([facts.event_id]),
        source_time=facts.time,
    )


def latest(facts: ir.Table, *by: str) -> ir.Table:
    """The newest fact of each group: by event time, then by the order of arrival."""
    window = ibis.window(group_by=by, order_by=[facts.time.desc(), facts.position.desc()])
    return facts.mutate(newest_first=ibis.row_number().over(window)).filter(
        lambda t: t.newest_first == 0
    )


def foremost(facts: ir.Table, group: str, *order: str | ir.Deferred) -> ir.Table:
    """The first fact of each group in an order; of equal ones the same one, however they arrived."""
    window = ibis.window(group_by=group, order_by=[*order, _.event_id])
    return facts.mutate(rank=ibis.row_number().over(window)).filter(_.rank == 0)


def rounded(value: ir.NumericValue, decimals: int) -> ir.DecimalValue:
    """A number to some decimals, halves away from zero, as decimal(38, decimals).

    Engines add floats in different orders, and some round their binary value, some the digits they
    print. A millionth of the last digit, and twice what a float is exact to, make it one result; a
    tenth of the digit at most, as large floats are not exact to it.
    """
    digit = 10.0**-decimals
    nudge = ibis.least(value.abs() * _HALF_FLOAT + _HALF_DIGIT * digit, digit / 10)
    nudged = value + ibis.ifelse(value < 0, -nudge, nudge)
    return nudged.round(decimals).cast(f"decimal(38, {decimals})")


def closed_months(business_date: dt.date, months: int) -> tuple[dt.date, dt.date]:
    """First day of the window and first day after it: calendar months closed by the date's end."""
    last_of_month = calendar.monthrange(business_date.year, business_date.month)[1]
    closed = business_date.day == last_of_month
    end = business_date.year * 12 + business_date.month - (0 if closed else 1)
    start = end - months
    return dt.date(start // 12, start % 12 + 1, 1), dt.date(end // 12, end % 12 + 1, 1)


def quotient(above: ir.Table, below: ir.Table) -> ir.Table:
    """One attribute divided by another, where that one is above zero; both are its sources."""
    joined = above.join(below, "client_id", rname="{name}_below").filter(
        lambda t: t.value_below > 0
    )
    return joined.select(
        "client_id",
        value=joined.value / joined.value_below,
        sources=both_sources(joined.sources, joined.sources_below),
        source_time=ibis.greatest(joined.source_time, joined.source_time_below),
    )


def both_sources(one: ir.ArrayValue, other: ir.ArrayValue) -> ir.ArrayValue:
    """Two lists of sources as one, in a stable order: no more of each than leaves room for the other."""
    half = SOURCES_MAX // 2
    return one[:half].concat(other[:half]).unique().sort()


def counted(clients: ir.Table, found: ir.Table) -> ir.Table:
    """An attribute that is zero for who has none of it; what says so is that the client is known."""
    joined = clients.left_join(found, "client_id")
    return joined.select(
        client_id=joined.client_id,
        value=ibis.coalesce(joined.value, 0.0),
        sources=ibis.coalesce(joined.sources, ibis.array([joined.event_id])),
        source_time=ibis.coalesce(joined.source_time, joined.time),
    )


def words(facts: ir.Table) -> ir.StringValue:
    """The different words (column `word`) of a group in order, as one text."""
    return facts.word.collect(distinct=True).sort().join(";")
