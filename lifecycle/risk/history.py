"""The facts of clients as of a date of their own each: what a model is trained on, and what a night scores.

`Facts` has one date for a whole bank. A subject here is a client on a date, so that loans granted on six
hundred different days are one expression. Both clocks hold for each of them:
`time < as_of AND recordedtime <= as_of`.

An expression that reads anything but the tables a history handed out is refused before it runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import NamedTuple
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import arrow_of, end_of
from lifecycle.errors import UsageError
from lifecycle.ports import Engine
from lifecycle.risk.facility_log import units

POSTED = "bank.account.transaction_posted.v1"
REVERSED = "bank.account.transaction_reversed.v1"

_READS = (ops.PhysicalTable, ops.SQLQueryResult, ops.SQLStringView)
"""Where rows come into an expression."""
_SCHEMA = pa.schema([
    ("subject_id", pa.string()),
    ("of_client", pa.string()),
    ("day", pa.date32()),
    ("as_of", pa.timestamp("us", "UTC")),
])


class Subject(NamedTuple):
    """A client at the end of a business date."""

    subject_id: str
    client_id: str
    day: dt.date


class History:
    """Event tables of subjects, each as it could be known at the subject's own instant."""

    def __init__(
        self,
        engine: Engine,
        subjects: Iterable[Subject],
        zone: ZoneInfo,
        held: frozenset[int] = frozenset(),
    ) -> None:
        rows = ((s.subject_id, s.client_id, s.day, end_of(s.day, zone)) for s in subjects)
        self._engine = engine
        self._held = held
        self._once: dict[str, ir.Table] = {}
        self._facts: dict[str, ir.Table] = {}
        self.subjects = engine.keep(ibis.memtable(arrow_of(rows, _SCHEMA)))
        self._cut: set[ops.Node] = {self.subjects.op()}
        """Tables that know nothing later than each subject's own instant."""

    def facts(self, event_type: str) -> ir.Table:
        """Facts of one type with `subject_id`, and `age`: how many days before the subject's date."""
        if event_type not in self._facts:
            self._facts[event_type] = self._seen(event_type)
            self._cut.add(self._facts[event_type].op())
        return self._facts[event_type]

    def _seen(self, event_type: str) -> ir.Table:
        table = self._engine.table(event_type)
        seen = table.join(
            self.subjects,
            [
                table.client == self.subjects.of_client,
                table.time < self.subjects.as_of,
                table.recordedtime <= self.subjects.as_of,
            ],
        ).drop("of_client", "as_of")
        if self._held:
            seen = seen.filter(~seen.position.isin(sorted(self._held)))
        return seen.mutate(age=seen.day.delta(seen.business_date, unit="day"))

    def once(self, name: str, build: Callable[[], ir.Table]) -> ir.Table:
        """A table that many ask for, computed the first time only."""
        if name not in self._once:
            self._once[name] = self._engine.keep(self.known(name, build()))
            self._cut.add(self._once[name].op())
        return self._once[name]

    def known(self, name: str, derived: ir.Table) -> ir.Table:
        """What was derived, if every table in it was handed out here. Raises UsageError for one that
        was read around this history: it may know what came after a subject's date."""
        tables = derived.op().find_topmost(
            lambda node: node in self._cut or isinstance(node, _READS)
        )
        around = sorted({str(getattr(t, "name", "SQL")) for t in tables if t not in self._cut})
        if around:
            raise UsageError(
                f"{name} reads {', '.join(around)} around its history, so that it may know what came "
                "after the date: take facts from history.facts() and history.entries() only."
            )
        return derived

    def source_times(self) -> ir.Table:
        """(subject_id, as_of, time, recordedtime): the latest of both clocks among all facts that were
        handed out so far; null for a subject of which nothing is known."""
        rows = [
            table.select("subject_id", "time", "recordedtime") for table in self._facts.values()
        ]
        latest = (
            ibis
            .union(*rows)
            .group_by("subject_id")
            .agg(time=_.time.max(), recordedtime=_.recordedtime.max())
        )
        subjects = self.subjects.select("subject_id", "as_of")
        return subjects.left_join(latest, "subject_id").drop("subject_id_right")

    def entries(self, figures: Figures) -> ir.Table:
        """Booked entries that stand, of the longest window a feature looks at: `credit`, `number` (the
        amount), `balance` (after it; null where the source does not tell), `by_bank`. Both are whole
        ten-thousandths as floats, whose sums are exact: floats add up to other last digits in
        another order, and a feature has to be the same to the last byte."""
        days = int(figures["credit_history_days"].value)
        return self.once("entries", lambda: self._entries(days))

    def _entries(self, days: int) -> ir.Table:
        posted = self.facts(POSTED).filter(_.status == "BOOK", ~_.reversal, _.age < days)
        undone = self.facts(REVERSED).select(
            "subject_id", "account_id", transaction_id=_.original_transaction_id
        )
        standing = posted.anti_join(undone, ["subject_id", "account_id", "transaction_id"])
        return standing.select(
            "subject_id",
            "event_id",
            "time",
            "age",
            "purpose",
            "is_cash",
            credit=standing.credit_debit_indicator == "CRDT",
            by_bank=standing.initiator == "BANK",
            own=ibis.coalesce(standing.counterparty["type"] == "OWN", False),
            number=units(standing.amount).cast("float64"),
            balance=units(standing.balance_after).cast("float64"),
            category=ibis.coalesce(
                standing.merchant_details["merchant_category_code"], standing.mcc
            ),
        )
