"""Stories of entries, consents, cards and complaints: what is planned for their clients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from lifecycle.events import account as ac
from lifecycle.events import consent as cs
from lifecycle.events import credit as cr
from lifecycle.events import money_text
from lifecycle.sources.simulator.accounts import CASH_IN, CHARGED, RECEIVED, REFUND, party
from lifecycle.sources.simulator.contacts import Severity, answer, complain
from lifecycle.sources.simulator.declarations import employer
from lifecycle.sources.simulator.diary import CURRENCY, FEN, YUAN
from lifecycle.sources.simulator.individuals import Individual

Tell = Callable[[Individual], None]


def overdraft(client: Individual) -> None:
    account = client.account

    def overdraw(day: dt.date) -> None:
        account.book(day, 20 * 3600, client.shopping, account.balance + 500 * YUAN, mcc="5732")

    def penalty(day: dt.date) -> None:
        if account.balance < 0:
            _charge_penalty(client, day, -account.balance)

    client.on(0, overdraw)
    client.on(1, penalty)


def _charge_penalty(client: Individual, day: dt.date, basis: int) -> None:
    account = client.account
    amount = max(FEN, basis // 2000 // FEN * FEN)
    account.book(day, 22 * 3600, CHARGED, amount, purpose="PENALTY")
    client.diary.add(
        account.next_second(),
        cr.PenaltyInterestCharged(
            business_date=day,
            facility_id=f"OD-{account.account_id}",
            amount=money_text(amount),
            currency=CURRENCY,
            account_id=account.account_id,
            basis=money_text(basis),
            rate="0.18",
        ),
    )


def structuring(client: Individual) -> None:
    def deposit(day: dt.date) -> None:
        client.account.book(day, 15 * 3600, CASH_IN, client.diary.yuan(31_000, 49_000))

    for age in (0, 1, 3):
        client.on(age, deposit)


def large_cash(client: Individual) -> None:
    def deposit(day: dt.date) -> None:
        client.account.book(day, 14 * 3600, CASH_IN, 30_000 * YUAN)
        client.account.book(day, 16 * 3600, CASH_IN, 28_000 * YUAN)

    client.on(0, deposit)


def dormant_wakes(client: Individual) -> None:
    def rest(day: dt.date) -> None:
        client.awake = False

    def sleep(day: dt.date) -> None:
        client.account.change(day, "ENABLED", "DORMANT", "LONG_INACTIVE")

    def wake(day: dt.date) -> None:
        client.awake = True
        client.account.change(day, "DORMANT", "ENABLED", "CLIENT_REQUEST")
        payer = party("UNKNOWN")
        client.account.book(day, 9 * 3600 + 300, RECEIVED, 80_000 * YUAN, other=payer)

    client.at(client.first, rest)
    client.at(client.first + dt.timedelta(days=1), sleep)
    client.on(0, wake)


def consent_withdrawn(client: Individual) -> None:
    def withdraw(day: dt.date) -> None:
        client.diary.add(
            13 * 3600,
            cs.ConsentWithdrawn(
                business_date=day,
                client_id=client.diary.client_id,
                consent_id=f"{client.diary.client_id}-P2_PROFILE",
                purpose="P2_PROFILE",
                withdrawn_at=client.diary.instant(day, 13 * 3600),
                channel="MOBILE",
            ),
        )

    client.on(0, withdraw)


def complaint(severity: Severity, answered_after: int | None) -> Tell:
    def tell(client: Individual) -> None:
        client.on(0, lambda day: complain(client.diary, day, severity))
        if answered_after is not None:
            client.on(answered_after, lambda day: answer(client.diary, day))

    return tell


def card_blocked(client: Individual) -> None:
    client.on(0, client.lose_card)


def debit_rejected(client: Individual) -> None:
    def collect(day: dt.date) -> None:
        amount = client.account.balance + 1_000 * YUAN
        client.account.reject(day, 12 * 3600, amount, "INSURANCE")

    client.on(0, collect)
    client.on(5, collect)


def entry_reversed(client: Individual) -> None:
    """A purchase was booked by mistake, and is booked back the next day."""
    account, amount = client.account, client.diary.yuan(100, 900)

    def buy(day: dt.date) -> None:
        booked = client.buy(day, amount, mcc="5311")
        client.at(day + dt.timedelta(days=1), lambda next_day: reverse(next_day, booked))

    def reverse(day: dt.date, booked: str) -> None:
        account.book(day, 10 * 3600, REFUND, amount, mcc="5311", reversal=True)
        client.diary.add(
            account.next_second(),
            ac.TransactionReversed(
                business_date=day,
                account_id=account.account_id,
                original_transaction_id=booked,
                reason="AM05",
                amount=money_text(amount),
                currency=CURRENCY,
            ),
        )

    client.on(0, buy)


def job_changed(client: Individual) -> None:
    def change(day: dt.date) -> None:
        client.employer = employer(client.diary.random, client.employer or "")

    client.on(0, change)
