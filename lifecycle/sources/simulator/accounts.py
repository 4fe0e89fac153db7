"""An account: entries whose balances chain, and the closing balance of every day that has some."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from lifecycle.events import account as ac
from lifecycle.events import money_text
from lifecycle.events.fields import AccountStatus, AccountType, Channel, CreditDebit, Initiator
from lifecycle.sources.simulator.diary import CURRENCY, FEN, Diary


class Way(NamedTuple):
    """How an entry comes about: its side, who starts it, and the code it is booked under."""

    side: CreditDebit
    initiator: Initiator
    code: ac.BankTransactionCode
    channel: Channel = "MOBILE"

    @property
    def is_cash(self) -> bool:
        return self.code.family == "CNTR"


def _way(side: CreditDebit, initiator: Initiator, code: str, channel: Channel = "MOBILE") -> Way:
    domain, family, sub_family = code.split("-")
    return Way(
        side,
        initiator,
        ac.BankTransactionCode(domain=domain, family=family, sub_family=sub_family),  # type: ignore[arg-type]
        channel,
    )


CASH_IN = _way("CRDT", "CUSTOMER", "PMNT-CNTR-CDPT", "BRANCH")
CASH_OUT = _way("DBIT", "CUSTOMER", "PMNT-CNTR-CWDL", "BRANCH")
FUNDING = _way("CRDT", "CUSTOMER", "PMNT-RCDT-DMCT")
"""Money the client brings in from another bank."""
RECEIVED = _way("CRDT", "THIRD_PARTY", "PMNT-RCDT-DMCT")
SENT = _way("DBIT", "CUSTOMER", "PMNT-ICDT-DMCT")
BY_CARD = _way("DBIT", "CUSTOMER", "PMNT-CCRD-POSD")
BY_ORDER = _way("DBIT", "CUSTOMER", "PMNT-ICDT-STDO")
COLLECTED = _way("DBIT", "THIRD_PARTY", "PMNT-RDDT-PMDD")
"""A direct debit: the creditor starts it."""
OWN_OUT = _way("DBIT", "CUSTOMER", "PMNT-ICDT-BOOK")
OWN_IN = _way("CRDT", "CUSTOMER", "PMNT-RCDT-BOOK")
INTEREST = _way("CRDT", "BANK", "ACMT-MCOP-INTR", "SYSTEM")
CHARGED = _way("DBIT", "BANK", "ACMT-MDOP-CHRG", "SYSTEM")
REFUND = _way("CRDT", "BANK", "PMNT-MCOP-RIMB", "SYSTEM")
PAID_OUT = _way("CRDT", "BANK", "PMNT-RCDT-BOOK", "SYSTEM")


class Account:
    """One account of a client."""

    __slots__ = ("_count", "_diary", "_last_second", "_moved", "account_id", "balance", "open")

    def __init__(self, diary: Diary, suffix: str) -> None:
        self.account_id = f"{diary.client_id}-{suffix}"
        self.balance = 0
        self.open = False
        self._diary = diary
        self._count = 0
        self._last_second = 0
        self._moved = False

    def start(self, day: dt.date, second: int, kind: AccountType = "CACC") -> None:
        """The account is opened."""
        self.open = True
        self._diary.add(
            second,
            ac.AccountOpened(
                business_date=day,
                account_id=self.account_id,
                account_type=kind,
                currency=CURRENCY,
                opened_date=day,
                parties=(ac.Party(client_id=self._diary.client_id, role="OWNER"),),
                statement_frequency="MNTH",
            ),
        )

    def book(
        self,
        day: dt.date,
        second: int,
        way: Way,
        amount: int,
        *,
        purpose: str | None = None,
        other: ac.Counterparty | None = None,
        mcc: str | None = None,
        end_to_end: str | None = None,
        reversal: bool = False,
        abroad: bool = False,
    ) -> str:
        """Book an entry of `amount` ten-thousandths, rounded down to a fen, not before `second`.

        Gives its transaction id.
        """
        amount -= amount % FEN
        self._count += 1
        self._moved = True
        self.balance += amount if way.side == "CRDT" else -amount
        # Seconds grow with the entry number, so the balance chain is the time order.
        drawn = second + self._diary.random.randrange(60)
        self._last_second = max(drawn, self._last_second + 1)
        data = ac.TransactionPosted(
            business_date=day,
            account_id=self.account_id,
            transaction_id=f"{self.account_id}-{self._count:05d}",
            amount=money_text(amount),
            currency=CURRENCY,
            credit_debit_indicator=way.side,
            booking_datetime=self._diary.instant(day, self._last_second),
            end_to_end_id=end_to_end,
            initiator=way.initiator,
            is_cash=way.is_cash,
            reversal=reversal,
            is_cross_border=abroad,
            bank_transaction_code=way.code,
            counterparty=other,
            mcc=mcc,
            purpose=purpose,
            balance_after=money_text(self.balance),
            channel=way.channel,
        )
        self._diary.add(self._last_second, data)
        return data.transaction_id

    def next_second(self) -> int:
        """A second right after the last entry, for a fact that goes with it."""
        self._last_second += 1
        return self._last_second

    def reject(self, day: dt.date, second: int, amount: int, purpose: str) -> None:
        """A payment does not go through for want of money."""
        self._diary.add(
            second,
            ac.PaymentRejected(
                business_date=day,
                account_id=self.account_id,
                transaction_id=f"{self.account_id}-R{day:%Y%m%d}-{purpose}",
                reason="AM04",
                amount=money_text(amount - amount % FEN),
                currency=CURRENCY,
                purpose=purpose,
            ),
        )

    def change(
        self, day: dt.date, before: AccountStatus, after: AccountStatus, reason: str
    ) -> None:
        """The account's status changes, at nine."""
        data = ac.AccountStatusChanged(
            business_date=day,
            account_id=self.account_id,
            from_status=before,
            to_status=after,
            reason=reason,
        )
        self._diary.add(9 * 3600, data)

    def close(self, day: dt.date) -> None:
        """All money goes to another bank, and the account is closed."""
        self.book(day, 16 * 3600, SENT, self.balance, other=ac.Counterparty(bank_id="OTHER-BANK"))
        self.open = False
        self._diary.add(
            self.next_second(),
            ac.AccountClosed(
                business_date=day,
                account_id=self.account_id,
                currency=CURRENCY,
                closed_date=day,
                reason="CUSTOMER",
                final_balance="0.00",
                transfer_to_bank="OTHER-BANK",
            ),
        )

    def end_day(self, day: dt.date) -> None:
        """The closing booked balance, on a day with entries."""
        if not self._moved:
            return
        self._moved, self._last_second = False, 0
        data = ac.BalanceSnapshot(
            business_date=day,
            account_id=self.account_id,
            balance_type="CLBD",
            amount=money_text(abs(self.balance)),
            credit_debit_indicator="DBIT" if self.balance < 0 else "CRDT",
            currency=CURRENCY,
        )
        self._diary.add(86_399, data)


def transfer(day: dt.date, second: int, source: Account, target: Account, amount: int) -> None:
    """Move money between two accounts of a client: both entries say OWN and name each other."""
    order = f"{source.account_id}-{day:%Y%m%d}"
    source.book(day, second, OWN_OUT, amount, other=_own(target), end_to_end=order)
    target.book(day, source.next_second(), OWN_IN, amount, other=_own(source), end_to_end=order)


def _own(account: Account) -> ac.Counterparty:
    return ac.Counterparty(account_hash=account.account_id, type="OWN")


def party(name: str) -> ac.Counterparty:
    """The other side of an entry, by the pseudonym of its name."""
    return ac.Counterparty(name_hash=name)
