"""The log as the fold of debtors reads it: what each fact of a credit counts for, in the order of its
days.

Amounts are integer ten-thousandths; evidence is the position of a fact in the log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from lifecycle.clients.attribute import Figures, foremost
from lifecycle.clients.entries import POSTED
from lifecycle.clients.facts import Facts
from lifecycle.risk.arrears import Instalment, Money
from lifecycle.risk.debtor import Debtor, Facility
from lifecycle.risk.proceeds_facts import tracings
from lifecycle.risk.triggers import Mark, Pd, Report, Sign

DISBURSED = "bank.credit.disbursed.v1"
DUE = "bank.credit.repayment_due.v1"
MADE = "bank.credit.repayment_made.v1"
MISSED = "bank.credit.repayment_missed.v1"
SETTLED = "bank.credit.settled.v1"
_RESTRUCTURED = "bank.credit.restructured.v1"
_APPROVED = "bank.credit.approved.v1"
_DECLARED = "bank.credit.default_declared.v1"
_CURED = "bank.credit.default_cured.v1"
_WRITTEN_OFF = "bank.credit.written_off.v1"
_REPORT = "bank.credit.bureau_report_received.v1"
_DISSOLVED = "bank.client.dissolved.v1"
_REGISTERED = "bank.client.registered.v1"
_LINKED = "bank.client.relation_linked.v1"
_OF_FACILITIES = (DISBURSED, DUE, MADE, SETTLED, _RESTRUCTURED, _DECLARED, _CURED, _WRITTEN_OFF)
_UNITS = 10_000
_EVIDENCE = ("event_id", "time", "topic", "partition", "kafka_offset")


class Inputs(NamedTuple):
    """What no event says: facility id -> its PDs and its signs. A facility that is missing in `pds`,
    and every facility where `signs` is None, is not judged by these triggers. What a loan was spent on is
    judged in either case: the entries say it."""

    pds: Mapping[str, Sequence[Pd]] = {}
    signs: Mapping[str, Sequence[Sign]] | None = None


class Terms(NamedTuple):
    """What was agreed of a facility."""

    currency: str
    months: int | None
    """None where no approval was seen."""


def debtors(
    facts: Facts, inputs: Inputs, figures: Figures
) -> tuple[dict[str, Debtor], dict[str, Terms]]:
    """Every client that ever got credit, by its id, and the terms of every facility, by its id."""
    dissolved = _grouped(facts, _dissolved(facts, figures), Mark)
    reports = _grouped(facts, _reports(facts), _report)
    own: dict[str, list[Facility]] = {}
    terms, retail = {}, {}
    for row, facility in _facilities(facts, inputs, figures):
        client = row["client_id"]
        own.setdefault(client, []).append(facility)
        terms[facility.facility_id] = Terms(row["currency"], row["months"])
        # Who is not known to be a company is judged as a person: contagion needs a reason.
        retail[client] = row["client_type"] != "CORPORATE"
    known = {
        client: Debtor(
            client, retail[client], some, dissolved.get(client, ()), reports.get(client, ())
        )
        for client, some in own.items()
    }
    return known, terms


def _facilities(
    facts: Facts, inputs: Inputs, figures: Figures
) -> Iterator[tuple[dict[str, Any], Facility]]:
    """Every facility, with the row that says to whom it was granted."""
    instalments = _grouped(facts, _instalments(facts), Instalment)
    money = _grouped(facts, _money(facts), Money)
    marks = _grouped(facts, _marks(facts), Mark)
    diverted = _diverted(facts, figures)
    for row in facts.run(_granted(facts)).to_pylist():
        name = row["facility_id"]
        own = marks.get(name, [])
        yield (
            row,
            Facility(
                name,
                Mark(row["business_date"], "GRANTED", row["position"]),
                instalments.get(name, ()),
                money.get(name, ()),
                own,
                next((mark for mark in own if mark.code == "SETTLED"), None),
                inputs.pds.get(name),
                [*diverted.get(name, ()), *(inputs.signs or {}).get(name, ())],
                inputs.signs is not None,
            ),
        )


def _diverted(facts: Facts, figures: Figures) -> dict[str, list[Sign]]:
    """Facility -> the day its purpose was changed without consent: so much of a disbursement went where
    the contract did not say that the verdict became HIGH."""
    found: dict[str, list[Sign]] = {}
    for one in tracings(facts, figures):
        if one.broken_by:
            sign = Sign(one.broken_by.on, "PURPOSE_CHANGED", one.broken_by.position)
            found.setdefault(one.disbursement.facility_id, []).append(sign)
    # Once is enough, and the first day counts.
    return {facility: [min(signs)] for facility, signs in found.items()}


def _report(
    on: dt.date,
    position: int,
    total: int,
    npl: int,
    over_90: int,
    rating: str | None,
    records: str | None,
) -> Report:
    return Report(on, position, total, npl, over_90, rating, tuple((records or "").split(";")))


def _grouped(facts: Facts, rows: ir.Table, make: Any) -> dict[str, list[Any]]:
    """Rows of (key, what `make` takes), in their order, as lists by key."""
    table = facts.run(rows)
    keys = table.column(0).combine_chunks().dictionary_encode()
    columns = [_values(table.column(at)) for at in range(1, table.num_columns)]
    found: list[list[Any]] = [[] for _key in keys.dictionary]
    for key, values in zip(_values(keys.indices), zip(*columns, strict=True), strict=True):
        found[key].append(make(*values))
    return dict(zip(keys.dictionary.to_pylist(), found, strict=True))


def _values(column: Any) -> list[Any]:
    """Python values of a column; through numpy where that can be, which is ten times as fast."""
    if column.null_count or pa.types.is_string(column.type):
        values: list[Any] = column.to_pylist()
    else:
        values = column.to_numpy(zero_copy_only=False).tolist()
    return values


def _by_now(facts: Facts, table: ir.Table) -> ir.Table:
    """What a later business date books is not of ours."""
    return table.filter(table.business_date <= facts.business_date)


def units(amount: ir.Value) -> ir.Value:
    """An amount in ten-thousandths, a whole number."""
    return (amount.cast("decimal(18,4)") * _UNITS).cast("int64")


def _granted(facts: Facts) -> ir.Table:
    lent = _by_now(facts, facts.table(DISBURSED))
    first = foremost(lent, "facility_id", _.business_date, _.time)
    own = lent.group_by("facility_id").agg(client_id=_.client_id.max(), currency=_.currency.max())
    approved = facts.table(_APPROVED).group_by("facility_id").agg(months=_.term_months.max())
    kinds = facts.table(_REGISTERED).group_by("client_id").agg(client_type=_.client_type.max())
    return (
        first
        .select("facility_id", "business_date", "position")
        .join(own, "facility_id")
        .left_join(kinds, "client_id")
        .drop("client_id_right")
        .left_join(approved, "facility_id")
        .drop("facility_id_right")
        .order_by("facility_id")
    )


def _instalments(facts: Facts) -> ir.Table:
    due = _by_now(facts, facts.table(DUE, corrected=True))
    return due.select(
        "facility_id",
        "business_date",
        "due_date",
        "instalment_no",
        "schedule_version",
        total=units(due.total),
        position="position",
    )


def _money(facts: Facts) -> ir.Table:
    made, lent = repayments(facts), facts.table(DISBURSED)
    given_up = facts.table(_WRITTEN_OFF)
    none = ibis.literal(0).cast("int64")
    parts = [
        (made, units(made.pays), -units(made.principal)),
        (lent, none, units(lent.amount)),
        (given_up, none, -units(given_up.amount)),
    ]
    rows = ibis.union(*[
        _by_now(facts, table).select(
            "facility_id",
            "business_date",
            pays=pays,
            outstanding=outstanding,
            position="position",
            time="time",
            event_id="event_id",
        )
        for table, pays, outstanding in parts
    ])
    return _ordered(rows)


def _ordered(rows: ir.Table) -> ir.Table:
    """By key, day and event time, and of equal times always the same way."""
    key, also = rows.columns[0], ("code",) if "code" in rows.columns else ()
    ordered = rows.order_by(key, "business_date", "time", "event_id", *also)
    return ordered.drop("time", "event_id")


def _dated(table: ir.Table, code: str, key: str = "facility_id") -> ir.Table:
    """A fact as the mark it makes."""
    return table.select(
        key,
        "business_date",
        code=ibis.literal(code),
        position="position",
        time="time",
        event_id="event_id",
    )


def _marks(facts: Facts) -> ir.Table:
    changed, lent = facts.table(_RESTRUCTURED), facts.table(DISBURSED)
    renews = changed.forbearance_type == "REFINANCE"
    qualifies = ibis.coalesce(changed.qualifying_renewal, False)
    replaces = lent.refinances.notnull() & ~ibis.coalesce(lent.qualifying_renewal, False)
    parts = [
        _dated(changed.filter(~renews), "RESTRUCTURED"),
        _dated(changed.filter(renews & ~qualifies), "REFINANCED"),
        _dated(changed.filter(changed.distressed), "DISTRESSED_RESTRUCTURING"),
        _dated(lent.filter(replaces), "REFINANCED"),
        _dated(facts.table(_DECLARED), "DEFAULT_DECLARED"),
        _dated(facts.table(_CURED), "DEFAULT_CURED"),
        _dated(facts.table(_WRITTEN_OFF), "WRITTEN_OFF"),
        _dated(facts.table(SETTLED), "SETTLED"),
    ]
    return _ordered(_by_now(facts, ibis.union(*parts)))


def _dissolved(facts: Facts, figures: Figures) -> ir.Table:
    gone = _by_now(facts, facts.table(_DISSOLVED))
    ended = gone.filter(gone.reason.isin(figures["liquidation_reasons"].value))
    return _ordered(_dated(ended, "BANKRUPTCY_LIQUIDATION", "client_id"))


def _reports(facts: Facts) -> ir.Table:
    said = _by_now(facts, facts.table(_REPORT))
    ordered = said.order_by("client_id", "business_date", "time", "event_id")
    zero = ibis.literal(0).cast("decimal(18,4)")
    return ordered.select(
        "client_id",
        "business_date",
        "position",
        total=units(ordered.total_debt),
        npl=units(ibis.coalesce(ordered.npl_debt, zero)),
        over=units(ibis.coalesce(ordered.debt_over_90_dpd, zero)),
        rating="external_rating",
        records=ordered.public_records.join(";"),
    )


def repayments(facts: Facts) -> ir.Table:
    """Repayments with what they pay of instalments and of principal (columns `pays` and `principal`,
    in the currency, negative where a reversal takes it back).

    Penalty interest is not what an instalment asks for, and a prepayment of principal pays none. A
    repayment that does not say how it was split pays no principal that anybody knows of.
    """
    made = facts.table(MADE)
    sign = ibis.ifelse(ibis.coalesce(made.reversal, False), -1, 1)
    penalty = made.allocation["penalty"].cast("decimal(18,4)")
    ahead = made.early & (ibis.coalesce(made.instalment_no.length(), 0) == 0)
    pays = ibis.ifelse(ahead | (penalty > made.amount), 0, made.amount - penalty)
    principal = made.allocation["principal"].cast("decimal(18,4)")
    return made.mutate(
        pays=(pays * sign).cast("decimal(18,4)"),
        principal=(principal * sign).cast("decimal(18,4)"),
    )


def said(facts: Facts, figures: Figures) -> ir.Table:
    """Where the evidence of a class may stand in the log: facts of credit, and entries that were spent on
    something else than was agreed."""
    names = (*_OF_FACILITIES, _REPORT, _DISSOLVED)
    tables = [facts.table(n, corrected=n == DUE) for n in names]
    broken = [sign.evidence for own in _diverted(facts, figures).values() for sign in own]
    if broken:
        posted = facts.table(POSTED)
        tables.append(posted.filter(posted.position.isin(broken)))
    return ibis.union(*[t.select("position", *_EVIDENCE) for t in tables])


def members(facts: Facts) -> dict[str, list[str]]:
    """Client id -> the others of its group, whichever of the two said so."""
    linked = facts.table(_LINKED).filter(_.relation == "GROUP")
    pairs = facts.run(linked.select("client_id", "other_client_id").distinct()).to_pylist()
    found: dict[str, set[str]] = {}
    for one, other in ((p["client_id"], p["other_client_id"]) for p in pairs):
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {client: sorted(others) for client, others in found.items()}
