"""The planted stories: whose they are, when they begin, and what is true of the client then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal, NamedTuple

STORIES_EVERY = 50


class Story(NamedTuple):
    """One planted story. Days are counted from the first day of the simulation."""

    name: str
    begins: int = 40
    step: int = 1
    cycle: int = 20
    """The story of client `number` begins `number // 50 % cycle` steps later than that of the first
    fifty clients, so that a larger bank has its stories on many days."""
    state: str = ""
    """The lifecycle state it leads to; empty when it is not about the lifecycle."""
    settles: int = 0
    """Days from its beginning until the state is sure."""
    ends: int | None = None
    """Days from its beginning until the state may end; None when it stays."""
    check: str = ""
    """The cross-validation check that its false declaration fails."""
    typology: str = ""
    """The typology of money laundering it is about."""
    found: bool = False
    """Whether that typology has to find it: else it is a near miss."""
    parameters: str = ""
    """How large it is, as the typology measures it."""
    every: int = 1
    """It is told in one of so many fifties of clients."""
    joins_within: int = 1
    """Its clients join within so many days from the first."""

    def first_day(self, number: int) -> int:
        """The day on which the story of a client begins."""
        return self.begins + self.step * (number // STORIES_EVERY % self.cycle)


def _false(name: str, check: str) -> Story:
    """Something declared on the first day that is not so."""
    return Story(name, begins=0, step=0, check=check)


STORIES: dict[int, Story] = {
    1: Story("MISSED_ONCE"),
    2: Story("MISSED_TWICE"),
    3: Story("MISSED_OVER_90_DAYS"),
    4: Story("OVERDRAFT"),
    5: Story(
        "STRUCTURING",
        typology="M01",
        found=True,
        parameters="deposits=3;days=4;amount=31000..48999",
    ),
    6: Story("LARGE_CASH"),
    7: Story("DORMANT_WAKES"),
    8: Story("CONSENT_WITHDRAWN"),
    9: Story("COMPLAINT"),
    10: Story("PROSPECT", 0, 0, state="PROSPECT", settles=2),
    11: Story("PROSPECT_LAPSED", 0, 0, state="PROSPECT_LAPSED", settles=183),
    12: Story("ONBOARDING", 110, 60, 6, state="ONBOARDING", settles=1, ends=88),
    13: Story("ONBOARDING_FAILED", 0, 0, state="DORMANT", settles=93),
    14: Story("ACTIVE", 0, 0, state="ACTIVE", settles=30),
    15: Story("GROWING", 75, 0, state="GROWING", settles=77, ends=380),
    16: Story("AT_RISK_BALANCE", 130, 60, 5, state="AT_RISK", settles=15, ends=115),
    17: Story("AT_RISK_SALARY", 80, 60, 5, state="AT_RISK", settles=68, ends=110),
    18: Story("AT_RISK_COMPLAINT", 100, state="AT_RISK", settles=18),
    19: Story("DORMANT", 8, 0, state="DORMANT", settles=370),
    20: Story("REACTIVATING", 400, 60, 4, state="REACTIVATING", settles=3, ends=55),
    21: Story("REACTIVATING_UNUSED", 140, 60, 5, state="REACTIVATING", settles=3, ends=55),
    22: Story("CHURNED", 10, 60, 5, state="CHURNED", settles=184, ends=350),
    23: Story("WON_BACK", 100, 60, 4, state="WON_BACK", settles=3, ends=175),
    24: Story("CLOSED", 90, state="CLOSED", settles=2),
    25: Story("DECEASED", 100, state="DECEASED", settles=1),
    26: Story("JOB_CHANGED", 75, check="CV02"),
    27: Story("CARD_BLOCKED"),
    28: Story("DEBIT_REJECTED"),
    29: Story("ENTRY_REVERSED"),
    30: Story("COMPLAINT_LOW"),
    31: Story("COMPLAINT_OVERDUE"),
    32: _false("INCOME_OVERSTATED", "CV01"),
    33: _false("INCOME_UNDERSTATED", "CV01"),
    34: _false("EMPLOYER_FALSE", "CV02"),
    35: _false("DEBTS_UNDERSTATED", "CV04"),
    36: _false("DEPENDANTS_HIDDEN", "CV05"),
    37: Story("ID_EXPIRED", 30, 5, check="CV09"),
    38: Story("SOLD_ABOVE_TOLERANCE", 25, check="CV06"),
    45: _false("PAYERS_CONCENTRATED", ""),
    46: Story("REVENUE_OVERSTATED", check="CV03"),
}
"""Client number modulo 50 -> story; the other numbers live quietly."""


def story_of(stories: Mapping[int, Story], number: int) -> Story | None:
    """The story of a client, by its number; None when it lives quietly."""
    story = stories.get(number % STORIES_EVERY)
    return story if story and number // STORIES_EVERY % story.every == 0 else None


ALONE = {"M03_FOUND", "M03_NEAR", "M04_FOUND", "M04_NEAR"}
"""Stories whose clients have nothing but an account: other payees or a loan would be the story's end."""

