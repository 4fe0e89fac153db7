"""The breaker: a partition that brings mostly bad records is stopped, not drained into quarantine.

One per consumer. Only bad records are looked at, by their offsets, so good ones cost nothing. The
record that passes a limit is the last one taken, and the stored offset stays right behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lifecycle.limits import Limits
from lifecycle.ports import Record, Stop

Place = tuple[str, int]


class _Counts:
    """Of one partition: bad records in a row, and bad ones in the window that is open."""

    __slots__ = ("bad", "last_bad", "run", "window_start")

    def __init__(self, offset: int) -> None:
        self.run = 0
        self.last_bad = -1
        self.window_start = offset
        self.bad = 0


class Breaker:
    """Counts per partition. Not to be shared between threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._counts: dict[Place, _Counts] = {}

    def forget(self) -> None:
        """Start counting anew: the partitions were read again, or belong to another consumer."""
        self._counts = {}

    def stops(self, records: Sequence[Record], bad: Iterable[int]) -> dict[Place, tuple[int, Stop]]:
        """Partitions that have to stop: the position of the last record taken, and the stop.

        `bad` holds the positions of refused records; those of one partition come in order.
        """
        found: dict[Place, tuple[int, Stop]] = {}
        for i in bad:
            record = records[i]
            place = (record.topic, record.partition)
            if place not in found:
                why = self._count(place, record.offset)
                if why:
                    found[place] = (i, Stop(record.topic, record.partition, why))
        return found

    def _count(self, place: Place, offset: int) -> str | None:
        counts = self._counts.get(place) or self._counts.setdefault(place, _Counts(offset))
        counts.run = counts.run + 1 if offset == counts.last_bad + 1 else 1
        counts.last_bad = offset
        if offset - counts.window_start >= self._limits.bad_window:
            counts.window_start, counts.bad = offset, 0
        counts.bad += 1
        if counts.run >= self._limits.bad_run:
            return f"{counts.run:,} bad records in a row"
        if counts.bad > self._limits.bad_share * self._limits.bad_window:
            return f"{counts.bad:,} bad records within {self._limits.bad_window:,}"
        return None
