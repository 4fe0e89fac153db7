"""Stories of borrowers: who pays no more, after months of signs or without one, and who shows the same
signs and pays.

No sign is sure: each comes to a part of those who stop, to as many of those who recover, and the noise of
everybody's life has some of them too.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.leaving import lose_salary, move_a_part, noise

GAMBLING = "7995"
NO_SALARY, MOVED, GAMBLED = 0.75, 0.5, 0.4
"""The share of those who stop paying, and of those who recover, that a sign comes to."""
FIRST_SIGN, LAST_SIGN = 170, 50
"""Days before the story's day between which a sign begins."""


def recovers(client: Individual) -> None:
    """Shows what the declining show; a month or two later all is as it was."""
    noise(client)
    _signs(client, stays=True)


def declines(client: Individual) -> None:
    """Loses the salary, draws on what is there, and pays nothing from the story's day on."""
    noise(client)
    _signs(client, stays=False)
    client.on(0, partial(_stop_paying, client))


def stops_suddenly(client: Individual) -> None:
    noise(client)
    client.on(0, partial(_stop_paying, client))


def _stop_paying(client: Individual, day: dt.date) -> None:
    assert client.loan is not None, "every borrower has a loan"
    client.loan.stop()


def _signs(client: Individual, *, stays: bool) -> None:
    random = client.diary.random
    for share, act in ((NO_SALARY, lose_salary), (MOVED, move_a_part), (GAMBLED, _gamble)):
        if random.random() < share:
            act(client, -random.randrange(LAST_SIGN, FIRST_SIGN), stays)


def _gamble(client: Individual, age: int, stays: bool) -> None:
    """Bets every few days, for two weeks or until the story's day."""
    random = client.diary.random
    for more in range(0, 14 if stays else -age, 4):
        amount = client.income * random.randrange(1, 5) // 100

        def bet(day: dt.date, amount: int = amount) -> None:
            if client.account.balance > amount:
                client.buy(day, amount, mcc=GAMBLING)

        client.on(age + more, bet)
