"""Stage "raw_hour": one hour of the stream, one row per topic (columns of
`lifecycle.hours.hour_columns`). A micro-batch cannot know how many facts an hour brings, so raw-08 is
judged when the hour is over.
"""

from __future__ import annotations

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    check_column(
        "raw-08",
        "is_usual",
        "UNUSUAL_HOUR",
        "warn",
        "该小时事实数量与往周同一时段相差过大",
        "the hour brought many more or fewer facts than the same hour of the weeks before",
    ),
    check_column(
        "raw-08-silent",
        "is_heard",
        "SILENT_HOUR",
        "block",
        "营业时间内往周均有事实，该小时却没有",
        "an hour of business brought no fact, where one came in every week before",
    ),
)
