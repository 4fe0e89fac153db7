"""The facts as they could be known at an instant: `time < as_of AND recordedtime <= as_of`.

Every feature reads through `Facts`, so none can see a later fact, nor one the staged gate held.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from lifecycle.ports import Engine

T = TypeVar("T")


class Facts:
    """Event tables as of the end of a business date."""

    def __init__(
        self,
        engine: Engine,
        business_date: dt.date,
        zone: ZoneInfo,
        held: frozenset[int],
        corrected: frozenset[int] = frozenset(),
    ) -> None:
        self._engine = engine
        self.business_date = business_date
        self.zone = zone
        self.as_of = end_of(business_date, zone)
        self.held = held
        self._corrected = corrected
        """Of those held, the ones that a later fact corrected, and nothing else speaks against."""
        self._once: dict[str, ir.Table] = {}
        self._computed: dict[str, Any] = {}

    def table(self, event_type: str, *, corrected: bool = False) -> ir.Table:
        """Facts of one type that were known at `as_of` and passed the staged gate; with those that
        were `corrected` since, for who follows what was known when."""
        facts = self._engine.table(event_type)
        held = self.held - self._corrected if corrected else self.held
        as_of = ibis.literal(self.as_of)
        seen = facts.filter(facts.time < as_of, facts.recordedtime <= as_of)
        return seen.filter(~seen.position.isin(sorted(held))) if held else seen

    def once(self, name: str, build: Callable[[], ir.Table]) -> ir.Table:
        """A table that many ask for: what `build` gives, computed the first time only."""
        if name not in self._once:
            self._once[name] = self._engine.keep(build())
        return self._once[name]

    def run(self, expression: ir.Table) -> pa.Table:
        """What a fold reads, which no expression can say."""
        return self._engine.run(expression)

    def computed(self, name: str, make: Callable[[], T]) -> T:
        """What many ask for and no table holds: what `make` gives, computed the first time only."""
        if name not in self._computed:
            self._computed[name] = make()
        computed: T = self._computed[name]
        return computed

    def since(self, days: int) -> dt.date:
        """The first business date of a window of `days` that ends with ours."""
        return self.business_date - dt.timedelta(days=days - 1)


def arrow_of(rows: Iterable[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of a schema, also where there are none."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def end_of(business_date: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The instant a business date is over: midnight in the bank's zone."""
    next_day = business_date + dt.timedelta(days=1)
    return dt.datetime.combine(next_day, dt.time(), zone).astimezone(dt.UTC)
