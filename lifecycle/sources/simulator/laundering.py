"""Another bank: its stories are schemes of money laundering, found ones and near misses, and everybody
else lives quietly."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import NamedTuple

from lifecycle.sources.laundering import SCHEMES, Move, Scheme
from lifecycle.sources.simulator.accounts import CASH_IN, CASH_OUT, RECEIVED, SENT
from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.life import Life
from lifecycle.sources.simulator.stories import STORIES_EVERY, Story

_PLACES = {
    "M01": (1, 2),
    "M02": (3, 4),
    "M03": (5, 6),
    "M04": (7, 8),
    "M05": (9, 10),
    "M07": (11, 12),
    "M08": (13, 14),
    "M09": (15, 16),
    "M12": (20, 23),
    "M10": (45, 46),
}
"""Client number modulo 50 of who is found, and of the near miss; of M12 the first of three."""
_BEGINS = {"M03": 405, "M04": 405}
"""In the middle of a month, without a bill to pay; the others begin on day 400 + g mod 20."""
_RARE = {"M05": 4}
"""One in a hundred peers cannot be beyond what one in a hundred of them is beyond."""


class Part(NamedTuple):
    """What a client is in a scheme."""

    scheme: Scheme
    size: int
    member: int


def _parts() -> dict[int, Part]:
    return {
        place + member: Part(scheme, size, member)
        for code, places in _PLACES.items()
        for scheme in [SCHEMES[code]]
        for place, size in zip(places, (scheme.stated, scheme.near), strict=True)
        for member in range(len(scheme.moves(size, 0)))
    }


_PARTS = _parts()


def _story(part: Part) -> Story:
    code, found = part.scheme.code, part.scheme.found(part.size)
    return Story(
        f"{code}_{'FOUND' if found else 'NEAR'}",
        begins=_BEGINS.get(code, 400),
        step=0 if code in _BEGINS else 1,
        typology=code,
        found=found,
        parameters=part.scheme.parameters(part.size),
        every=_RARE.get(code, 1),
    )


LAUNDERING: dict[int, Story] = {place: _story(part) for place, part in _PARTS.items()}
"""Client number modulo 50 -> scheme; the other numbers live quietly."""


def launder(client: Life) -> None:
    """Plan the client's part of its scheme, in a bank that has such stories."""
    number = client.diary.number
    if client.diary.stories is not LAUNDERING or client.story is None:
        return
    part = _PARTS[number % STORIES_EVERY]
    income = client.said.income if isinstance(client, Individual) else client.income
    members = part.scheme.moves(part.size, income)
    accounts = tuple(f"SIM-{number - part.member + n:06d}-A1" for n in range(len(members)))
    client.entity = f"account/{client.account.account_id}"
    if part.scheme.asleep_days:
        client.at(client.first, lambda day: _fall_asleep(client))
    for move in members[part.member]:
        client.on(move.day, partial(_make, client, move=move, accounts=accounts))


def _fall_asleep(client: Life) -> None:
    client.awake = False


def _make(client: Life, day: dt.date, *, move: Move, accounts: tuple[str, ...]) -> None:
    ways = {("CRDT", True): CASH_IN, ("DBIT", True): CASH_OUT, ("DBIT", False): SENT}
    client.account.book(
        day,
        move.second,
        ways.get((move.side, move.cash), RECEIVED),
        client.account.balance - move.amount if move.drains else move.amount,
        other=move.counterparty(accounts),
        abroad=move.abroad,
    )
