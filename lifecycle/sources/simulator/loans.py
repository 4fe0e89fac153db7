"""A consumer loan: asked for, looked up at the credit bureau, granted, and repaid or missed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from lifecycle.events import consent as cs
from lifecycle.events import credit as cr
from lifecycle.events import money_text
from lifecycle.events.fields import Purpose
from lifecycle.sources.simulator.accounts import SENT, Account
from lifecycle.sources.simulator.diary import CURRENCY, YUAN, Diary

TERMS = (12, 24, 36)
GRANTED_AFTER = 2
"""Days from the first day to the grant."""
PAID_LATE_AFTER = dt.timedelta(days=10)
STOPS_PAYING = {f"STOPS_PAYING_{first}": first for first in (6, 10, 15)}
"""Story -> the first instalment of many that is not paid."""
MISSED: dict[str, tuple[int, ...]] = {
    "MISSED_ONCE": (2,),
    "MISSED_TWICE": (2, 3),
    "MISSED_OVER_90_DAYS": tuple(range(1, TERMS[-1] + 1)),
    **{name: tuple(range(first, TERMS[-1] + 1)) for name, first in STOPS_PAYING.items()},
}
"""Story -> instalments that are not paid when due. The first two stories pay late; the others pay nothing
from one instalment on, so that they are more than 90 days past due within four months."""
_PAID_LATE = {"MISSED_ONCE", "MISSED_TWICE"}
BORROWERS = {"DECLINES", "STOPS_SUDDENLY", "RECOVERS", "PAYS"}
"""Stories of borrowers, whose loans run for as long as there are: long enough for every story."""


class Application(NamedTuple):
    """What the borrower declares, and what the credit bureau knows; money in ten-thousandths."""

    income: int
    debts: int
    employer: str | None
    reported_debts: int


def consent(diary: Diary, day: dt.date, second: int, purpose: Purpose) -> None:
    """The client allows a purpose."""
    diary.add(
        second,
        cs.ConsentGranted(
            business_date=day,
            client_id=diary.client_id,
            consent_id=f"{diary.client_id}-{purpose}",
            purpose=purpose,
            legal_basis="CONSENT",
            granted_at=diary.instant(day, second),
            text_version="2026-01",
            channel="BRANCH",
        ),
    )


class Loan:
    """One loan without interest, with an instalment on a fixed day of every month."""

    __slots__ = (
        "_account",
        "_application",
        "_diary",
        "_due_day",
        "_first",
        "_instalment",
        "_late",
        "_missed",
        "_number",
        "_term",
        "facility_id",
    )

    def __init__(
        self,
        account: Account,
        diary: Diary,
        first: dt.date,
        application: Application,
        *,
        income: int,
        story: str,
    ) -> None:
        self.facility_id = f"{diary.client_id}-L1"
        self._account = account
        self._application = application
        self._diary = diary
        self._first = first
        self._term = diary.random.choice(TERMS[-1:] if story in BORROWERS else TERMS)
        self._due_day = diary.random.randrange(16, 28)
        self._instalment = income * 15 // 100 // YUAN * YUAN
        self._missed: Sequence[int] = MISSED.get(story, ())
        self._late = story in _PAID_LATE
        self._number = 0

    def due_date(self, number: int) -> dt.date:
        month = self._first.year * 12 + self._first.month - 1 + number
        return dt.date(month // 12, month % 12 + 1, self._due_day)

    def stop(self) -> None:
        """What falls due from now on is not paid."""
        self._missed = range(self._number + 1, self._term + 1)

    def day(self, day: dt.date) -> None:
        """What happens to the loan on one day."""
        if self._number == 0 and day == self._first + dt.timedelta(days=GRANTED_AFTER):
            self._grant(day)
        if day.day == self._due_day and self._number < self._term:
            if day == self.due_date(self._number + 1):
                self._number += 1
                self._fall_due(day)
                if self._number not in self._missed:
                    self._repay(day, self._number)
                    if self._number == self._term:
                        self._settle(day)
        elif self._missed:
            self._miss(day)

    def _miss(self, day: dt.date) -> None:
        due = self.due_date(self._number)
        if self._number in self._missed and day == due + dt.timedelta(days=1):
            self._diary.add(
                86_398,
                cr.RepaymentMissed(
                    business_date=day,
                    facility_id=self.facility_id,
                    instalment_no=self._number,
                    due_date=due,
                    outstanding=money_text(self._instalment),
                    currency=CURRENCY,
                    dpd_start=due,
                ),
            )
        if self._late and day == self.due_date(self._missed[-1]) + PAID_LATE_AFTER:
            for number in self._missed:
                self._repay(day, number)

    def _grant(self, day: dt.date) -> None:
        diary, application = self._diary, self._application
        amount = money_text(self._instalment * self._term)
        consent(diary, day, 9 * 3600 - 1, "P3_BUREAU")
        diary.add(
            9 * 3600,
            cr.ApplicationSubmitted(
                business_date=day,
                application_id=f"{self.facility_id}-APP",
                client_id=diary.client_id,
                product_code="CONSUMER_LOAN",
                requested_amount=amount,
                currency=CURRENCY,
                term_months=self._term,
                declared_income_monthly=money_text(application.income),
                declared_debts=money_text(application.debts),
                employer_name_hash=application.employer,
            ),
        )
        self._ask_bureau(day)
        diary.add(
            10 * 3600,
            cr.CreditApproved(
                business_date=day,
                application_id=f"{self.facility_id}-APP",
                facility_id=self.facility_id,
                approved_amount=amount,
                currency=CURRENCY,
                term_months=self._term,
                rate="0",
            ),
        )
        diary.add(
            11 * 3600,
            cr.CreditDisbursed(
                business_date=day,
                facility_id=self.facility_id,
                client_id=diary.client_id,
                tranche_no=1,
                amount=amount,
                currency=CURRENCY,
                # Paid to the seller, so the client's own account sees no entry.
                payment_mode="ENTRUSTED",
                payee=f"SELLER-{diary.number % 89:02d}",
            ),
        )

    def _ask_bureau(self, day: dt.date) -> None:
        diary, debts = self._diary, self._application.reported_debts
        diary.add(
            9 * 3600 + 600,
            cr.BureauInquiry(
                business_date=day,
                client_id=diary.client_id,
                inquiry_id=f"{self.facility_id}-Q",
                inquirer_type="BANK",
                purpose="LOAN_APPLICATION",
                consent_id=f"{diary.client_id}-P3_BUREAU",
            ),
        )
        diary.add(
            9 * 3600 + 660,
            cr.BureauReportReceived(
                business_date=day,
                client_id=diary.client_id,
                report_id=f"{self.facility_id}-B",
                report_date=day,
                n_lenders=1 + diary.random.randrange(3) if debts else 0,
                total_debt=money_text(debts),
                total_limit=money_text(debts * 5 // 4),
                utilisation="0.8" if debts else None,
                inquiries_3m=diary.random.randrange(3),
                currency=CURRENCY,
            ),
        )

    def _fall_due(self, day: dt.date) -> None:
        total = money_text(self._instalment)
        data = cr.RepaymentDue(
            business_date=day,
            facility_id=self.facility_id,
            instalment_no=self._number,
            due_date=day,
            principal=total,
            total=total,
            currency=CURRENCY,
        )
        self._diary.add(300, data)

    def _settle(self, day: dt.date) -> None:
        data = cr.CreditSettled(business_date=day, facility_id=self.facility_id, settled_date=day)
        self._diary.add(self._account.next_second(), data)

    def _repay(self, day: dt.date, number: int) -> None:
        account = self._account
        account.book(day, 9 * 3600, SENT, self._instalment, purpose="LOAN")
        amount = money_text(self._instalment)
        second = account.next_second()
        self._diary.add(
            second,
            cr.RepaymentMade(
                business_date=day,
                facility_id=self.facility_id,
                payment_id=f"{self.facility_id}-{number:03d}",
                paid_at=self._diary.instant(day, second - 1),
                amount=amount,
                currency=CURRENCY,
                allocation=cr.Allocation(principal=amount),
                instalment_no=(number,),
                source_account=account.account_id,
            ),
        )
