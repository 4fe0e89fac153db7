"""Facts per hour against the weeks before: the band, the silence, and when nothing can be said."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lifecycle.hours import hour_columns, references, same_hours

FIGURES: dict[str, Any] = {
    "hour_weeks": {"of": 8, "min": 4},
    "hour_deviation": {"mads": 3, "share": "0.1"},
    "business_hours": {"weekdays": [1, 2, 3, 4, 5], "from": 9, "to": 17},
}
SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY_TEN = dt.datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)


def judged(facts: int, weeks: list[int], start: dt.datetime = MONDAY_TEN) -> tuple[bool, bool]:
    columns = hour_columns(start, {"t": facts}, {"t": weeks}, FIGURES)
    return columns["is_usual"][0], columns["is_heard"][0]


def test_the_last_whole_hour_and_the_same_hour_of_the_weeks_before() -> None:
    now = dt.datetime(2026, 3, 2, 3, 7, tzinfo=dt.UTC)
    assert same_hours(now, SHANGHAI, 2) == [
        dt.datetime(2026, day.month, day.day, 10, tzinfo=SHANGHAI)
        for day in (dt.date(2026, 3, 2), dt.date(2026, 2, 23), dt.date(2026, 2, 16))
    ]


def test_nine_stays_nine_over_a_change_to_summer_time() -> None:
    prague = ZoneInfo("Europe/Prague")
    now = dt.datetime(2026, 3, 30, 10, 5, tzinfo=prague)
    hours = same_hours(now, prague, 1)
    assert [hour.hour for hour in hours] == [9, 9]
    assert [hour.astimezone(dt.UTC).hour for hour in hours] == [7, 8]


@pytest.mark.parametrize(
    ("facts", "usual"), [(100, True), (130, True), (131, False), (70, True), (69, False)]
)
def test_three_median_absolute_deviations_are_usual(facts: int, usual: bool) -> None:
    # Median 100, deviations 0 10 10 20 0: their median is 10.
    assert judged(facts, [100, 110, 90, 120, 100]) == (usual, True)


@pytest.mark.parametrize(("facts", "usual"), [(110, True), (111, False), (89, False)])
def test_weeks_that_are_all_alike_leave_a_tenth(facts: int, usual: bool) -> None:
    assert judged(facts, [100, 100, 100, 100]) == (usual, True)


@pytest.mark.parametrize(
    ("start", "weeks", "heard"),
    [
        (MONDAY_TEN, [5, 900, 40, 300], False),
        (MONDAY_TEN, [5, 900, 0, 300], True),
        (MONDAY_TEN.replace(hour=8), [5, 900, 40, 300], True),
        (MONDAY_TEN.replace(hour=17), [5, 900, 40, 300], True),
        (MONDAY_TEN - dt.timedelta(days=1), [5, 900, 40, 300], True),
    ],
    ids=["business", "was silent before", "too early", "too late", "sunday"],
)
def test_silence_counts_in_business_hours_where_facts_always_came(
    start: dt.datetime, weeks: list[int], heard: bool
) -> None:
    assert judged(0, weeks, start)[1] is heard


def test_a_topic_has_no_verdict_before_enough_weeks() -> None:
    counts = {
        "new": [9, 9, 9, 0, 0, 0, 0, 0],
        "old": [9, 9, 9, 9, 0, 0, 0, 0],
        "gaps": [0, 9, 0, 9, 0, 0, 0, 0],
        "never": [0] * 8,
    }
    assert references(counts, FIGURES) == {"old": [9, 9, 9, 9], "gaps": [0, 9, 0, 9]}


def test_a_topic_that_is_not_counted_at_all_is_silent() -> None:
    columns = hour_columns(MONDAY_TEN, {}, {"t": [5, 5, 5, 5]}, FIGURES)
    assert columns == {"is_usual": [False], "is_heard": [False]}
