"""The facts as they could be known at an instant: `time < as_of AND recordedtime <= as_of`.

Every feature reads through `Facts`, so none can see a later fact, nor one the staged gate held.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from lifecycle.ports import Engine


class Facts:
    """Event tables as of the end of a business date."""

    def __init__(
        self, engine: Engine, business_date: dt.date, zone: ZoneInfo, held: frozenset[int]
    ) -> None:
        self._engine = engine
        self.business_date = business_date
        self.zone = zone
        self.as_of = end_of(business_date, zone)
        self._held = held
        self._once: dict[str, ir.Table] = {}

    def table(self, event_type: str) -> ir.Table:
        """Facts of one type that were known at `as_of` and passed the staged gate."""
        facts = self._engine.table(event_type)
        as_of = ibis.literal(self.as_of)
        seen = facts.filter(facts.time < as_of, facts.recordedtime <= as_of)
        return seen.filter(~seen.position.isin(sorted(self._held))) if self._held else seen

    def once(self, name: str, build: Callable[[], ir.Table]) -> ir.Table:
        """A table that many ask for: what `build` gives, computed the first time only."""
        if name not in self._once:
            self._once[name] = self._engine.keep(build())
        return self._once[name]

    def since(self, days: int) -> dt.date:
        """The first business date of a window of `days` that ends with ours."""
        return self.business_date - dt.timedelta(days=days - 1)


def end_of(business_date: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The instant a business date is over: midnight in the bank's zone."""
    next_day = business_date + dt.timedelta(days=1)
    return dt.datetime.combine(next_day, dt.time(), zone).astimezone(dt.UTC)
