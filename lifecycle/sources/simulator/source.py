"""The simulated bank as an EventSource: all lives, merged day by day in event-time order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from lifecycle.errors import UsageError
from lifecycle.events import Outgoing, encode
from lifecycle.sources.files import within
from lifecycle.sources.simulator.companies import Company
from lifecycle.sources.simulator.diary import Diary, Timed
from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.laundering import launder
from lifecycle.sources.simulator.life import Life
from lifecycle.sources.simulator.stories import (
    COMPANIES,
    STORIES,
    STORIES_EVERY,
    Label,
    Story,
    story_of,
)
from lifecycle.sources.simulator.telling import plan

SOURCE = "/simulator"
CLIENTS_MIN, CLIENTS_MAX = 50, 100_000


class SimulatorSource:
    """`clients` lives of `days` days from `first_day`; `stories` says by number modulo 50 what happens to
    whom."""

    name = SOURCE

    def __init__(
        self,
        *,
        seed: int,
        clients: int,
        first_day: dt.date,
        days: int,
        timezone: ZoneInfo,
        stories: Mapping[int, Story] = STORIES,
    ) -> None:
        if not CLIENTS_MIN <= clients <= CLIENTS_MAX:
            raise UsageError(
                f"A simulated bank has {CLIENTS_MIN} to {CLIENTS_MAX:,} clients, not {clients}."
            )
        if days < 1:
            raise UsageError(f"A simulated bank lives at least one day, not {days}.")
        if days > (dt.date.max - first_day).days:
            raise UsageError(f"A simulated bank lives until {dt.date.max}, not {days:,} days.")
        self._seed = seed
        self._clients = clients
        self._first_day = first_day
        self._days = days
        self._zone = timezone
        self._stories = stories

    def events(self, first: dt.date | None, last: dt.date | None) -> Iterator[Outgoing]:
        lives = self._lives()
        for offset in range(self._days):
            day = self._first_day + dt.timedelta(days=offset)
            if last is not None and day > last:
                break
            facts = [fact for life in lives for fact in life.day(day)]
            facts.sort(key=lambda fact: fact.second)
            for fact in facts:
                fact.diary.sequence += 1
                if within(day, first, last):
                    yield _encode(fact, day)

    def count(self) -> int | None:
        return None

    def labels(self) -> list[Label]:
        """The truth about every planted story that happens within the simulated days."""
        last = self._first_day + dt.timedelta(days=self._days - 1)
        return [label for life in self._lives() if (label := life.label(last))]

    def _lives(self) -> list[Life]:
        return [self._life(number) for number in range(self._clients)]

    def _life(self, number: int) -> Life:
        diary = Diary(self._seed, number, self._zone, self._stories)
        story = story_of(self._stories, number)
        if number % STORIES_EVERY in COMPANIES:
            company = Company(diary, self._first_day, story)
            company.at(self._first_day, company.join)
            launder(company)
            return company
        client = Individual(diary, self._first_day, story)
        plan(client)
        launder(client)
        return client


def _encode(fact: Timed, day: dt.date) -> Outgoing:
    diary = fact.diary
    return encode(
        fact.data,
        source=SOURCE,
        client_id=diary.client_id,
        time=diary.instant(day, fact.second),
        sequence=diary.sequence,
        synthetic=True,
    )
