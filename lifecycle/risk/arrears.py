"""What a facility owes and since when: the instalments that fell due against the money that came.

Money pays the oldest instalment first, so all that matters of it is its sum: the oldest unpaid
instalment is the first one whose running total is above it. It changes only when money moves or the
schedule does; between two such days, days past due just count on.

Money is integer ten-thousandths of the currency unit.
"""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

DAY = dt.timedelta(days=1)
NEVER = dt.date.max


class Instalment(msgspec.Struct, frozen=True, order=True, gc=False):
    """What one `credit.repayment_due` says. No cycle can run through it: the collector, which millions
    of these would keep busy, need not look."""

    announced: dt.date
    """Its business date: an instalment of a new schedule is owed as scheduled before until then."""
    due_date: dt.date
    number: int
    version: int
    """Of the schedule."""
    total: int
    evidence: int
    """Log position of the fact."""


class Money(msgspec.Struct, frozen=True, order=True, gc=False):
    """What one fact moves: a repayment or its reversal, a disbursement, a write-off."""

    on: dt.date
    pays: int
    """Of instalments; negative where a reversal takes it back."""
    outstanding: int
    """What it adds to the principal outstanding."""
    evidence: int


class Materiality(NamedTuple):
    """Arrears up to either of these are none."""

    amount: int = 0
    share: Decimal = Decimal(0)
    """Of the principal outstanding."""

    def of(self, outstanding: int) -> int:
        return max(self.amount, int(self.share * outstanding)) if self.share else self.amount


class Spell(msgspec.Struct, frozen=True, gc=False):
    """Days from `start` to before `end` in which the same instalment is the oldest unpaid one."""

    start: dt.date
    end: dt.date
    due_date: dt.date
    """Of that instalment, which may be ahead; NEVER when all that is known is paid."""
    unpaid: int
    """Evidence of that instalment."""
    began_by: int
    """Evidence of what began the spell."""

    def days_past_due(self, on: dt.date) -> int:
        return max(0, (on - self.due_date).days)


class Schedule(NamedTuple):
    """The instalments in force from a day on, in the order in which money pays them."""

    since: dt.date
    instalments: list[Instalment]
    running: list[int]
    """Totals added up."""
    evidence: int
    """Of what made it so."""

    def after(self, day: dt.date) -> list[dt.date]:
        """Due dates after a day, each once."""
        dates = [i.due_date for i in self.instalments]
        return list(dict.fromkeys(dates[bisect_right(dates, day) :]))


def schedules(instalments: Iterable[Instalment]) -> list[Schedule]:
    """The schedule, and what a new version made of it. An instalment that is announced by its due date
    counts from the beginning: until it is due it owes nothing."""
    first: dict[int, Instalment] = {}
    later = []
    for instalment in sorted(instalments, key=_by_version):
        if instalment.number in first or instalment.announced > instalment.due_date:
            later.append(instalment)
        else:
            first[instalment.number] = instalment
    found = [_schedule(dt.date.min, first, 0)]
    for day, new in itertools.groupby(sorted(later), _announced):
        for instalment in sorted(new, key=_by_version):
            known = first.get(instalment.number)
            if known is None or known.version <= instalment.version:
                first[instalment.number] = instalment
        found.append(_schedule(day, first, instalment.evidence))
    return found


_announced = operator.attrgetter("announced")
_by_due_date = operator.attrgetter("due_date", "number")
_first = operator.itemgetter(0)
_on = operator.attrgetter("on")


def _by_version(instalment: Instalment) -> tuple[int, dt.date, int]:
    return (instalment.version, instalment.announced, instalment.evidence)


def _schedule(since: dt.date, by_number: dict[int, Instalment], evidence: int) -> Schedule:
    ordered = sorted(by_number.values(), key=_by_due_date)
    running = list(itertools.accumulate(i.total for i in ordered))
    return Schedule(since, ordered, running, evidence)


def spells(
    versions: Sequence[Schedule], money: Sequence[Money], materiality: Materiality
) -> list[Spell]:
    """The oldest unpaid instalment day by day, of the beginning of time to its end.

    `money` is in the order of its days; what moves on one day counts together at its end.
    """
    schedule, paid, outstanding = versions[0], 0, 0
    oldest, began, since = _oldest(schedule, materiality.of(0)), 0, dt.date.min
    found = []
    for day, moved in _by_day(versions[1:], money):
        for change in moved:
            by = change.evidence
            if isinstance(change, Schedule):
                schedule = change
            else:
                paid += change.pays
                outstanding += change.outstanding
        now = _oldest(schedule, paid + materiality.of(outstanding))
        if now != oldest:
            found.append(Spell(since, day, *oldest, began))
            oldest, began, since = now, by, day
    found.append(Spell(since, NEVER, *oldest, began))
    return found


def _oldest(schedule: Schedule, covered: int) -> tuple[dt.date, int]:
    """Due date and evidence of the first instalment that the money does not cover."""
    at = bisect_right(schedule.running, covered)
    if at == len(schedule.running):
        return (NEVER, 0)
    instalment = schedule.instalments[at]
    return (instalment.due_date, instalment.evidence)


def _by_day(
    versions: Sequence[Schedule], money: Sequence[Money]
) -> Iterable[tuple[dt.date, Iterable[Schedule | Money]]]:
    if not versions:
        return itertools.groupby(money, _on)
    changes: list[tuple[dt.date, Schedule | Money]] = [(v.since, v) for v in versions]
    changes += [(m.on, m) for m in money]
    changes.sort(key=_first)
    days = itertools.groupby(changes, _first)
    return ((day, (change for _, change in own)) for day, own in days)


def outstanding_on(money: Iterable[Money], day: dt.date) -> int:
    """Principal outstanding at the end of a day."""
    return sum(m.outstanding for m in money if m.on <= day)