COMPANIES = range(45, 50)
"""Client numbers modulo 50 that are companies."""

Relation = Literal["SPOUSE", "GUARANTOR", "UBO"]

RELATIONS: dict[int, tuple[Relation, int]] = {
    40: ("SPOUSE", 1),
    42: ("GUARANTOR", 1),
    44: ("SPOUSE", 1),
    **dict.fromkeys(COMPANIES, ("UBO", 6)),
}
"""Client number modulo 50 -> how it is related, and to the client how many numbers before: always a
lower number, so that the other one is there however small the bank is."""
MARRIED = {
    married
    for place, (kind, before) in RELATIONS.items()
    if kind == "SPOUSE"
    for married in (place, place - before)
}
"""Client numbers modulo 50 that have a spouse at the bank."""


class Label(NamedTuple):
    """One planted story: what is true of the client, and when it happens."""

    story: str
    client_id: str
    entity: str
    day: dt.date
    state: str = ""
    """The lifecycle state expected at the end of the last simulated day."""
    check: str = ""
    """The cross-validation check that a false declaration fails."""
    ratio: str = ""
    """Its size, as the check divides it: CV01 observed / declared income, CV03 filed revenue /
    yearly inflow, CV04 declared / reported debts."""
    typology: str = ""
    """The typology of money laundering it is about."""
    found: bool | None = None
    """Whether that typology has to find it; False for a near miss."""
    parameters: str = ""
    """How large it is, as the typology measures it."""


def _spread(
    name: str, places: range, offset: int, step: int = 37, cycle: int = 12
) -> dict[int, Story]:
    """The same story for several places, begun on different days of more than a year."""
    return {
        place: Story(name, offset + 11 * number, step, cycle, joins_within=150)
        for number, place in enumerate(places, start=1)
    }


LENDING: dict[int, Story] = {
    **{
        place: Story(f"STOPS_PAYING_{n}", joins_within=700)
        for n in (6, 10, 15)
        for place in range(n, n + 4)
    },
    **{place: Story("MISSED_ONCE", joins_within=700) for place in range(20, 26)},
    **{place: Story("MISSED_TWICE", joins_within=700) for place in range(26, 30)},
    **{place: Story("STEADY", joins_within=700) for place in range(30, 45)},
}
"""Client number modulo 50 -> story, of a bank that lends over years: a part stops paying early or late, a
part pays late now and then."""

LEAVING: dict[int, Story] = {
    **_spread("LEAVES_ANNOUNCED", range(1, 9), 190),
    **_spread("LEAVES_SUDDENLY", range(9, 12), 200),
    **_spread("WAVERS", range(12, 20), 190),
    **_spread("STEADY", range(20, 45), 0),
    **_spread("STEADY", range(1), 0),
}
"""Client number modulo 50 -> story, of a bank whose clients leave: announced and with noise, without a
sign, and some that look like it and stay. Companies live quietly."""

STRAINED: dict[int, Story] = {
    **_spread("DECLINES", range(1, 8), 190, 111, 6),
    **_spread("STOPS_SUDDENLY", range(8, 10), 220, 111, 6),
    **_spread("RECOVERS", range(10, 18), 190, 111, 6),
    **_spread("PAYS", range(18, 45), 0, 111, 6),
    **_spread("PAYS", range(1), 0, 111, 6),
}
"""Client number modulo 50 -> story, of a bank of borrowers: who pays no more, after signs of it or without
one, and who shows the signs and pays. Companies live quietly."""
