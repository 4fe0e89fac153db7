"""Stories of who leaves, who looks like leaving and stays, and the noise of everybody's life.

No sign is sure: each of them comes to a part of the leavers, to as many of the waverers, from whom it
goes away again, and to some of those who never thought of leaving.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from lifecycle.events import account as ac
from lifecycle.sources.simulator.accounts import FUNDING, SENT, Account
from lifecycle.sources.simulator.contacts import answer, attempt, complain
from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.journeys import OTHER_BANK

ELSEWHERE = ac.Counterparty(bank_id="OTHER-BANK", type="OWN")
SHOWN = 0.55
"""The share of leavers and waverers that a sign comes to."""
NOISE_EVERY, NOISE_UNTIL = 90, 720
LOAN_PART = (3, 20)
"""What the instalment of a loan is of an income."""


def steady(client: Individual) -> None:
    noise(client)


def wavers(client: Individual) -> None:
    """Shows what leavers show; a month or two later all is as it was."""
    noise(client)
    _signs(client, stays=True)


def leaves_announced(client: Individual) -> None:
    noise(client)
    _signs(client, stays=False)
    client.on(0, lambda day: _leave(client, day))


def leaves_suddenly(client: Individual) -> None:
    noise(client)
    client.on(0, lambda day: _leave(client, day))


def _leave(client: Individual, day: dt.date) -> None:
    """All money goes; who owes nothing may close the account. A loan is paid from elsewhere."""
    random = client.diary.random
    client.stop()
    if client.savings:
        send(client.savings, day, 1_000)
    if client.loan is None and random.random() < 0.3:
        client.cancel_rent(day)
        client.account.close(day)
        if client.savings:
            client.savings.close(day)
        return
    send(client.account, day, random.randrange(900, 1_000))
    if client.loan is not None:
        part, whole = LOAN_PART
        amount = client.income * part // whole + 1
        client.monthly(day, 14, lambda due: _bring(client, due, amount))


def send(account: Account, day: dt.date, part: int) -> int:
    """Send parts of a thousand of an account, if there is money, to the client's own account elsewhere."""
    amount = max(0, account.balance * part // 1_000)
    if amount > 0:
        account.book(day, 14 * 3600, SENT, amount, other=ELSEWHERE)
    return amount


def _bring(client: Individual, day: dt.date, amount: int) -> None:
    client.account.book(day, 9 * 3600, FUNDING, amount, other=OTHER_BANK)


def _signs(client: Individual, *, stays: bool) -> None:
    """Plan what may announce a leaving, within some four months before the day of the story."""
    random = client.diary.random

    def shown(act: Callable[[Individual, int, bool], None], first: int, last: int) -> None:
        if random.random() < SHOWN:
            act(client, -random.randrange(last, first), stays)

    shown(lose_salary, 120, 25)
    shown(_cancel_order, 90, 5)
    shown(move_a_part, 80, 4)
    shown(_rest, 60, 12)
    shown(_complain, 110, 8)
    shown(_not_reached, 80, 20)


def lose_salary(client: Individual, age: int, stays: bool) -> None:
    before = client.employer

    def stop(day: dt.date) -> None:
        client.employer = None

    def return_(day: dt.date) -> None:
        client.employer = before

    client.on(age, stop)
    if stays:
        client.on(age + client.diary.random.randrange(35, 70), return_)


def _cancel_order(client: Individual, age: int, stays: bool) -> None:
    def cancel(day: dt.date) -> None:
        if client.pays_rent:
            client.pays_rent = False
            client.cancel_rent(day)

    def again(day: dt.date) -> None:
        client.pays_rent = True
        client.order_rent(day, version=3)

    client.on(age, cancel)
    if stays:
        client.on(age + client.diary.random.randrange(20, 60), again)


def move_a_part(client: Individual, age: int, stays: bool) -> None:
    part = client.diary.random.randrange(120, 400)
    back = client.diary.random.randrange(20, 50)

    def move(day: dt.date) -> None:
        amount = send(client.account, day, part)
        if stays and amount:
            client.at(day + dt.timedelta(days=back), lambda later: _bring(client, later, amount))

    client.on(age, move)


def _rest(client: Individual, age: int, stays: bool) -> None:
    """No purchases, no bills for a while."""

    def stop(day: dt.date) -> None:
        client.awake = False

    def go_on(day: dt.date) -> None:
        client.awake = True

    client.on(age, stop)
    client.on(age + client.diary.random.randrange(10, 28), go_on)


def _complain(client: Individual, age: int, stays: bool) -> None:
    client.on(age, lambda day: complain(client.diary, day, "MEDIUM"))
    if stays or client.diary.chance(0.5):
        client.on(age + client.diary.random.randrange(3, 20), lambda day: answer(client.diary, day))


def _not_reached(client: Individual, age: int, stays: bool) -> None:
    days = client.diary.random.sample(range(25), client.diary.random.randrange(2, 5))
    for more in days:
        client.on(age + more, lambda day: attempt(client.diary, day, reached=False))


def noise(client: Individual) -> None:
    """What happens to anybody: calls, some of them in vain, weeks away, money moved and brought back."""
    random = client.diary.random
    for begins in range(20, NOISE_UNTIL, NOISE_EVERY):
        for _ in range(random.randrange(3)):
            day = client.first + dt.timedelta(days=begins + random.randrange(NOISE_EVERY))
            reached = random.random() < 0.65
            client.at(day, partial(attempt, client.diary, reached=reached))
        offset = begins + random.randrange(NOISE_EVERY) - (client.story_day - client.first).days
        if random.random() < 0.15:
            _rest(client, offset, True)
        if random.random() < 0.08:
            move_a_part(client, offset, True)
        if random.random() < 0.04:
            lose_salary(client, offset, True)
    if client.told == "STEADY" and random.random() < 0.15:
        _complain(client, random.randrange(10, 600) - (client.story_day - client.first).days, True)
    if client.told == "STEADY" and random.random() < 0.08:
        _cancel_order(
            client, random.randrange(10, 600) - (client.story_day - client.first).days, True
        )
