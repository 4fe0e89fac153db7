"""What happens to one client on one day: facts with the second of the day, and the client's chance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from lifecycle.events import Fact
from lifecycle.sources.simulator.stories import Story

CURRENCY = "CNY"
YUAN = 10_000
"""One yuan in ten-thousandths."""
FEN = YUAN // 100


class Timed(NamedTuple):
    """A fact and when on its day it happens."""

    second: int
    diary: Diary
    data: Fact


class Diary:
    """One client's facts of the day, its random stream and its sequence."""

    __slots__ = ("_facts", "client_id", "number", "random", "sequence", "stories", "zone")

    def __init__(
        self, seed: int, number: int, zone: ZoneInfo, stories: Mapping[int, Story]
    ) -> None:
        self.random = Random(f"{seed}:{number}")
        self.number = number
        self.client_id = f"SIM-{number:06d}"
        self.sequence = 0
        self.zone = zone
        self.stories = stories
        self._facts: list[Timed] = []

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, second: int, data: Fact) -> None:
        self._facts.append(Timed(second, self, data))

    def take(self) -> list[Timed]:
        """The facts since the last time, and an empty page for the next day."""
        facts, self._facts = self._facts, []
        return facts

    def instant(self, day: dt.date, second: int) -> dt.datetime:
        """The `second` of a day in the bank's zone."""
        return _midnight(day, self.zone) + dt.timedelta(seconds=second)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def yuan(self, low: int, high: int) -> int:
        """An amount of whole yuan, `low` to `high` - 1."""
        return self.random.randrange(low, high) * YUAN


@lru_cache(maxsize=4)
def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone)
