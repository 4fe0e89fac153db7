"""How early a warning comes, and how often for nothing.

A loan is watched month by month: a risk on every month-end, and the day of its event if it had one. It is
warned of where the risk reaches a threshold. A warning counts from the first month-end of the unbroken row
that still stands on the last one before the event; one that went away before the event is worth nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lifecycle.models.metrics import SEED

Floats = npt.NDArray[np.float64]


class Watch(NamedTuple):
    """A loan on its month-ends, in their order; all of them are before its event."""

    loan_id: str
    days: tuple[dt.date, ...]
    risks: tuple[float, ...]
    """Higher is worse."""
    event: dt.date | None
    """None for a good loan."""


class Lead(NamedTuple):
    """How early events were warned of: days, with zero for those that were not."""

    events: int
    median: float
    quarter: float
    """A quarter of the events had less."""
    shares: dict[int, float]
    """Days -> the share of events with so many at least."""


class Alarms(NamedTuple):
    """Warnings of good loans."""

    months: int
    standing: int
    """Month-ends with a warning."""
    fresh: int
    """Warnings, each counted on its first month-end."""

    @property
    def per_thousand(self) -> float:
        """Month-ends with a warning in a thousand."""
        return 1000 * self.standing / self.months

    @property
    def fresh_per_thousand(self) -> float:
        return 1000 * self.fresh / self.months


class Judged(NamedTuple):
    """A threshold, and what comes of it."""

    threshold: float
    lead: Lead
    alarms: Alarms


class Discrimination(NamedTuple):
    """How well month-ends before events are told from those of good loans."""

    events: int
    auc: float
    low: float
    high: float


def lead_days(days: Sequence[dt.date], raised: Sequence[bool], event: dt.date) -> int:
    """Days from the first month-end of the unbroken row of warnings that ends with the last month-end
    before the event; zero where that last one has none."""
    first = None
    for day, warned in zip(reversed(days), reversed(raised), strict=True):
        if not warned:
            break
        first = day
    return (event - first).days if first else 0


def held(watch: Watch, months: int) -> Watch:
    """The same loan with the highest risk of so many month-ends on each: a warning then stands until its
    reason was not there on so many month-ends in a row."""
    risks = watch.risks
    highest = (max(risks[max(0, n - months + 1) : n + 1]) for n in range(len(risks)))
    return watch._replace(risks=tuple(highest))


def judged(watches: Sequence[Watch], threshold: float, at_least: Sequence[int]) -> Judged:
    """Lead times of the events and alarms of the good loans, where a risk of `threshold` is a warning.
    There must be an event, and a month-end of a good loan."""
    days, alarms = [], []
    for watch in watches:
        raised = [risk >= threshold for risk in watch.risks]
        if watch.event:
            days.append(lead_days(watch.days, raised, watch.event))
        else:
            alarms.append(_alarms(raised))
    lead = Lead(
        len(days),
        float(np.median(days)),
        float(np.quantile(days, 0.25)),
        {least: sum(day >= least for day in days) / len(days) for least in at_least},
    )
    return Judged(threshold, lead, Alarms(*map(sum, zip(*alarms, strict=True))))


def _alarms(raised: Sequence[bool]) -> Alarms:
    before = (False, *raised[:-1])
    fresh = sum(now and not earlier for now, earlier in zip(raised, before, strict=False))
    return Alarms(len(raised), sum(raised), fresh)


def threshold_of(watches: Sequence[Watch], per_thousand: float) -> float:
    """The lowest risk that occurs with no more warnings of good loans, in a thousand month-ends, than
    that; above all of them where even the highest has more."""
    good = np.array([risk for watch in watches if not watch.event for risk in watch.risks])
    every = np.unique([risk for watch in watches for risk in watch.risks])
    standing = len(good) - np.searchsorted(np.sort(good), every, side="left")
    allowed = every[standing <= per_thousand * len(good) / 1000]
    return float(allowed[0]) if len(allowed) else float(np.nextafter(every[-1], np.inf))


def discrimination(
    watches: Sequence[Watch],
    chosen: Callable[[Watch], Sequence[float]],
    resamples: int,
    coverage: float,
) -> Discrimination | None:
    """AUC of the risks that are `chosen` of each loan with an event, against all month-ends of good
    loans, with an interval over resampled loans: month-ends of one loan are no independent rows. None
    where no event has such a month-end."""
    bads = [np.array(risks) for watch in watches if watch.event and len(risks := chosen(watch))]
    goods = [np.array(watch.risks) for watch in watches if not watch.event and watch.risks]
    if not bads or not goods:
        return None
    above = _above(bads, goods)
    sizes = np.array([len(risks) for risks in goods], float)
    draw = np.random.default_rng(SEED)
    found = [
        _auc(above, sizes, _weights(draw, len(bads)), _weights(draw, len(goods)))
        for _resample in range(resamples)
    ]
    low, high = np.quantile(found, [(1 - coverage) / 2, (1 + coverage) / 2])
    whole = _auc(above, sizes, np.ones(len(bads)), np.ones(len(goods)))
    return Discrimination(len(bads), whole, float(low), float(high))


def _above(bads: Sequence[Floats], goods: Sequence[Floats]) -> Floats:
    """Of each bad loan (row) the mean number of month-ends of each good loan (column) that its own are
    above; a tie is half of one."""
    every, owner = np.concatenate(goods), np.repeat(range(len(goods)), list(map(len, goods)))
    rows = []
    for risks in bads:
        higher = np.mean([(every < risk) + (every == risk) / 2 for risk in risks], axis=0)
        rows.append(np.bincount(owner, higher, len(goods)))
    return np.array(rows)


def _weights(draw: np.random.Generator, rows: int) -> Floats:
    """How often each of some rows is drawn."""
    return np.bincount(draw.integers(0, rows, rows), minlength=rows).astype(float)


def _auc(above: Floats, sizes: Floats, bads: Floats, goods: Floats) -> float:
    return float(bads @ above @ goods / (bads.sum() * (goods @ sizes)))


def months_before(first: int, last: int) -> Callable[[Watch], Sequence[float]]:
    """The risks on the month-ends that are the first to last ones before the event; 1 is the last of
    all."""
    return lambda watch: watch.risks[max(0, len(watch.risks) - last) : len(watch.risks) - first + 1]
