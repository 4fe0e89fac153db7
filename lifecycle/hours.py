"""How many facts an hour of the stream brings, against the same hour of the weeks before (raw-08).

Pure. Only live facts are counted (`live_hours`), so a replay of history is neither a flood nor a
reference, and a topic has no verdict before enough weeks of it are known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

HOUR = dt.timedelta(hours=1)

Counts = Mapping[str, Sequence[int]]
"""Topic -> live facts of the hours that were asked for, in their order."""


def same_hours(now: dt.datetime, zone: ZoneInfo, weeks: int) -> list[dt.datetime]:
    """The start of the last whole hour, then of the same hour of each week before, by the bank's
    clock."""
    start = (now - HOUR).astimezone(zone).replace(minute=0, second=0, microsecond=0)
    # Days are taken off the wall clock, so that nine stays nine over a change to summer time.
    return [start - dt.timedelta(weeks=week) for week in range(weeks + 1)]


def references(counts: Counts, figures: Mapping[str, Any]) -> dict[str, list[int]]:
    """Weeks before, newest first -> the ones to compare with, of topics that have enough.

    A topic begins with the first week in which facts came; the empty weeks before say nothing.
    """
    known = {topic: _begun(weeks) for topic, weeks in counts.items()}
    return {t: weeks for t, weeks in known.items() if len(weeks) >= figures["hour_weeks"]["min"]}


def hour_columns(
    start: dt.datetime,
    counts: Mapping[str, int],
    before: Counts,
    figures: Mapping[str, Any],
) -> dict[str, list[bool]]:
    """Columns of stage "raw_hour", one row per topic of `before` (what `references` gives)."""
    open_now = _in_business_hours(start, figures["business_hours"])
    rows = [(counts.get(topic, 0), weeks) for topic, weeks in before.items()]
    return {
        "is_usual": [_is_usual(facts, weeks, figures["hour_deviation"]) for facts, weeks in rows],
        "is_heard": [facts > 0 or not open_now or min(weeks) == 0 for facts, weeks in rows],
    }


def _begun(weeks: Sequence[int]) -> list[int]:
    begun = list(weeks)
    while begun and begun[-1] == 0:
        begun.pop()
    return begun


def _is_usual(facts: int, weeks: Sequence[int], deviation: Mapping[str, Any]) -> bool:
    """Whether a count is within some median absolute deviations (MAD) of the median."""
    middle = median(weeks)
    mad = median(abs(week - middle) for week in weeks)
    # Weeks that are much alike have a MAD near zero, and any other count would stand out.
    return bool(
        abs(facts - middle) <= max(deviation["mads"] * mad, float(deviation["share"]) * middle)
    )


def _in_business_hours(start: dt.datetime, hours: Mapping[str, Any]) -> bool:
    return start.isoweekday() in hours["weekdays"] and hours["from"] <= start.hour < hours["to"]
