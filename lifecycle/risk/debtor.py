"""The facilities of one debtor together: each by itself, then what they do to each other.

A non-retail debtor is judged as a whole (contagion, an NPL elsewhere, its debts at all banks); of a
person each facility stands alone. What a facility does to the others follows from its own triggers
only, so that two facilities never hold each other in a class that neither would have by itself.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from lifecycle.risk.arrears import (
    NEVER,
    Instalment,
    Materiality,
    Money,
    outstanding_on,
    schedules,
    spells,
)
from lifecycle.risk.timeline import Move, Paid, Standing, follow
from lifecycle.risk.triggers import (
    NPL,
    TIERS,
    Mark,
    Pd,
    Report,
    Rules,
    Sign,
    Span,
    not_evaluated,
    of_arrears,
    of_marks,
    of_pds,
    of_reports,
    of_signs,
)

_UNITS = 10_000
_RESTRUCTURED = ("RESTRUCTURED", "REFINANCED")
_NPL_NAMES = frozenset(TIERS[NPL:])


class Facility(NamedTuple):
    """All that is known of a facility; lists in the order of their days."""

    facility_id: str
    granted: Mark
    instalments: Sequence[Instalment] = ()
    money: Sequence[Money] = ()
    marks: Sequence[Mark] = ()
    settled: Mark | None = None
    pds: Sequence[Pd] | None = None
    """None when nobody says: its triggers are not evaluated."""
    signs: Sequence[Sign] = ()
    signs_told: bool = False
    """Whether other parts of the bank say what they find. What loans were spent on is always looked at."""


class Debtor(NamedTuple):
    """A client with its facilities."""

    client_id: str
    retail: bool
    facilities: Sequence[Facility]
    marks: Sequence[Mark] = ()
    """Of the debtor itself: its liquidation."""
    reports: Sequence[Report] = ()


class Classified(NamedTuple):
    """A facility at the end of a date, and how it came there."""

    facility_id: str
    dpd: int
    outstanding: int
    """Principal lent and not paid or written off, in ten-thousandths."""
    standing: Standing
    moves: list[Move]
    not_evaluated: tuple[str, ...]


class _Alone(NamedTuple):
    """A facility by its own triggers."""

    facility: Facility
    paid: Paid
    spans: list[Span]
    standing: Standing
    moves: list[Move]


def classify(debtor: Debtor, until: dt.date, rules: Rules) -> list[Classified]:
    """Every facility of a debtor at the end of a date. Facts after that date must not be given."""
    materiality = materiality_of(debtor.retail, rules)
    alone = [_alone(debtor, f, materiality, until, rules) for f in debtor.facilities]
    if not debtor.retail:
        alone = list(_together(debtor, alone, until, rules))
    return [_classified(debtor, one, until) for one in alone]


def materiality_of(retail: bool, rules: Rules) -> Materiality:
    """Up to what arrears are none, by jurisdiction and kind of debtor."""
    profile = rules.of_jurisdiction("dpd_materiality")
    amount = Decimal(profile["retail" if retail else "non_retail"])
    return Materiality(int(amount * _UNITS), Decimal(profile["share"]))


def _alone(
    debtor: Debtor, facility: Facility, materiality: Materiality, until: dt.date, rules: Rules
) -> _Alone:
    versions = schedules(facility.instalments)
    paid = Paid(versions, spells(versions, facility.money, materiality))
    spans = of_arrears(paid.spells, until, rules)
    if facility.marks or debtor.marks:
        spans += of_marks([*facility.marks, *debtor.marks])
    if facility.pds:
        spans += of_pds(facility.pds, rules)
    if facility.signs:
        spans += of_signs(facility.signs, rules)
    if debtor.reports:
        spans += of_reports(debtor.reports, facility.granted.on, rules)
    return _followed(facility, paid, spans, until, rules)


def _followed(
    facility: Facility, paid: Paid, spans: list[Span], until: dt.date, rules: Rules
) -> _Alone:
    restructured = [mark for mark in facility.marks if mark.code in _RESTRUCTURED]
    standing, moves = follow(
        facility.granted, facility.settled, spans, restructured, paid, until, rules
    )
    return _Alone(facility, paid, spans, standing, moves)


def _classified(debtor: Debtor, one: _Alone, until: dt.date) -> Classified:
    spell = next(s for s in reversed(one.paid.spells) if s.start <= until)
    facility = one.facility
    ended = facility.settled is not None
    return Classified(
        facility.facility_id,
        0 if ended else spell.days_past_due(until),
        0 if ended else sum(m.outstanding for m in facility.money),
        one.standing,
        one.moves,
        not_evaluated(facility.pds, debtor.reports, signs_told=facility.signs_told),
    )


def _together(
    debtor: Debtor, alone: list[_Alone], until: dt.date, rules: Rules
) -> Iterator[_Alone]:
    npls = {one.facility.facility_id: list(npl_days(one.moves)) for one in alone}
    of_all = [*_elsewhere(debtor.reports), *_over_90(debtor.reports, alone, until, rules)]
    for one in alone:
        others = _contagion(one, alone, npls, until, rules)
        more = [*others, *of_all]
        yield (
            _followed(one.facility, one.paid, [*one.spans, *more], until, rules) if more else one
        )


def npl_days(moves: Iterable[Move]) -> Iterator[Span]:
    """The days on which a facility is an NPL."""
    since: Move | None = None
    for move in moves:
        if move.scale == "TIER":
            bad = move.after in _NPL_NAMES
            if bad and since is None:
                since = move
            elif since and not bad:
                yield Span(since.trigger, since.on, move.on, since.evidence, move.evidence)
                since = None
    if since:
        yield Span(since.trigger, since.on, NEVER, since.evidence)


def _contagion(
    one: _Alone,
    alone: Sequence[_Alone],
    npls: Mapping[str, Sequence[Span]],
    until: dt.date,
    rules: Rules,
) -> Iterator[Span]:
    """What NPLs of the same debtor do to a facility: above the share it is one too."""
    others = [
        span for other, own in npls.items() if other != one.facility.facility_id for span in own
    ]
    if not others:
        return
    limit = rules.share("contagion_share")
    days = {day for own in npls.values() for span in own for day in (span.start, span.end)}
    days.update(money.on for other in alone for money in other.facility.money)
    days.update(other.facility.settled.on for other in alone if other.facility.settled)
    points = sorted(day for day in days if day <= until)
    for day, end in zip(points, [*points[1:], NEVER], strict=True):
        bad = sorted(span for span in others if span.covers(day))
        if bad:
            owed = {o.facility.facility_id: _owed(o.facility, day) for o in alone}
            npl = sum(amount for f, amount in owed.items() if any(s.covers(day) for s in npls[f]))
            code = "CONTAGION" if npl > limit * sum(owed.values()) else "NPL_ELSEWHERE"
            first = bad[0]
            by = first.ended_by if first.end <= end else first.evidence
            yield Span(code, day, end, first.evidence, by)


def _owed(facility: Facility, day: dt.date) -> int:
    if facility.settled and facility.settled.on <= day:
        return 0
    return max(0, outstanding_on(facility.money, day))


def _elsewhere(reports: Sequence[Report]) -> Iterator[Span]:
    for report, end, by in _standing(reports):
        if report.npl_debt > 0:
            yield Span("NPL_ELSEWHERE", report.on, end, report.evidence, by)


def _over_90(
    reports: Sequence[Report], alone: Sequence[_Alone], until: dt.date, rules: Rules
) -> Iterator[Span]:
    """More than a share of the debtor's debts, here and at all banks a report knows, over 90 days."""
    if not reports:
        return
    limit = rules.share("debt_over_90_share")
    over = {
        one.facility.facility_id: [s for s in one.spans if s.code == "DPD_OVER_SUBSTANDARD"]
        for one in alone
    }
    days = {day for own in over.values() for span in own for day in (span.start, span.end)}
    days.update(money.on for one in alone for money in one.facility.money)
    for report, end, by in _standing(reports):
        inside = sorted(day for day in days if report.on < day < end and day <= until)
        points = [report.on, *inside, end]
        for day, after in itertools.pairwise(points):
            owed = {one.facility.facility_id: _owed(one.facility, day) for one in alone}
            late = sum(owed[f] for f, own in over.items() if any(s.covers(day) for s in own))
            debts = sum(owed.values()) + report.total_debt
            if late + report.debt_over_90 > limit * debts:
                yield Span("DEBT_OVER_90_AT_BANKS", day, after, report.evidence, by)


def _standing(reports: Sequence[Report]) -> Iterator[tuple[Report, dt.date, int]]:
    """Each report, until when it is the newest, and what ends that."""
    for at, report in enumerate(reports):
        after = reports[at + 1] if at + 1 < len(reports) else None
        yield report, after.on if after else NEVER, after.evidence if after else 0
