"""Schemes of money laundering, as moves on accounts: told by the simulated bank, and put into real
accounts to see what the typologies find.

A scheme has one size that is varied, everything else is fixed; `docs/sources.md` has the table. Amounts
are ten-thousandths of a yuan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from lifecycle.events import account as ac
from lifecycle.events.fields import CreditDebit

YUAN = 10_000
HOUR = 3_600


class Move(NamedTuple):
    """One entry of a scheme."""

    day: int
    """Days after the scheme begins."""
    second: int
    side: CreditDebit
    amount: int
    """With `drains`, what the account is left with."""
    cash: bool = False
    abroad: bool = False
    party: str | None = None
    party_type: Literal["PERSON", "COMPANY"] | None = None
    member: int | None = None
    """Which member of the scheme is on the other side, where it is one."""
    drains: bool = False

    def counterparty(self, accounts: tuple[str, ...]) -> ac.Counterparty | None:
        """The other side: a member's account, by the accounts of all members, or a pseudonym."""
        if self.member is not None:
            return ac.Counterparty(account_hash=accounts[self.member])
        return ac.Counterparty(name_hash=self.party, type=self.party_type) if self.party else None


Moves = tuple[Move, ...]


class Scheme(NamedTuple):
    """One way to launder money, that a typology has to find from a size on."""

    code: str
    size: str
    """What is varied, in words."""
    sizes: tuple[int, ...]
    """From far on the quiet side to far on the other."""
    found: Callable[[int], bool]
    """Whether a scheme of a size meets the rule."""
    stated: int
    """The size at which it has to be found."""
    near: int
    """The size at which it is a near miss."""
    moves: Callable[[int, int], tuple[Moves, ...]]
    """(size, declared monthly income) -> the moves of each member."""
    asleep_days: int = 0
    """Days without an entry of the client before it begins."""
    company: bool = False
    declares: bool = False
    """Whether it is measured by a declared income."""

    def parameters(self, size: int) -> str:
        """The size as a label tells it."""
        return f"{self.size}={size}"


def _structuring(size: int, income: int) -> tuple[Moves, ...]:
    amount = 50_000 * size // 100 * YUAN
    return (tuple(Move(day, 15 * HOUR, "CRDT", amount, cash=True) for day in (0, 2, 5)),)


def _rapid(size: int, income: int) -> tuple[Moves, ...]:
    inflow = 150_000 * YUAN
    left = inflow * size // 100
    came = Move(0, 10 * HOUR, "CRDT", inflow, party="SENDER")
    return ((came, Move(1, 11 * HOUR, "DBIT", left, party="RECEIVER", drains=True)),)


def _funnel(size: int, income: int) -> tuple[Moves, ...]:
    each = 240_000 * YUAN // size
    came = tuple(
        Move(n % 3, 10 * HOUR + 300 * n, "CRDT", each, party=f"PAYER-{n:02d}") for n in range(size)
    )
    return ((*came, Move(3, 16 * HOUR, "DBIT", 200_000 * YUAN, party="COLLECTOR")),)


def _reactivation(size: int, income: int) -> tuple[Moves, ...]:
    half = 50_000 * size // 200 * YUAN
    return (tuple(Move(day, 10 * HOUR, "CRDT", half, party="SENDER") for day in (0, 1)),)


def _cash(size: int, income: int) -> tuple[Moves, ...]:
    each = size * 1_000 * YUAN // 15
    return (tuple(Move(4 * n, 14 * HOUR, "CRDT", each, cash=True) for n in range(15)),)


def _inflow(size: int, income: int) -> tuple[Moves, ...]:
    each = income * size // 100 // 4
    return (tuple(Move(5 * n, 10 * HOUR, "CRDT", each, party=f"FRIEND-{n}") for n in range(4)),)


def _round(size: int, income: int) -> tuple[Moves, ...]:
    def amount(n: int) -> int:
        return 1_000 * YUAN if n * size % 100 < size else 999 * YUAN

    sides: tuple[CreditDebit, CreditDebit] = ("CRDT", "DBIT")
    return (
        tuple(
            Move(n // 3, (9 + 2 * (n % 3)) * HOUR, sides[n % 2], amount(n), party="PARTNER")
            for n in range(75)
        ),
    )


def _abroad(size: int, income: int) -> tuple[Moves, ...]:
    half = 200_000 * size // 200 * YUAN
    return (
        tuple(
            Move(0, hour * HOUR, "CRDT", half, abroad=True, party="OVERSEAS") for hour in (10, 15)
        ),
    )


def _to_persons(size: int, income: int) -> tuple[Moves, ...]:
    return (
        tuple(
            Move(n, 15 * HOUR, "DBIT", 3_000 * YUAN, party=f"PERSON-{n:02d}", party_type="PERSON")
            for n in range(size)
        ),
    )


def _circle(size: int, income: int) -> tuple[Moves, ...]:
    whole = 60_000 * YUAN
    passed = whole * (100 - size) // 100

    def leg(payer: int, day: int, amount: int) -> tuple[Move, Move]:
        payee = (payer + 1) % 3
        sent = Move(day, 10 * HOUR, "DBIT", amount, member=payee)
        return sent, Move(day, 10 * HOUR + 120, "CRDT", amount, member=payer)

    first, second, third = leg(0, 0, whole), leg(1, 2, passed), leg(2, 4, passed)
    funded = Move(0, 9 * HOUR, "CRDT", whole)
    return (funded, first[0], third[1]), (first[1], second[0]), (second[1], third[0])


SCHEMES: dict[str, Scheme] = {
    scheme.code: scheme
    for scheme in (
        Scheme(
            "M01",
            "percent of 50,000 each",
            (50, 55, 59, 60, 80, 95, 99, 100, 110),
            lambda size: 60 <= size < 100,
            80,
            59,
            _structuring,
        ),
        Scheme(
            "M02",
            "percent of the inflow that stays",
            (30, 20, 15, 11, 9, 5, 2),
            lambda size: size < 10,
            5,
            15,
            _rapid,
        ),
        Scheme("M03", "payers", (6, 8, 9, 10, 11, 12, 15), lambda size: size >= 10, 12, 8, _funnel),
        Scheme(
            "M04",
            "percent of 50,000",
            (50, 80, 96, 100, 104, 120, 200),
            lambda size: size >= 100,
            120,
            96,
            _reactivation,
            asleep_days=366,
        ),
        Scheme(
            "M05",
            "thousands in cash",
            (50, 75, 90, 105, 150, 300, 600),
            lambda size: size >= 100,
            600,
            90,
            _cash,
        ),
        Scheme(
            "M07",
            "percent of the declared income",
            (100, 200, 300, 400, 450, 510, 600, 800),
            lambda size: size > 500,
            600,
            200,
            _inflow,
            declares=True,
        ),
        Scheme(
            "M08",
            "percent of 75 entries that are round",
            (40, 60, 66, 70, 80, 90, 100),
            lambda size: size >= 70,
            100,
            55,
            _round,
        ),
        Scheme(
            "M09",
            "percent of 200,000",
            (50, 80, 96, 100, 104, 120, 200),
            lambda size: size >= 100,
            120,
            96,
            _abroad,
        ),
        Scheme(
            "M10",
            "transfers",
            (5, 8, 9, 10, 11, 12, 15),
            lambda size: size >= 10,
            12,
            9,
            _to_persons,
            company=True,
        ),
        Scheme(
            "M12",
            "percent that stays at the second",
            (15, 10, 8, 6, 5, 4, 2, 0),
            lambda size: size <= 5,
            2,
            8,
            _circle,
        ),
    )
}
"""Scheme by the code of the typology that has to find it."""
