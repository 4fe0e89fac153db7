"""A simulated bank, seeded: the same seed gives the same bytes. Every event is marked synthetic.

Each client lives by its own random stream, so a client's life does not depend on how many others
there are. Client `number` modulo 50 decides which story is planted, so the smallest bank has them
all. The truth goes to a label file, never into an event. `docs/sources.md` has the distributions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from lifecycle.errors import UsageError
from lifecycle.events import Fact, Outgoing, encode, minor_units, money_text
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import consent as cs
from lifecycle.events import credit as cr
from lifecycle.events import interaction as it
from lifecycle.sources.files import within

SOURCE = "/simulator"
CURRENCY = "CNY"
CLIENTS_MIN, CLIENTS_MAX = 50, 100_000
STORIES_EVERY = 50
YUAN = 10_000
"""One yuan in ten-thousandths."""

STORIES = {
    1: "MISSED_ONCE",
    2: "MISSED_TWICE",
    3: "MISSED_OVER_90_DAYS",
    4: "OVERDRAFT",
    5: "STRUCTURING",
    6: "LARGE_CASH",
    7: "DORMANT_WAKES",
    8: "CONSENT_WITHDRAWN",
    9: "COMPLAINT",
}
_BORROWERS = {"MISSED_ONCE", "MISSED_TWICE", "MISSED_OVER_90_DAYS"}
_MISSED_INSTALMENTS = {
    "MISSED_ONCE": {2},
    "MISSED_TWICE": {2, 3},
    "MISSED_OVER_90_DAYS": {2, 3, 4, 5},
}


class Label(NamedTuple):
    """One planted story: what is true of the client, and when it happens."""

    story: str
    client_id: str
    entity: str
    day: dt.date


class SimulatorSource:
    """`clients` lives of `days` days from `first_day`, merged day by day in event-time order."""

    name = SOURCE

    def __init__(
        self, *, seed: int, clients: int, first_day: dt.date, days: int, timezone: ZoneInfo
    ) -> None:
        if not CLIENTS_MIN <= clients <= CLIENTS_MAX:
            raise UsageError(
                f"A simulated bank has {CLIENTS_MIN} to {CLIENTS_MAX:,} clients, not {clients}."
            )
        if days < 1:
            raise UsageError(f"A simulated bank lives at least one day, not {days}.")
        self._seed = seed
        self._clients = clients
        self._first_day = first_day
        self._days = days
        self._zone = timezone

    def events(self, first: dt.date | None, last: dt.date | None) -> Iterator[Outgoing]:
        lives = self._lives()
        for offset in range(self._days):
            day = self._first_day + dt.timedelta(days=offset)
            facts = [fact for life in lives for fact in life.day(day)]
            facts.sort(key=lambda fact: fact.second)
            for fact in facts:
                fact.life.sequence += 1
                if within(day, first, last):
                    yield self._encode(fact, day)

    def count(self) -> int | None:
        return None

    def labels(self) -> list[Label]:
        """The truth about every planted story."""
        return [label for life in self._lives() for label in life.labels()]

    def _lives(self) -> list[_Life]:
        return [_Life(self._seed, number, self._first_day) for number in range(self._clients)]

    def _encode(self, fact: _Timed, day: dt.date) -> Outgoing:
        midnight = dt.datetime.combine(day, dt.time(), self._zone)
        return encode(
            fact.data,
            source=SOURCE,
            client_id=fact.life.client_id,
            time=midnight + dt.timedelta(seconds=fact.second),
            sequence=fact.life.sequence,
            synthetic=True,
        )


class _Timed(NamedTuple):
    second: int
    life: _Life
    data: Fact


class _Life:
    """One client: what stays the same, and the little that changes from day to day."""

    def __init__(self, seed: int, number: int, first_day: dt.date) -> None:
        self.random = Random(f"{seed}:{number}")
        self.number = number
        self.client_id = f"SIM-{number:06d}"
        self.account_id = f"{self.client_id}-A1"
        self.facility_id = f"{self.client_id}-L1"
        self.story = STORIES.get(number % STORIES_EVERY)
        self.corporate = self.story is None and self.random.random() < 0.1
        self.sequence = 0
        self._first = first_day
        self._entry_no = 0
        self._balance = 0
        self._facts: list[_Timed] = []
        self._income = self.random.randrange(5_000, 40_000) * YUAN * (10 if self.corporate else 1)
        self._pay_day = self.random.randrange(5, 16)
        self._rent_day = self.random.randrange(1, 5)
        self._loan_term = self.random.choice((12, 24, 36))
        self._borrows = self.story in _BORROWERS or self.random.random() < 0.2
        self._due_day = self.random.randrange(16, 28)
        self._instalment = self._income * 15 // 100 // YUAN * YUAN
        self._instalment_no = 0

    def labels(self) -> list[Label]:
        if self.story is None:
            return []
        entity = {
            "OVERDRAFT": f"account/{self.account_id}",
            "STRUCTURING": f"account/{self.account_id}",
            "DORMANT_WAKES": f"account/{self.account_id}",
        }.get(self.story, f"client/{self.client_id}")
        if self.story in _BORROWERS:
            due = self._due_date(2)
            return [Label(self.story, self.client_id, f"facility/{self.facility_id}", due)]
        return [Label(self.story, self.client_id, entity, self._story_day())]

    def day(self, day: dt.date) -> list[_Timed]:
        """What happens on one day, with the second of the day."""
        self._facts = []
        before = self._entry_no
        if day == self._first:
            self._begin(day)
        elif not (self.story == "DORMANT_WAKES" and day < self._story_day()):
            self._income_and_bills(day)
            self._spending(day)
        if self._borrows:
            self._loan(day)
        if self.story and day >= self._story_day():
            self._tell(day, (day - self._story_day()).days)
        if self._entry_no > before:
            self._close_day(day)
        return self._facts

    # --- ordinary life ------------------------------------------------------------------------

    def _begin(self, day: dt.date) -> None:
        self._add(8 * 3600, self._registered(day))
        self._add(8 * 3600 + 60, self._kyc(day))
        self._add(8 * 3600 + 120, self._declared(day))
        consents = [
            p for p, share in (("P2_PROFILE", 0.7), ("P4_AUTOMATED", 0.4)) if self._chance(share)
        ]
        if self.story == "CONSENT_WITHDRAWN" and "P2_PROFILE" not in consents:
            consents.append("P2_PROFILE")
        for purpose in consents:
            self._add(8 * 3600 + 180, self._consent(day, purpose))
        self._add(9 * 3600, self._opened(day))
        self._entry(day, 9 * 3600 + 600, "CRDT", self._income * 2, purpose="CASH", cash=False)

    def _income_and_bills(self, day: dt.date) -> None:
        if self.corporate:
            return self._business(day)
        if day.day == self._pay_day:
            payer = f"EMP-{self.number % 97:03d}"
            self._entry(day, 10 * 3600, "CRDT", self._income, purpose="SALA", payer=payer)
        if day.day == self._rent_day:
            self._entry(day, 11 * 3600, "DBIT", self._income // 4, purpose="RENT", payer="LANDLORD")
        if day.day == 20:
            self._entry(day, 12 * 3600, "DBIT", self._income // 20, purpose="HOUSEHOLD")

    def _business(self, day: dt.date) -> None:
        if self._chance(0.6):
            share = self.random.randrange(3, 9)
            payer = f"BUYER-{self.random.randrange(12):02d}"
            self._entry(day, 10 * 3600, "CRDT", self._income * share // 100, payer=payer)
        if self._chance(0.4):
            share = self.random.randrange(2, 9)
            self._entry(day, 14 * 3600, "DBIT", self._income * share // 100, payer="SUPPLIER")
        if day.day == 10:
            self._entry(day, 15 * 3600, "DBIT", self._income * 3 // 10, purpose="SALA")

    def _spending(self, day: dt.date) -> None:
        if self._balance < 3_000 * YUAN or self.corporate:
            return
        if self._chance(0.45):
            fen = self.random.randrange(500, self._income // 100 // 15)
            self._entry(day, 18 * 3600, "DBIT", fen * 100, mcc="5411")
        if self._chance(0.03):
            cash = self.random.randrange(1, 20) * 100 * YUAN
            self._entry(day, 17 * 3600, "DBIT", min(cash, self._balance // 2), cash=True)

    def _loan(self, day: dt.date) -> None:
        if day == self._first + dt.timedelta(days=2):
            self._grant(day)
        if self._instalment_no < self._loan_term and day == self._due_date(self._instalment_no + 1):
            self._instalment_no += 1
            self._add(300, self._due(day, self._instalment_no))
            if self._instalment_no not in _MISSED_INSTALMENTS.get(self.story or "", set()):
                self._repay(day, self._instalment_no)
        yesterday = day - dt.timedelta(days=1)
        missed = self._instalment_no in _MISSED_INSTALMENTS.get(self.story or "", set())
        if missed and yesterday == self._due_date(self._instalment_no):
            self._add(86_398, self._missed(day, self._instalment_no, yesterday))

    def _due_date(self, number: int) -> dt.date:
        month = self._first.year * 12 + self._first.month - 1 + number
        return dt.date(month // 12, month % 12 + 1, self._due_day)

    # --- stories ------------------------------------------------------------------------------

    def _story_day(self) -> dt.date:
        return self._first + dt.timedelta(days=40 + self.number // STORIES_EVERY % 20)

    def _tell(self, day: dt.date, age: int) -> None:
        """The planted story on its `age`-th day."""
        if self.story == "OVERDRAFT" and age == 0:
            self._entry(day, 20 * 3600, "DBIT", self._balance + 500 * YUAN, mcc="5732")
        elif self.story == "OVERDRAFT" and age == 1 and self._balance < 0:
            self._penalty(day)
        elif self.story == "STRUCTURING" and age in (0, 1, 3):
            cash = self.random.randrange(31_000, 49_000) * YUAN
            self._entry(day, 15 * 3600, "CRDT", cash, cash=True)
        elif self.story == "LARGE_CASH" and age == 0:
            self._entry(day, 14 * 3600, "CRDT", 30_000 * YUAN, cash=True)
            self._entry(day, 16 * 3600, "CRDT", 28_000 * YUAN, cash=True)
        elif self.story == "DORMANT_WAKES" and age == 0:
            self._add(9 * 3600, self._status(day, "DORMANT", "ENABLED"))
            self._entry(day, 9 * 3600 + 300, "CRDT", 80_000 * YUAN, payer="UNKNOWN")
        elif self.story == "CONSENT_WITHDRAWN" and age == 0:
            self._add(13 * 3600, self._withdrawn(day, "P2_PROFILE"))
        elif self.story == "COMPLAINT" and age == 0:
            self._add(13 * 3600, self._complaint(day))

    # --- facts --------------------------------------------------------------------------------

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _add(self, second: int, data: Fact) -> None:
        self._facts.append(_Timed(second, self, data))

    def _registered(self, day: dt.date) -> Fact:
        age_days = self.random.randrange(20 * 365, 70 * 365)
        born = day - dt.timedelta(days=age_days)
        return cl.ClientRegistered(
            business_date=day,
            client_id=self.client_id,
            client_type="CORPORATE" if self.corporate else "INDIVIDUAL",
            birth_date=None if self.corporate else born,
            incorporation_date=born if self.corporate else None,
            nationality="CN",
            region=f"R{self.number % 31:02d}",
            industry_code="F51" if self.corporate else None,
            source_channel="BRANCH",
            rm_id=f"RM-{self.number % 20:02d}",
        )

    def _kyc(self, day: dt.date) -> Fact:
        return cl.KycUpdated(
            business_date=day,
            client_id=self.client_id,
            kyc_level="FULL",
            reviewed_at=dt.datetime.combine(day, dt.time(0, 1), dt.UTC),
            next_review_date=day + dt.timedelta(days=365),
            pep=False,
            sanctions_hit=False,
            aml_risk_level="LOW",
        )

    def _declared(self, day: dt.date) -> Fact:
        return cl.ProfileDeclared(
            business_date=day,
            client_id=self.client_id,
            currency=CURRENCY,
            declared_income_monthly=money_text(self._income),
            household_size=self.random.randrange(1, 6),
        )

    def _consent(self, day: dt.date, purpose: Any) -> Fact:
        return cs.ConsentGranted(
            business_date=day,
            client_id=self.client_id,
            consent_id=f"{self.client_id}-{purpose}",
            purpose=purpose,
            legal_basis="CONSENT",
            granted_at=dt.datetime.combine(day, dt.time(0, 3), dt.UTC),
            text_version="2026-01",
            channel="BRANCH",
        )

    def _withdrawn(self, day: dt.date, purpose: Any) -> Fact:
        return cs.ConsentWithdrawn(
            business_date=day,
            client_id=self.client_id,
            consent_id=f"{self.client_id}-{purpose}",
            purpose=purpose,
            withdrawn_at=dt.datetime.combine(day, dt.time(5), dt.UTC),
            channel="MOBILE",
        )

    def _complaint(self, day: dt.date) -> Fact:
        return it.ComplaintRaised(
            business_date=day,
            client_id=self.client_id,
            complaint_id=f"{self.client_id}-C1",
            category="FEES",
            severity="HIGH",
            due_at=day + dt.timedelta(days=15),
        )

    def _opened(self, day: dt.date) -> Fact:
        return ac.AccountOpened(
            business_date=day,
            account_id=self.account_id,
            account_type="CACC",
            currency=CURRENCY,
            opened_date=day,
            parties=(ac.Party(client_id=self.client_id, role="OWNER"),),
            statement_frequency="MNTH",
        )

    def _status(self, day: dt.date, before: Any, after: Any) -> Fact:
        return ac.AccountStatusChanged(
            business_date=day,
            account_id=self.account_id,
            from_status=before,
            to_status=after,
            reason="CLIENT_REQUEST",
        )

    def _entry(
        self,
        day: dt.date,
        second: int,
        side: Any,
        amount: int,
        *,
        purpose: str | None = None,
        payer: str | None = None,
        cash: bool = False,
        mcc: str | None = None,
    ) -> None:
        amount -= amount % 100  # to the fen
        self._entry_no += 1
        self._balance += amount if side == "CRDT" else -amount
        minute = self.random.randrange(60)
        data = ac.TransactionPosted(
            business_date=day,
            account_id=self.account_id,
            transaction_id=f"{self.account_id}-{self._entry_no:05d}",
            amount=money_text(amount),
            currency=CURRENCY,
            credit_debit_indicator=side,
            booking_datetime=dt.datetime.combine(day, dt.time(), dt.UTC),
            initiator="THIRD_PARTY" if side == "CRDT" and payer else "CUSTOMER",
            is_cash=cash,
            bank_transaction_code=_code(side, cash, mcc),
            counterparty=ac.Counterparty(name_hash=payer) if payer else None,
            mcc=mcc,
            purpose=purpose,
            balance_after=money_text(self._balance),
            channel="BRANCH" if cash else "MOBILE",
        )
        # Seconds grow with the entry number, so the balance chain is the time order.
        self._add(max(second + minute, self._last_second() + 1), data)

    def _last_second(self) -> int:
        entries = [f.second for f in self._facts if isinstance(f.data, ac.TransactionPosted)]
        return max(entries, default=0)

    def _close_day(self, day: dt.date) -> None:
        data = ac.BalanceSnapshot(
            business_date=day,
            account_id=self.account_id,
            balance_type="CLBD",
            amount=money_text(abs(self._balance)),
            credit_debit_indicator="DBIT" if self._balance < 0 else "CRDT",
            currency=CURRENCY,
        )
        self._add(86_399, data)

    def _grant(self, day: dt.date) -> None:
        amount = money_text(self._instalment * self._loan_term)
        self._add(
            9 * 3600,
            cr.ApplicationSubmitted(
                business_date=day,
                application_id=f"{self.facility_id}-APP",
                client_id=self.client_id,
                product_code="CONSUMER_LOAN",
                requested_amount=amount,
                currency=CURRENCY,
                term_months=self._loan_term,
                declared_income_monthly=money_text(self._income),
            ),
        )
        self._add(
            10 * 3600,
            cr.CreditApproved(
                business_date=day,
                application_id=f"{self.facility_id}-APP",
                facility_id=self.facility_id,
                approved_amount=amount,
                currency=CURRENCY,
                term_months=self._loan_term,
                rate="0.0435",
            ),
        )
        self._add(
            11 * 3600,
            cr.CreditDisbursed(
                business_date=day,
                facility_id=self.facility_id,
                client_id=self.client_id,
                tranche_no=1,
                amount=amount,
                currency=CURRENCY,
                to_account_id=self.account_id,
            ),
        )

    def _due(self, day: dt.date, number: int) -> Fact:
        total = money_text(self._instalment)
        return cr.RepaymentDue(
            business_date=day,
            facility_id=self.facility_id,
            instalment_no=number,
            due_date=day,
            principal=total,
            total=total,
            currency=CURRENCY,
        )

    def _repay(self, day: dt.date, number: int) -> None:
        self._entry(day, 9 * 3600, "DBIT", self._instalment, purpose="LOAN")
        amount = money_text(self._instalment)
        made = cr.RepaymentMade(
            business_date=day,
            facility_id=self.facility_id,
            payment_id=f"{self.facility_id}-{number:03d}",
            paid_at=dt.datetime.combine(day, dt.time(2), dt.UTC),
            amount=amount,
            currency=CURRENCY,
            allocation=cr.Allocation(principal=amount),
            instalment_no=(number,),
            source_account=self.account_id,
        )
        self._add(self._last_second() + 1, made)

    def _missed(self, day: dt.date, number: int, due: dt.date) -> Fact:
        return cr.RepaymentMissed(
            business_date=day,
            facility_id=self.facility_id,
            instalment_no=number,
            due_date=due,
            outstanding=money_text(self._instalment),
            currency=CURRENCY,
            dpd_start=due,
        )

    def _penalty(self, day: dt.date) -> None:
        data = cr.PenaltyInterestCharged(
            business_date=day,
            facility_id=f"OD-{self.account_id}",
            amount=money_text(max(minor_units("0.01"), -self._balance // 2000 // 100 * 100)),
            currency=CURRENCY,
            account_id=self.account_id,
            basis=money_text(-self._balance),
            rate="0.18",
        )
        self._add(22 * 3600, data)


def _code(side: str, cash: bool, mcc: str | None) -> ac.BankTransactionCode:
    if cash:
        family, sub_family = "CNTR", "CDPT" if side == "CRDT" else "CWDL"
    elif mcc:
        family, sub_family = "CCRD", "POSD"
    else:
        family, sub_family = ("RCDT", "DMCT") if side == "CRDT" else ("ICDT", "DMCT")
    return ac.BankTransactionCode(domain="PMNT", family=family, sub_family=sub_family)
