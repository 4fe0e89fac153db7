"""A person: salary, bills, purchases, savings and investments, and what they declare of themselves."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import money_text
from lifecycle.sources.simulator.accounts import (
    BY_CARD,
    BY_ORDER,
    CASH_OUT,
    COLLECTED,
    FUNDING,
    RECEIVED,
    SENT,
    Account,
    Way,
    party,
    transfer,
)
from lifecycle.sources.simulator.declarations import Declaration, circumstances, declare, declared
from lifecycle.sources.simulator.diary import CURRENCY, FEN, YUAN, Diary
from lifecycle.sources.simulator.investments import invest
from lifecycle.sources.simulator.life import Act, Life
from lifecycle.sources.simulator.loans import BORROWERS, MISSED, Application, Loan, consent
from lifecycle.sources.simulator.stories import ALONE, MARRIED, RELATIONS, STORIES_EVERY, Story

_SEXES: tuple[Literal["F", "M"], ...] = ("F", "M")
SHOPS = ("5411", "5411", "5812", "5311", "5541")
SCHOOL, TUTOR, UTILITY, INSURER = "8211", "8299", "4900", "6300"
SCHOOL_AGE = range(6, 19)
GOLD_FROM = 25_000 * YUAN
SAVES, INVESTS, INSURED, BORROWS, CARDED = 0.3, 0.35, 0.4, 0.3, 0.7
"""Shares of the people who have no lifecycle story."""
_ALWAYS_BORROWS = {*MISSED, *BORROWERS, "DEBTS_UNDERSTATED"}
_ON_FIVE_INCOMES = {"ACTIVE", "AT_RISK_BALANCE"}
"""Stories about a balance that is many times the monthly flow."""


class Individual(Life):
    """One person."""

    __slots__ = (
        "_born",
        "_cards",
        "_insured",
        "_rent_day",
        "_school",
        "employer",
        "pay_day",
        "pays_rent",
        "said",
        "savings",
    )
    client_type = "INDIVIDUAL"

    def __init__(self, diary: Diary, first: dt.date, story: Story | None) -> None:
        super().__init__(diary, first, story)
        if self.told == "ONBOARDING":
            self.first = self.story_day
        random = diary.random
        place = diary.number % STORIES_EVERY
        relation, _ = RELATIONS.get(place, (None, 0))
        youngest = 40 if self.told == "DEPENDANTS_HIDDEN" else 20
        self._born = self.first - dt.timedelta(days=random.randrange(youngest * 365, 70 * 365))
        true = circumstances(
            diary, self._born.year, self.first.year, self.told, married=place in MARRIED
        )
        self.said: Declaration = declare(diary, true, self.told)
        self.income, self.ratio = true.income, self.said.ratio
        self.employer: str | None = true.employer
        self.savings: Account | None = None
        self.pay_day = random.randrange(5, 16)
        self._rent_day = random.randrange(1, 5)
        self.pays_rent = True
        self._insured = diary.chance(INSURED)
        self._school = any(self.first.year - born in SCHOOL_AGE for born in true.children)
        self._cards = 0
        sleeps = self.told == "DORMANT_WAKES" or self.told in ALONE
        settled = not sleeps and not (self.story and self.story.state)
        if settled:
            self._settle(relation, true.debts)

    def _settle(self, relation: str | None, debts: int) -> None:
        """Plan card, savings, investments and loan."""
        diary = self.diary
        if diary.chance(CARDED) or self.told == "CARD_BLOCKED":
            self._after(diary.random.randrange(1, 30), self.issue_card)
        if diary.chance(SAVES):
            self._after(diary.random.randrange(5, 40), self._open_savings)
        if self.told != "SOLD_ABOVE_TOLERANCE" and diary.chance(INVESTS):
            invest(self)
        borrows = self.told in _ALWAYS_BORROWS or relation == "GUARANTOR"
        if borrows or diary.chance(BORROWS):
            said = self.said
            application = Application(said.income, said.debts, said.employer, debts)
            self.loan = Loan(
                self.account, diary, self.first, application, income=self.income, story=self.told
            )

    def _after(self, days: int, act: Act) -> None:
        self.at(self.first + dt.timedelta(days=days), act)

    # --- the first day --------------------------------------------------------------------------

    def join(self, day: dt.date) -> None:
        """Become a client with an account, money on it, and an ordinary life from the next day."""
        self.register(day)
        self.open_account(day)
        self.verify(day)
        self.relate(day)
        has_children = self.said.children or self.told == "DEPENDANTS_HIDDEN"
        if has_children and self.diary.chance(0.6):
            consent(self.diary, day, 8 * 3600 + 182, "P6_SENSITIVE")
        months = 5 if self.told in _ON_FIVE_INCOMES else 2
        self.account.book(day, 9 * 3600 + 600, FUNDING, self.income * months, purpose="CASH")
        self.awake = True
        self.meet_after(day)

    def register(self, day: dt.date) -> None:
        """Become known to the bank."""
        diary, random = self.diary, self.diary.random
        valid = dt.timedelta(days=random.randrange(5 * 365, 20 * 365))
        if self.told == "ID_EXPIRED":
            valid = self.story_day - day - dt.timedelta(days=1)
        diary.add(
            8 * 3600,
            cl.ClientRegistered(
                business_date=day,
                client_id=diary.client_id,
                client_type="INDIVIDUAL",
                id_type="RESIDENT_ID",
                id_expiry=day + valid,
                birth_date=self._born,
                sex=random.choice(_SEXES),
                nationality="CN",
                region=f"R{diary.number % 31:02d}",
                source_channel="BRANCH",
                rm_id=f"RM-{diary.number % 20:02d}",
            ),
        )
        self.agree(day)

    def open_account(self, day: dt.date) -> None:
        """Declare oneself, and open an account."""
        since = day - dt.timedelta(days=self.diary.random.randrange(100, 3_000))
        self.diary.add(8 * 3600 + 120, declared(self.diary, day, self.said, since))
        self.account.start(day, 9 * 3600)
        self.order_rent(day)

    def order_rent(self, day: dt.date, version: int = 1) -> None:
        """The rent is paid by standing order."""
        month = day.year * 12 + day.month - (day.day < self._rent_day)
        first_payment = dt.date(month // 12, month % 12 + 1, self._rent_day)
        self.diary.add(
            9 * 3600 + 300,
            ac.StandingOrderSet(
                business_date=day,
                standing_order_id=f"{self.account.account_id}-O1",
                version=version,
                account_id=self.account.account_id,
                amount=money_text(self._rent),
                currency=CURRENCY,
                frequency="MNTH",
                first_payment_date=first_payment,
                counterparty=party("LANDLORD"),
                purpose="RENT",
            ),
        )

    def cancel_rent(self, day: dt.date) -> None:
        """The standing order ends."""
        self.diary.add(
            15 * 3600,
            ac.StandingOrderCancelled(
                business_date=day,
                standing_order_id=f"{self.account.account_id}-O1",
                version=2,
                account_id=self.account.account_id,
            ),
        )

    # --- ordinary life --------------------------------------------------------------------------

    def live(self, day: dt.date) -> None:
        if day.day <= 20:
            self._income_and_bills(day)
        elif day.day == 26 and self.savings is not None and self.diary.chance(0.1):
            transfer(day, 13 * 3600, self.savings, self.account, self.savings.balance // 2)
        self._spend(day)

    @property
    def _rent(self) -> int:
        return self.income // 4 // FEN * FEN

    def _income_and_bills(self, day: dt.date) -> None:
        date, income = day.day, self.income
        if date == self.pay_day and self.employer:
            payer = party(self.employer)
            self.account.book(day, 10 * 3600, RECEIVED, income, purpose="SALA", other=payer)
        if date == self._rent_day and self.pays_rent:
            self.bill(day, BY_ORDER, self._rent, "RENT", other=party("LANDLORD"))
        elif date == 6 and self._school:
            self.bill(day, self.shopping, income // 25, "EDUC", mcc=TUTOR)
        elif date == 8:
            share = self.diary.random.randrange(10, 30)
            self.bill(day, COLLECTED, income * share // 1_000, "UBIL", mcc=UTILITY)
        elif date == 10 and self._school and day.month in (3, 9):
            self.bill(day, self.shopping, income // 10, "EDUC", mcc=SCHOOL)
        elif date == 12 and self._insured and day.month % 3 == 1:
            self.bill(day, COLLECTED, income // 25, "INSURANCE", mcc=INSURER)
        elif date == 20:
            self.bill(day, SENT, income // 20, "HOUSEHOLD")
        if date == self.pay_day + 1 and self.savings and self.account.balance > income * 3 // 2:
            transfer(day, 13 * 3600, self.account, self.savings, income // 10)

    def bill(
        self,
        day: dt.date,
        way: Way,
        amount: int,
        purpose: str,
        *,
        other: ac.Counterparty | None = None,
        mcc: str | None = None,
    ) -> None:
        """Pay what has to be paid, if there is money for it."""
        if self.account.balance < amount:
            self.account.reject(day, 11 * 3600, amount, purpose)
        else:
            self.account.book(day, 11 * 3600, way, amount, purpose=purpose, other=other, mcc=mcc)

    def _spend(self, day: dt.date) -> None:
        # A month's income stays, so that bills and an instalment are always covered.
        if self.account.balance < self.income:
            return
        if self.diary.chance(0.45):
            self.buy(day, self.diary.random.randrange(500, self.income // FEN // 15) * FEN)
        if self.diary.chance(0.03):
            cash = self.diary.random.randrange(1, 20) * 100 * YUAN
            if self.account.balance - cash > self.income * 9 // 10:
                self.account.book(day, 17 * 3600, CASH_OUT, cash)

    def buy(self, day: dt.date, amount: int, mcc: str | None = None) -> str:
        """A purchase: by card, or by transfer for want of one. Gives its transaction id."""
        shop = mcc or self.diary.random.choice(SHOPS)
        return self.account.book(day, 18 * 3600, self.shopping, amount, mcc=shop)

    @property
    def shopping(self) -> Way:
        return BY_CARD if self._cards else SENT

    def issue_card(self, day: dt.date) -> None:
        """A card comes, the first or the next."""
        self._cards += 1
        self.diary.add(
            9 * 3600,
            ac.CardIssued(
                business_date=day,
                card_id=f"{self.diary.client_id}-K{self._cards}",
                account_id=self.account.account_id,
                client_id=self.diary.client_id,
                card_product="GOLD" if self.income >= GOLD_FROM else "CLASSIC",
                issued_date=day,
            ),
        )

    def lose_card(self, day: dt.date) -> None:
        """The card is lost, blocked, and replaced three days later."""
        self.diary.add(
            19 * 3600,
            ac.CardBlocked(
                business_date=day,
                card_id=f"{self.diary.client_id}-K{self._cards}",
                account_id=self.account.account_id,
                client_id=self.diary.client_id,
                reason="LOST",
            ),
        )
        self.at(day + dt.timedelta(days=3), self.issue_card)

    def _open_savings(self, day: dt.date) -> None:
        self.savings = Account(self.diary, "A2")
        self.accounts.append(self.savings)
        self.savings.start(day, 10 * 3600, "SVGS")
        transfer(day, 13 * 3600, self.account, self.savings, self.income // 10)
