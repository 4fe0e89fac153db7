"""The life of a facility's class and stage: a fold over the days on which something may change them.

`follow` looks at a facility at the end of each such day, in order, and never ahead: its timeline as of
a date is the beginning of that as of a later one. A day is looked at when a trigger begins or ends,
and when an observation or a cure is over. The worst trigger decides; what holds a facility back after
the last trigger ended (observation, cure, upgrade) is memory, in `Standing`.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from lifecycle.risk.arrears import DAY, NEVER, Schedule, Spell
from lifecycle.risk.triggers import (
    ARREARS,
    NPL,
    TIERS,
    Mark,
    Rules,
    Span,
    months_after,
)

_IF_IMPAIRED = ("ECL_OVER_LOSS", "ECL_OVER_DOUBTFUL")


class Cause(NamedTuple):
    """A trigger, the log position of its evidence (0: none in the log), and whether of a proxy PD."""

    code: str
    evidence: int
    proxy: bool = False


class Move(NamedTuple):
    """A facility came to another class or stage on a day, and why. Before the first and after the last
    there is none."""

    on: dt.date
    scale: Literal["TIER", "STAGE"]
    before: str | None
    after: str | None
    trigger: str
    evidence: int
    proxy: bool = False


class Paid(NamedTuple):
    """How a facility is paid: what tells when it paid on time for long enough."""

    schedules: Sequence[Schedule]
    spells: Sequence[Spell]

    def long_enough(
        self, since: dt.date, months: int, periods: int, day: dt.date
    ) -> dt.date | None:
        """The day on which so many months passed, and so many instalments that fell due after `since`
        were paid; None while these are not known on `day`."""
        in_force = next(s for s in reversed(self.schedules) if s.since <= day)
        dates = in_force.after(since)[:periods]
        if len(dates) < periods:
            return None
        paid = next((s for s in self.spells if s.due_date > dates[-1] < s.end), None)
        return max(months_after(since, months), dates[-1], paid.start) if paid else None

    def first_due(self, since: dt.date, day: dt.date) -> dt.date | None:
        """The first due date after a day, as the schedule is known on `day`."""
        in_force = next(s for s in reversed(self.schedules) if s.since <= day)
        return next(iter(in_force.after(since)), None)


class Standing(NamedTuple):
    """Where a facility stands at the end of a day, and what is remembered of before."""

    tier: int
    tier_cause: Cause
    stage: int
    stage_cause: Cause
    npl_paid: dt.date | None = None
    """Of an NPL: since when all is paid and nothing else makes it one."""
    observed: Mark | None = None
    """The restructuring that is under observation."""
    observed_since: dt.date | None = None
    """Since when all is paid on time in that observation."""
    forborne: bool = False
    """Whether it was restructured since it was last in stage 1."""
    clear: dt.date | None = None
    """Since when nothing but the cure holds it in its stage."""
    wake: dt.date = NEVER
    """The next day on which time alone may change something."""


class _Day(NamedTuple):
    """What holds at the end of a day."""

    on: dt.date
    live: list[Span]
    restructured: Mark | None
    in_arrears: bool
    overdue: bool
    """Beyond a technical delay."""
    news: int
    """Evidence of the newest fact that began or ended something."""


def follow(
    granted: Mark,
    settled: Mark | None,
    spans: Iterable[Span],
    restructured: Sequence[Mark],
    paid: Paid,
    until: dt.date,
    rules: Rules,
) -> tuple[Standing, list[Move]]:
    """Where a facility stands at the end of `until`, and every move up to then, in order."""
    cause = Cause("GRANTED", granted.evidence)
    standing = Standing(0, cause, 1, cause)
    moves = [
        Move(granted.on, "TIER", None, TIERS[0], *cause),
        Move(granted.on, "STAGE", None, "1", *cause),
    ]
    spans = sorted(spans)
    if spans or restructured:
        last = min(until, settled.on - DAY) if settled else until
        points = _points(spans, restructured, paid.schedules, granted.on)
        day = granted.on
        while day <= last:
            before = standing
            today = _today(day, spans, restructured, granted.evidence)
            standing = _step(before, today, paid, rules)
            moves += _moves(before, standing, today)
            ahead = bisect_right(points, day)
            day = min(standing.wake, points[ahead] if ahead < len(points) else NEVER)
            if day == NEVER:
                break
    if settled and settled.on <= until:
        end = Cause("SETTLED", settled.evidence)
        moves += [
            Move(settled.on, "TIER", TIERS[standing.tier], None, *end),
            Move(settled.on, "STAGE", str(standing.stage), None, *end),
        ]
    return standing, moves


def _points(
    spans: Iterable[Span],
    restructured: Iterable[Mark],
    schedules: Sequence[Schedule],
    granted: dt.date,
) -> list[dt.date]:
    """Days on which more than time may change something."""
    days = {day for span in spans for day in (span.start, span.end)}
    days.update(mark.on for mark in restructured)
    days.update(schedule.since for schedule in schedules[1:])
    return sorted(day for day in days if day > granted)


def _today(day: dt.date, spans: Sequence[Span], restructured: Iterable[Mark], granted: int) -> _Day:
    live = [span for span in spans if span.covers(day)]
    codes = {span.code for span in live}
    begun = [(s.start, s.code, s.evidence) for s in spans if s.start <= day]
    ended = [(s.end, s.code, s.ended_by) for s in spans if s.end <= day]
    return _Day(
        day,
        [span for span in live if span.code != ARREARS],
        next((mark for mark in restructured if mark.on == day), None),
        ARREARS in codes,
        "DPD_OVER_TECHNICAL" in codes,
        max([*begun, *ended])[2] if begun or ended else granted,
    )


def _step(was: Standing, today: _Day, paid: Paid, rules: Rules) -> Standing:
    causes = _causes(was, today, rules)
    now = _observed(was, today, causes, paid, rules)
    now = _classed(now, today, causes, paid, rules)
    return _staged(now, today, causes, rules)


def _causes(was: Standing, today: _Day, rules: Rules) -> list[Cause]:
    """The triggers that hold; an expected loss says something of an impaired asset only."""
    found = [Cause(s.code, s.evidence, s.proxy) for s in today.live if s.code not in _IF_IMPAIRED]
    if was.stage == 3 or any(_impairs(cause, rules) for cause in found):
        found += [Cause(s.code, s.evidence) for s in today.live if s.code in _IF_IMPAIRED]
    return found


def _impairs(cause: Cause, rules: Rules) -> bool:
    effect = rules.effects[cause.code]
    return effect.stage == 3 or effect.tier >= NPL


def _observed(
    was: Standing, today: _Day, causes: list[Cause], paid: Paid, rules: Rules
) -> Standing:
    """The observation of a restructuring: what it adds to the causes, and whether it is over."""
    day, mark = today.on, today.restructured or was.observed
    if mark is None:
        return was._replace(wake=NEVER)
    if worse := _worsened(was, today, rules):
        causes.append(worse)
    since = None if today.restructured else was.observed_since
    if today.overdue or any(rules.effects[c.code].tier >= NPL for c in causes):
        since = None
    elif since is None and not today.in_arrears:
        since = day
    over = _observed_until(since, day, paid, rules) if since else None
    if over and over <= day and not today.in_arrears:
        return was._replace(observed=None, observed_since=None, wake=NEVER)
    causes.append(Cause(mark.code, mark.evidence))
    wake = over if over and over > day else NEVER
    if today.restructured:
        wake = day + DAY  # what a second restructuring sets is over by then
    return was._replace(observed=mark, observed_since=since, forborne=True, wake=wake)


def _worsened(was: Standing, today: _Day, rules: Rules) -> Cause | None:
    """New arrears, a new trigger of an NPL or another restructuring while one was observed."""
    if was.observed is None:
        return None
    if today.restructured:
        return Cause("RESTRUCTURED_AND_WORSE", today.restructured.evidence)
    for span in today.live:
        bad = span.code == "DPD_OVER_TECHNICAL" or rules.effects[span.code].tier >= NPL
        if bad and span.start > was.observed.on:
            return Cause("RESTRUCTURED_AND_WORSE", span.evidence)
    return None


def _observed_until(since: dt.date, day: dt.date, paid: Paid, rules: Rules) -> dt.date | None:
    """It counts from the first repayment date that follows."""
    first = paid.first_due(since, day)
    if first is None:
        return None
    months, periods = rules.count("restructured_months"), rules.count("restructured_periods")
    return paid.long_enough(first, months, periods, day)


def _classed(was: Standing, today: _Day, causes: list[Cause], paid: Paid, rules: Rules) -> Standing:
    """The tier: the worst trigger, and an NPL stays one until it paid on time for long enough."""
    day, since, until = today.on, None, None
    if was.tier >= NPL and not any(rules.effects[c.code].tier >= NPL for c in causes):
        since = was.npl_paid or (None if today.in_arrears else day)
        since = None if today.overdue else since
        if since:
            months, periods = (
                rules.count("npl_upgrade_months"),
                rules.count("npl_upgrade_periods"),
            )
            until = paid.long_enough(since, months, periods, day)
        if until is None or until > day or today.in_arrears:
            causes.append(Cause("NPL_OBSERVATION", today.news))
    worst = _worst(causes, rules, "tier")
    tier = rules.effects[worst.code].tier if worst else 0
    wake = min(was.wake, until) if until and until > day else was.wake
    return was._replace(
        tier=tier, tier_cause=worst or Cause("NONE", today.news), npl_paid=since, wake=wake
    )


def _staged(was: Standing, today: _Day, causes: list[Cause], rules: Rules) -> Standing:
    """The stage: the worst trigger, and no better one before its cure is over."""
    causes += _of_tier(was, rules)
    worst = _worst(causes, rules, "stage")
    target = rules.effects[worst.code].stage if worst else 1
    if max(target, was.stage) == 3:
        return _in_stage_3(was, today, causes, worst, target, rules)
    if max(target, was.stage) == 2:
        return _in_stage_2(was, today, worst, target, rules)
    return was._replace(stage=1, stage_cause=Cause("NONE", today.news), clear=None, forborne=False)


def _of_tier(standing: Standing, rules: Rules) -> list[Cause]:
    if not rules.of_jurisdiction("tiers_set_stages") or standing.tier == 0:
        return []
    code = "TIER_NPL" if standing.tier >= NPL else "TIER_SPECIAL_MENTION"
    return [Cause(code, standing.tier_cause.evidence, standing.tier_cause.proxy)]


def _in_stage_3(
    was: Standing,
    today: _Day,
    causes: Sequence[Cause],
    worst: Cause | None,
    target: int,
    rules: Rules,
) -> Standing:
    day = today.on
    # That an NPL waits for its upgrade holds the stage, and does not make the cure begin anew.
    waits = ("NPL_OBSERVATION", "TIER_NPL")
    live = any(_impairs(c, rules) for c in causes if c.code not in waits)
    clear = None
    if not live and not today.overdue:
        before = was.clear if was.stage == 3 else None
        clear = before or (None if today.in_arrears else day)
    name = "cure_stage_3_forborne_months" if was.forborne else "cure_stage_3_months"
    until = months_after(clear, rules.count(name)) if clear else None
    if target < 3 and until and until <= day and not today.in_arrears:
        # It waits in stage 2 for another cure, which begins today.
        return _in_stage_2(was._replace(stage=2, clear=None), today, worst, target, rules)
    cause = worst if worst and target == 3 else Cause("PROBATION_STAGE_3", today.news)
    wake = min(was.wake, until) if until and until > day else was.wake
    return was._replace(stage=3, stage_cause=cause, clear=clear, wake=wake)


def _in_stage_2(
    was: Standing, today: _Day, worst: Cause | None, target: int, rules: Rules
) -> Standing:
    day = today.on
    if worst and target == 2:
        return was._replace(stage=2, stage_cause=worst, clear=None)
    clear = was.clear or day
    until = months_after(clear, rules.count("cure_stage_2_months"))
    if until <= day:
        cause = Cause("NONE", today.news)
        return was._replace(stage=1, stage_cause=cause, clear=None, forborne=False)
    cause = Cause("PROBATION_STAGE_2", today.news)
    return was._replace(stage=2, stage_cause=cause, clear=clear, wake=min(was.wake, until))


def _worst(causes: Iterable[Cause], rules: Rules, scale: Literal["tier", "stage"]) -> Cause | None:
    """The gravest of the causes that set a scale; of equal ones the first in the table."""
    least = 0 if scale == "tier" else 1
    setting = [c for c in causes if getattr(rules.effects[c.code], scale) > least]
    return min(
        setting,
        key=lambda c: (-getattr(rules.effects[c.code], scale), rules.effects[c.code].rank, c),
        default=None,
    )


def _moves(before: Standing, after: Standing, today: _Day) -> Iterator[Move]:
    if after.tier != before.tier:
        cause = after.tier_cause
        if after.tier < before.tier:
            cause = Cause(_better(before.tier, after), today.news)
        yield Move(today.on, "TIER", TIERS[before.tier], TIERS[after.tier], *cause)
    if after.stage != before.stage:
        cause = after.stage_cause
        if after.stage < before.stage:
            cause = Cause(f"CURED_STAGE_{before.stage}", today.news)
        yield Move(today.on, "STAGE", str(before.stage), str(after.stage), *cause)


def _better(before: int, after: Standing) -> str:
    """Why a tier is better than it was: upgraded, nothing left, or what still holds it there."""
    if after.tier < NPL <= before:
        return "UPGRADED_FROM_NPL"
    return "TRIGGER_ENDED" if after.tier == 0 else after.tier_cause.code
