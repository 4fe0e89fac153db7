"""What every client has: a first day, a plan of what is to come, accounts, and perhaps a story."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from lifecycle.events import client as cl
from lifecycle.events.fields import ClientType
from lifecycle.sources.simulator.accounts import INTEREST, Account
from lifecycle.sources.simulator.contacts import talk
from lifecycle.sources.simulator.diary import Diary, Timed
from lifecycle.sources.simulator.loans import Loan, consent
from lifecycle.sources.simulator.stories import RELATIONS, STORIES_EVERY, Label, Story

Act = Callable[[dt.date], None]
QUARTERLY_INTEREST = 2_000
"""One part in so many of the balance, on the 21st of the last month of every quarter."""
CONTACT_GAP = (30, 120)


class Life:
    """One client, day by day."""

    __slots__ = (
        "_plan",
        "account",
        "accounts",
        "awake",
        "contact_gap",
        "diary",
        "entity",
        "first",
        "income",
        "loan",
        "ratio",
        "story",
        "story_day",
    )
    client_type: ClientType

    def __init__(self, diary: Diary, first: dt.date, story: Story | None) -> None:
        self.diary = diary
        self.story = story
        offset = self.story.first_day(diary.number) if self.story else 0
        self.story_day = first + dt.timedelta(days=offset)
        later = diary.number * 7 % story.joins_within if story else 0
        self.first = first + dt.timedelta(days=later)
        """The day the client becomes known to the bank."""
        self.awake = False
        """Whether ordinary life goes on."""
        self.income = 0
        """What comes in within a month, in ten-thousandths."""
        self.account = Account(diary, "A1")
        """The account that ordinary life uses."""
        self.accounts = [self.account]
        self.loan: Loan | None = None
        self.contact_gap = CONTACT_GAP
        self.entity = f"client/{diary.client_id}"
        self.ratio = ""
        self._plan: dict[dt.date, list[Act]] = {}

    @property
    def told(self) -> str:
        """The name of the client's story, or nothing."""
        return self.story.name if self.story else ""

    def label(self, last: dt.date) -> Label | None:
        """The truth about the client's story as of the last simulated day; None when there is none,
        or when it is not true on that day."""
        story = self.story
        if story is None or last < self.story_day + dt.timedelta(days=story.settles):
            return None
        if story.ends is not None and last >= self.story_day + dt.timedelta(days=story.ends):
            return None
        return Label(
            story.name,
            self.diary.client_id,
            self.entity,
            self.story_day,
            story.state,
            story.check,
            self.ratio,
            story.typology,
            story.found if story.typology else None,
            story.parameters,
        )

    def at(self, day: dt.date, act: Act) -> None:
        """Plan something; what is planned for one day happens in the order of planning."""
        self._plan.setdefault(day, []).append(act)

    def on(self, age: int, act: Act) -> None:
        """Plan something for the `age`-th day of the story."""
        self.at(self.story_day + dt.timedelta(days=age), act)

    def monthly(self, first: dt.date, date: int, act: Act) -> None:
        """Plan something for one date of every month, from `first` on."""

        def again(day: dt.date) -> None:
            act(day)
            self.monthly(day + dt.timedelta(days=1), date, act)

        month = first.year * 12 + first.month - (first.day <= date)
        self.at(dt.date(month // 12, month % 12 + 1, date), again)

    def stop(self) -> None:
        """Ordinary life ends, and nothing that was planned happens."""
        self.awake = False
        self._plan.clear()

    def day(self, day: dt.date) -> Sequence[Timed]:
        """What happens on one day, with the second of the day."""
        if self.awake:
            self.live(day)
        if self.loan is not None:
            self.loan.day(day)
        if day in self._plan:
            for act in self._plan.pop(day):
                act(day)
        if day.day == 21 and day.month % 3 == 0:
            self._earn_interest(day)
        if not self.diary:
            return ()
        for account in self.accounts:
            account.end_day(day)
        return self.diary.take()

    def live(self, day: dt.date) -> None:
        """An ordinary day of this kind of client."""
        raise NotImplementedError

    def agree(self, day: dt.date) -> None:
        """What the client allows on the first day."""
        if self.diary.chance(0.7) or self.told == "CONSENT_WITHDRAWN":
            consent(self.diary, day, 8 * 3600 + 180, "P2_PROFILE")
        if self.diary.chance(0.4):
            consent(self.diary, day, 8 * 3600 + 181, "P4_AUTOMATED")

    def verify(self, day: dt.date) -> None:
        """The bank knows its customer."""
        self.diary.add(
            8 * 3600 + 60,
            cl.KycUpdated(
                business_date=day,
                client_id=self.diary.client_id,
                kyc_level="FULL",
                reviewed_at=self.diary.instant(day, 8 * 3600 + 60),
                next_review_date=day + dt.timedelta(days=365),
                pep=False,
                sanctions_hit=False,
                aml_risk_level="LOW",
            ),
        )

    def relate(self, day: dt.date) -> None:
        """The client is linked to a spouse, a guarantor or an owner."""
        relation = RELATIONS.get(self.diary.number % STORIES_EVERY)
        if relation is None:
            return
        kind, before = relation
        self.diary.add(
            8 * 3600 + 240,
            cl.RelationLinked(
                business_date=day,
                client_id=self.diary.client_id,
                other_client_id=f"SIM-{self.diary.number - before:06d}",
                relation=kind,
                share=f"0.{self.diary.random.randrange(25, 100)}" if kind == "UBO" else None,
            ),
        )

    def meet(self, day: dt.date) -> None:
        """A contact, and the plan for the next one."""
        talk(self.diary, day, self.client_type)
        self.meet_after(day)

    def meet_after(self, day: dt.date) -> None:
        """Plan the next contact."""
        gap = self.diary.random.randrange(*self.contact_gap)
        self.at(day + dt.timedelta(days=gap), self.meet)

    def _earn_interest(self, day: dt.date) -> None:
        for account in self.accounts:
            interest = account.balance // QUARTERLY_INTEREST
            if account.open and interest >= 100:
                account.book(day, 3600, INTEREST, interest, purpose="INTE")
