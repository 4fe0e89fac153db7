"""What a person says of income, work, family and debts, and what is true."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from random import Random
from typing import NamedTuple

from lifecycle.events import client as cl
from lifecycle.events import money_text
from lifecycle.sources.simulator.diary import CURRENCY, YUAN, Diary

EMPLOYERS = 40
GOALS = ("HOUSE", "RETIREMENT", "EDUCATION", "TRAVEL", "CAR")
HOUSING = ("OWNED", "RENTED", "FAMILY")
RATIOS = {
    "INCOME_OVERSTATED": (40, 96),
    "INCOME_UNDERSTATED": (120, 261),
    "DEBTS_UNDERSTATED": (30, 99),
    "REVENUE_OVERSTATED": (110, 221),
}
"""Story -> the ratio its check finds, in hundredths: from the first, below the second."""


class Circumstances(NamedTuple):
    """What is true of a person; money in ten-thousandths."""

    income: int
    employer: str
    partner: bool
    children: tuple[int, ...]
    """Their birth years."""
    debts: int
    """Owed to other banks, as the credit bureau knows it."""
    assets: int


class Declaration(NamedTuple):
    """What a person declares. `ratio` is the size of what is false, as its check divides it."""

    income: int
    employer: str
    household_size: int
    children: tuple[int, ...]
    debts: int
    assets: int
    ratio: str


def circumstances(
    diary: Diary, birth_year: int, year: int, story: str, *, married: bool
) -> Circumstances:
    """Draw the circumstances of a person."""
    random = diary.random
    income = diary.yuan(5_000, 40_000)
    indebted = diary.chance(0.4) or story == "DEBTS_UNDERSTATED"
    return Circumstances(
        income,
        employer(random),
        diary.chance(0.6) or married,
        _children(diary, birth_year, year, story),
        income * random.randrange(2, 30) if indebted else 0,
        income * random.randrange(2, 60),
    )


def employer(random: Random, other_than: str = "") -> str:
    """The pseudonym of one of the employers of the town."""
    found = f"EMP-{random.randrange(EMPLOYERS):03d}"
    return found if found != other_than else f"EMP-{(int(found[4:]) + 1) % EMPLOYERS:03d}"


def declare(diary: Diary, true: Circumstances, story: str) -> Declaration:
    """What the person says: the truth, but for what the story makes false."""
    said, debts = true.income, true.debts
    ratio = ""
    if story in ("INCOME_OVERSTATED", "INCOME_UNDERSTATED"):
        said = true.income * 100 // diary.random.randrange(*RATIOS[story]) // YUAN * YUAN
        ratio = ratio_text(true.income, said)
    elif story == "DEBTS_UNDERSTATED":
        debts = true.debts * diary.random.randrange(*RATIOS[story]) // 100 // YUAN * YUAN
        ratio = ratio_text(debts, true.debts)
    hidden = story == "DEPENDANTS_HIDDEN"
    children = () if hidden else true.children
    return Declaration(
        said,
        employer(diary.random, true.employer) if story == "EMPLOYER_FALSE" else true.employer,
        1 if hidden else 1 + true.partner + len(true.children),
        children,
        debts,
        true.assets,
        ratio,
    )


def ratio_text(above: int, below: int) -> str:
    """A ratio with four decimals."""
    return f"{Decimal(above) / Decimal(below):.4f}"


def declared(diary: Diary, day: dt.date, said: Declaration, since: dt.date) -> cl.ProfileDeclared:
    """The declaration as an event."""
    return cl.ProfileDeclared(
        business_date=day,
        client_id=diary.client_id,
        currency=CURRENCY,
        declared_income_monthly=money_text(said.income),
        assets=money_text(said.assets),
        debts=money_text(said.debts),
        household_size=said.household_size,
        dependants=tuple(cl.Dependant(birth_year=year) for year in said.children),
        employer=said.employer,
        employment_since=since,
        housing=diary.random.choice(HOUSING),
        goals=tuple(diary.random.sample(GOALS, diary.random.randrange(3))),
    )


def _children(diary: Diary, birth_year: int, year: int, story: str) -> tuple[int, ...]:
    """Up to three birth years, of parents from 22 to 40 years, not of grown-ups."""
    if story == "DEPENDANTS_HIDDEN":
        return (year - diary.random.randrange(7, 16),)
    youngest, oldest = min(year - 1, birth_year + 40), max(birth_year + 22, year - 17)
    if youngest < oldest or diary.chance(0.4):
        return ()
    born = (
        diary.random.randrange(oldest, youngest + 1) for _ in range(diary.random.randrange(1, 4))
    )
    return tuple(sorted(born))
