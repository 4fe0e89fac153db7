"""Stories of the lifecycle, from prospect to deceased: what is planned for their clients."""

from __future__ import annotations

import datetime as dt
from functools import partial

from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.sources.simulator.accounts import FUNDING, SENT, Account
from lifecycle.sources.simulator.diary import YUAN
from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.investments import CATALOGUE, assess, sell

OTHER_BANK = ac.Counterparty(bank_id="OTHER-BANK")
PROSPECT_GAP = (40, 60)
GROWS_EVERY = 60
NEW_CATEGORIES = ("MM-CASH", "FI-BOND", "INS-LIFE", "MA-BALANCED", "EQ-INDEX", "AU-GOLD")


def prospect(client: Individual) -> None:
    """Known to the bank, in touch with it, without an account."""
    client.contact_gap = PROSPECT_GAP
    client.at(client.first, client.register)
    client.at(client.first, client.meet)


def prospect_lapsed(client: Individual) -> None:
    client.at(client.first, client.register)


def unused(client: Individual) -> None:
    """An account that nobody pays into, of a client whom the bank has not verified."""
    client.at(client.first, client.register)
    client.at(client.first, client.open_account)


def onboarding(client: Individual) -> None:
    """Late to join; money comes, and little else."""
    unused(client)
    client.on(1, lambda day: _fund(client, day, client.income))


def reactivating_unused(client: Individual) -> None:
    unused(client)
    client.on(0, lambda day: _fund(client, day, client.income))


def _fund(client: Individual, day: dt.date, amount: int) -> None:
    client.account.book(day, 10 * 3600, FUNDING, amount, purpose="CASH")


def active(client: Individual) -> None:
    """Spends what comes in, so that the balance neither grows nor falls."""

    def spend(day: dt.date) -> None:
        surplus = client.account.balance - client.income * 5
        if surplus > 0:
            client.buy(day, surplus, mcc="5311")

    client.monthly(client.first, 25, spend)


def growing(client: Individual) -> None:
    """Brings in a seventh of the balance every month, and buys from a new category every 60 days."""

    def bring(day: dt.date) -> None:
        amount = max(client.account.balance // 7, 10_000 * YUAN)
        _fund(client, day, min(amount, 200_000 * YUAN) // YUAN * YUAN)

    client.monthly(client.first + dt.timedelta(days=30), 18, bring)
    client.at(client.first + dt.timedelta(days=40), lambda day: assess(client, day, "C4", 730))
    products = {product.product_id: product for product in CATALOGUE}
    for number, name in enumerate(NEW_CATEGORIES):
        client.on(number * GROWS_EVERY, partial(sell, client, product=products[name]))


def at_risk_balance(client: Individual) -> None:
    """Most of the money goes to another bank, and so does every month what is left of the income."""

    def send(day: dt.date, amount: int) -> None:
        if amount > 0:
            client.account.book(day, 14 * 3600, SENT, amount, other=OTHER_BANK)

    def drop(day: dt.date) -> None:
        send(day, client.account.balance * 85 // 100)
        after = day + dt.timedelta(days=1)
        client.monthly(after, 17, lambda d: send(d, client.account.balance - client.income // 2))

    client.on(0, drop)


def at_risk_salary(client: Individual) -> None:
    def lose_job(day: dt.date) -> None:
        client.employer = None

    client.on(0, lose_job)


def dormant(client: Individual) -> None:
    client.on(0, lambda day: client.stop())


def reactivating(client: Individual) -> None:
    """Nothing for more than a year, then one payment."""

    def sleep(day: dt.date) -> None:
        client.stop()
        client.on(0, lambda woken: _fund(client, woken, 2_000 * YUAN))

    client.at(client.first + dt.timedelta(days=8), sleep)


def churned(client: Individual) -> None:
    def leave(day: dt.date) -> None:
        client.stop()
        amount = client.account.balance - client.account.balance // 1_000
        client.account.book(day, 14 * 3600, SENT, amount, other=OTHER_BANK)

    client.on(0, leave)


def _close(client: Individual, day: dt.date) -> None:
    client.stop()
    client.cancel_rent(day)
    client.account.close(day)


def closed(client: Individual) -> None:
    client.on(0, lambda day: _close(client, day))


def won_back(client: Individual) -> None:
    """Closes the account, and opens another sixty days later."""

    def close(day: dt.date) -> None:
        _close(client, day)
        client.on(0, come_back)

    def come_back(day: dt.date) -> None:
        client.account = Account(client.diary, "A2")
        client.accounts.append(client.account)
        client.account.start(day, 9 * 3600)
        client.order_rent(day)
        _fund(client, day, client.income * 2)
        client.awake = True

    client.on(-60, close)


def deceased(client: Individual) -> None:
    def last_day(day: dt.date) -> None:
        client.stop()
        client.on(0, die)

    def die(day: dt.date) -> None:
        client.diary.add(
            8 * 3600,
            cl.ClientDeceased(
                business_date=day, client_id=client.diary.client_id, deceased_date=day
            ),
        )
        client.account.change(day, "ENABLED", "FROZEN", "DECEASED")
        client.cancel_rent(day)

    client.on(-1, last_day)
