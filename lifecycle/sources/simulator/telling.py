"""How each story is told: what is planned for its client."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import consent as cs
from lifecycle.events import credit as cr
from lifecycle.events import money_text
from lifecycle.sources.simulator.accounts import (
    CASH_IN,
    CHARGED,
    FUNDING,
    RECEIVED,
    REFUND,
    SENT,
    Account,
    party,
)
from lifecycle.sources.simulator.contacts import Severity, answer, complain
from lifecycle.sources.simulator.declarations import employer
from lifecycle.sources.simulator.diary import CURRENCY, FEN, YUAN
from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.investments import (
    CATALOGUE,
    assess,
    invest_above_tolerance,
    sell,
)
from lifecycle.sources.simulator.life import Act
from lifecycle.sources.simulator.loans import MISSED

Tell = Callable[[Individual], None]
OTHER_BANK = ac.Counterparty(bank_id="OTHER-BANK")
PROSPECT_GAP = (40, 60)
GROWS_EVERY = 60
NEW_CATEGORIES = ("MM-CASH", "FI-BOND", "INS-LIFE", "MA-BALANCED", "EQ-INDEX", "AU-GOLD")


def plan(client: Individual) -> None:
    """Plan the first day, and what the story brings. Prospects and those who never came to use
    their account have a first day of their own."""
    if client.told not in _BEGINS_OTHERWISE:
        client.at(client.first, client.join)
    if client.told in MISSED and client.loan is not None:
        client.entity = f"facility/{client.loan.facility_id}"
        client.story_day = client.loan.due_date(MISSED[client.told][0])
    if client.told in _ON_ACCOUNT:
        client.entity = f"account/{client.account.account_id}"
    tell = _TELL.get(client.told)
    if tell is not None:
        tell(client)


def _on(client: Individual, age: int, act: Act) -> None:
    """Plan something for the `age`-th day of the story."""
    client.at(client.story_day + dt.timedelta(days=age), act)


def _monthly(client: Individual, first: dt.date, date: int, act: Act) -> None:
    """Plan something for one date of every month, from `first` on."""

    def again(day: dt.date) -> None:
        act(day)
        _monthly(client, day + dt.timedelta(days=1), date, act)

    month = first.year * 12 + first.month - (first.day <= date)
    client.at(dt.date(month // 12, month % 12 + 1, date), again)


# --- stories of entries, consents and complaints ------------------------------------------------


def _overdraft(client: Individual) -> None:
    account = client.account

    def overdraw(day: dt.date) -> None:
        account.book(day, 20 * 3600, client.shopping, account.balance + 500 * YUAN, mcc="5732")

    def penalty(day: dt.date) -> None:
        if account.balance < 0:
            _charge_penalty(client, day, -account.balance)

    _on(client, 0, overdraw)
    _on(client, 1, penalty)


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


def _structuring(client: Individual) -> None:
    def deposit(day: dt.date) -> None:
        client.account.book(day, 15 * 3600, CASH_IN, client.diary.yuan(31_000, 49_000))

    for age in (0, 1, 3):
        _on(client, age, deposit)


def _large_cash(client: Individual) -> None:
    def deposit(day: dt.date) -> None:
        client.account.book(day, 14 * 3600, CASH_IN, 30_000 * YUAN)
        client.account.book(day, 16 * 3600, CASH_IN, 28_000 * YUAN)

    _on(client, 0, deposit)


def _dormant_wakes(client: Individual) -> None:
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
    _on(client, 0, wake)


def _consent_withdrawn(client: Individual) -> None:
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

    _on(client, 0, withdraw)


def _complaint(severity: Severity, answered_after: int | None) -> Tell:
    def tell(client: Individual) -> None:
        _on(client, 0, lambda day: complain(client.diary, day, severity))
        if answered_after is not None:
            _on(client, answered_after, lambda day: answer(client.diary, day))

    return tell


def _card_blocked(client: Individual) -> None:
    _on(client, 0, client.lose_card)


def _debit_rejected(client: Individual) -> None:
    def collect(day: dt.date) -> None:
        amount = client.account.balance + 1_000 * YUAN
        client.account.reject(day, 12 * 3600, amount, "INSURANCE")

    _on(client, 0, collect)
    _on(client, 5, collect)


def _entry_reversed(client: Individual) -> None:
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

    _on(client, 0, buy)


# --- stories of the lifecycle -------------------------------------------------------------------


def _prospect(client: Individual) -> None:
    """Known to the bank, in touch with it, without an account."""
    client.contact_gap = PROSPECT_GAP
    client.at(client.first, client.register)
    client.at(client.first, client.meet)


def _prospect_lapsed(client: Individual) -> None:
    client.at(client.first, client.register)


def _unused(client: Individual) -> None:
    """An account that nobody pays into, of a client whom the bank has not verified."""
    client.at(client.first, client.register)
    client.at(client.first, client.open_account)


def _onboarding(client: Individual) -> None:
    """Late to join; money comes, and little else."""
    _unused(client)
    _on(client, 1, lambda day: _fund(client, day, client.income))


def _reactivating_unused(client: Individual) -> None:
    _unused(client)
    _on(client, 0, lambda day: _fund(client, day, client.income))


def _fund(client: Individual, day: dt.date, amount: int) -> None:
    client.account.book(day, 10 * 3600, FUNDING, amount, purpose="CASH")


def _active(client: Individual) -> None:
    """Spends what comes in, so that the balance neither grows nor falls."""

    def spend(day: dt.date) -> None:
        surplus = client.account.balance - client.income * 5
        if surplus > 0:
            client.buy(day, surplus, mcc="5311")

    _monthly(client, client.first, 25, spend)


def _growing(client: Individual) -> None:
    """Brings in a seventh of the balance every month, and buys from a new category every 60 days."""

    def bring(day: dt.date) -> None:
        amount = max(client.account.balance // 7, 10_000 * YUAN)
        _fund(client, day, min(amount, 200_000 * YUAN) // YUAN * YUAN)

    _monthly(client, client.first + dt.timedelta(days=30), 18, bring)
    client.at(client.first + dt.timedelta(days=40), lambda day: assess(client, day, "C4", 730))
    products = {product.product_id: product for product in CATALOGUE}
    for number, name in enumerate(NEW_CATEGORIES):
        _on(client, number * GROWS_EVERY, partial(sell, client, product=products[name]))


def _at_risk_balance(client: Individual) -> None:
    """Most of the money goes to another bank, and so does every month what is left of the income."""

    def send(day: dt.date, amount: int) -> None:
        if amount > 0:
            client.account.book(day, 14 * 3600, SENT, amount, other=OTHER_BANK)

    def drop(day: dt.date) -> None:
        send(day, client.account.balance * 85 // 100)
        after = day + dt.timedelta(days=1)
        _monthly(client, after, 17, lambda d: send(d, client.account.balance - client.income // 2))

    _on(client, 0, drop)


def _at_risk_salary(client: Individual) -> None:
    def lose_job(day: dt.date) -> None:
        client.employer = None

    _on(client, 0, lose_job)


def _job_changed(client: Individual) -> None:
    def change(day: dt.date) -> None:
        client.employer = employer(client.diary.random, client.employer or "")

    _on(client, 0, change)


def _dormant(client: Individual) -> None:
    _on(client, 0, lambda day: client.stop())


def _reactivating(client: Individual) -> None:
    """Nothing for more than a year, then one payment."""

    def sleep(day: dt.date) -> None:
        client.stop()
        _on(client, 0, lambda woken: _fund(client, woken, 2_000 * YUAN))

    client.at(client.first + dt.timedelta(days=8), sleep)


def _churned(client: Individual) -> None:
    def leave(day: dt.date) -> None:
        client.stop()
        amount = client.account.balance - client.account.balance // 1_000
        client.account.book(day, 14 * 3600, SENT, amount, other=OTHER_BANK)

    _on(client, 0, leave)


def _close(client: Individual, day: dt.date) -> None:
    client.stop()
    client.cancel_rent(day)
    client.account.close(day)


def _closed(client: Individual) -> None:
    _on(client, 0, lambda day: _close(client, day))


def _won_back(client: Individual) -> None:
    """Closes the account, and opens another sixty days later."""

    def close(day: dt.date) -> None:
        _close(client, day)
        _on(client, 0, come_back)

    def come_back(day: dt.date) -> None:
        client.account = Account(client.diary, "A2")
        client.accounts.append(client.account)
        client.account.start(day, 9 * 3600)
        client.order_rent(day)
        _fund(client, day, client.income * 2)
        client.awake = True

    _on(client, -60, close)


def _deceased(client: Individual) -> None:
    def die(day: dt.date) -> None:
        client.stop()
        client.diary.add(
            8 * 3600,
            cl.ClientDeceased(
                business_date=day, client_id=client.diary.client_id, deceased_date=day
            ),
        )
        client.account.change(day, "ENABLED", "FROZEN", "DECEASED")
        client.cancel_rent(day)

    _on(client, 0, die)


_ON_ACCOUNT = {
    "OVERDRAFT",
    "STRUCTURING",
    "LARGE_CASH",
    "DORMANT_WAKES",
    "DEBIT_REJECTED",
    "ENTRY_REVERSED",
}
_BEGINS_OTHERWISE = {
    "PROSPECT",
    "PROSPECT_LAPSED",
    "ONBOARDING",
    "ONBOARDING_FAILED",
    "REACTIVATING_UNUSED",
}
_TELL: dict[str, Tell] = {
    "OVERDRAFT": _overdraft,
    "STRUCTURING": _structuring,
    "LARGE_CASH": _large_cash,
    "DORMANT_WAKES": _dormant_wakes,
    "CONSENT_WITHDRAWN": _consent_withdrawn,
    "COMPLAINT": _complaint("HIGH", 10),
    "PROSPECT": _prospect,
    "PROSPECT_LAPSED": _prospect_lapsed,
    "ONBOARDING": _onboarding,
    "ONBOARDING_FAILED": _unused,
    "ACTIVE": _active,
    "GROWING": _growing,
    "AT_RISK_BALANCE": _at_risk_balance,
    "AT_RISK_SALARY": _at_risk_salary,
    "AT_RISK_COMPLAINT": _complaint("HIGH", None),
    "DORMANT": _dormant,
    "REACTIVATING": _reactivating,
    "REACTIVATING_UNUSED": _reactivating_unused,
    "CHURNED": _churned,
    "WON_BACK": _won_back,
    "CLOSED": _closed,
    "DECEASED": _deceased,
    "JOB_CHANGED": _job_changed,
    "CARD_BLOCKED": _card_blocked,
    "DEBIT_REJECTED": _debit_rejected,
    "ENTRY_REVERSED": _entry_reversed,
    "COMPLAINT_LOW": _complaint("LOW", 3),
    "COMPLAINT_OVERDUE": _complaint("MEDIUM", 25),
    "SOLD_ABOVE_TOLERANCE": invest_above_tolerance,
}
"""Story -> how it is told; what is declared falsely, and a loan, need nothing more."""
