"""A simulated bank, seeded: the same seed gives the same bytes. Every event is marked synthetic.

Each client lives by its own random stream, so a client's life does not depend on how many others
there are. Client `number` modulo 50 decides which story is planted, so the smallest bank has them
all. The truth goes to a label file, never into an event. `docs/sources.md` has the distributions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from random import Random
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from lifecycle.errors import UsageError
from lifecycle.events import Fact, Outgoing, encode, money_text
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
FEN = YUAN // 100

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
TERMS = (12, 24, 36)
_MISSED: dict[str | None, tuple[int, ...]] = {
    "MISSED_ONCE": (2,),
    "MISSED_TWICE": (2, 3),
    "MISSED_OVER_90_DAYS": tuple(range(1, TERMS[-1] + 1)),
}
"""Story -> instalments that are not paid when due. The first two stories pay late; the last pays
nothing, so that it is more than 90 days past due within five months."""
_SEXES: tuple[Literal["F", "M"], ...] = ("F", "M")
_PAID_LATE = {"MISSED_ONCE", "MISSED_TWICE"}
PAID_LATE_AFTER = dt.timedelta(days=10)


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
        if days > (dt.date.max - first_day).days:
            raise UsageError(f"A simulated bank lives until {dt.date.max}, not {days:,} days.")
        self._seed = seed
        self._clients = clients
        self._first_day = first_day
        self._days = days
        self._zone = timezone

    def events(self, first: dt.date | None, last: dt.date | None) -> Iterator[Outgoing]:
        lives = self._lives()
        for offset in range(self._days):
            day = self._first_day + dt.timedelta(days=offset)
            if last is not None and day > last:
                break
            facts = [fact for life in lives for fact in life.day(day)]
            facts.sort(key=lambda fact: fact.second)
            for fact in facts:
                fact.life.sequence += 1
                if within(day, first, last):
                    yield self._encode(fact, day)

    def count(self) -> int | None:
        return None

    def labels(self) -> list[Label]:
        """The truth about every planted story that happens within the simulated days."""
        end = self._first_day + dt.timedelta(days=self._days)
        labels = (life.label() for life in self._lives())
        return [label for label in labels if label and label.day < end]

    def _lives(self) -> list[_Life]:
        return [
            _Life(self._seed, number, self._first_day, self._zone)
            for number in range(self._clients)
        ]

    def _encode(self, fact: _Timed, day: dt.date) -> Outgoing:
        return encode(
            fact.data,
            source=SOURCE,
            client_id=fact.life.client_id,
            time=fact.life.instant(day, fact.second),
            sequence=fact.life.sequence,
            synthetic=True,
        )


class _Timed(NamedTuple):
    second: int
    life: _Life
    data: Fact


class _Life:
    """One client: what stays the same, and the little that changes from day to day."""

    __slots__ = (
        "_balance",
        "_borrows",
        "_card_day",
        "_due_day",
        "_entry_no",
        "_facts",
        "_first",
        "_income",
        "_instalment",
        "_instalment_no",
        "_last_second",
        "_loan_term",
        "_pay_day",
        "_rent_day",
        "_zone",
        "account_id",
        "client_id",
        "corporate",
        "facility_id",
        "number",
        "random",
        "sequence",
        "story",
    )

    def __init__(self, seed: int, number: int, first_day: dt.date, zone: ZoneInfo) -> None:
        self.random = Random(f"{seed}:{number}")
        self.number = number
        self.client_id = f"SIM-{number:06d}"
        self.account_id = f"{self.client_id}-A1"
        self.facility_id = f"{self.client_id}-L1"
        self.story = STORIES.get(number % STORIES_EVERY)
        self.corporate = self.story is None and self.random.random() < 0.1
        self.sequence = 0
        self._first = first_day
        self._zone = zone
        self._entry_no = 0
        self._last_second = 0
        self._balance = 0
        self._facts: list[_Timed] = []
        self._income = self.random.randrange(5_000, 40_000) * YUAN * (10 if self.corporate else 1)
        self._pay_day = self.random.randrange(5, 16)
        self._rent_day = self.random.randrange(1, 5)
        sleeps = self.story == "DORMANT_WAKES"
        carded = not self.corporate and not sleeps and self.random.random() < 0.7
        self._card_day = first_day + dt.timedelta(self.random.randrange(1, 30)) if carded else None
        self._loan_term = self.random.choice(TERMS)
        self._borrows = self.story in _MISSED or (not sleeps and self.random.random() < 0.2)
        self._due_day = self.random.randrange(16, 28)
        self._instalment = self._income * 15 // 100 // YUAN * YUAN
        self._instalment_no = 0

    def instant(self, day: dt.date, second: int) -> dt.datetime:
        """The `second` of a day in the bank's zone."""
        return dt.datetime.combine(day, dt.time(), self._zone) + dt.timedelta(seconds=second)

    def label(self) -> Label | None:
        """The truth about this client's story; None when there is none."""
        if self.story is None:
            return None
        if self.story in _MISSED:
            due = self._due_date(_MISSED[self.story][0])
            return Label(self.story, self.client_id, f"facility/{self.facility_id}", due)
        on_account = self.story in ("OVERDRAFT", "STRUCTURING", "LARGE_CASH", "DORMANT_WAKES")
        entity = f"account/{self.account_id}" if on_account else f"client/{self.client_id}"
        return Label(self.story, self.client_id, entity, self._story_day())

    def day(self, day: dt.date) -> list[_Timed]:
        """What happens on one day, with the second of the day."""
        before, self._last_second = self._entry_no, 0
        if day == self._first:
            self._begin(day)
        elif self.story == "DORMANT_WAKES" and day < self._story_day():
            self._sleep(day)
        else:
            self._income_and_bills(day)
            self._card(day)
            self._spending(day)
        if self._borrows:
            self._loan(day)
        if self.story and day >= self._story_day():
            self._tell(day, (day - self._story_day()).days)
        if self._entry_no > before:
            self._close_day(day)
        facts, self._facts = self._facts, []
        return facts

    # --- ordinary life ------------------------------------------------------------------------

    def _begin(self, day: dt.date) -> None:
        self._add(8 * 3600, self._registered(day))
        self._add(8 * 3600 + 60, self._kyc(day))
        self._add(8 * 3600 + 120, self._declared(day))
        if self._chance(0.7) or self.story == "CONSENT_WITHDRAWN":
            self._add(8 * 3600 + 180, self._consent(day, 8 * 3600 + 180, "P2_PROFILE"))
        if self._chance(0.4):
            self._add(8 * 3600 + 181, self._consent(day, 8 * 3600 + 181, "P4_AUTOMATED"))
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
            cost = self._income * self.random.randrange(2, 9) // 100
            # Suppliers wait when wages and an instalment would no longer be covered.
            if self._balance - cost > self._income * 6 // 10:
                self._entry(day, 14 * 3600, "DBIT", cost, payer="SUPPLIER")
        if day.day == 10:
            self._entry(day, 15 * 3600, "DBIT", self._income * 3 // 10, purpose="SALA")

    def _spending(self, day: dt.date) -> None:
        if self._balance < 3_000 * YUAN or self.corporate:
            return
        if self._chance(0.45):
            fen = self.random.randrange(500, self._income // FEN // 15)
            self._entry(day, 18 * 3600, "DBIT", fen * FEN, mcc="5411")
        if self._chance(0.03):
            cash = self.random.randrange(1, 20) * 100 * YUAN
            self._entry(day, 17 * 3600, "DBIT", min(cash, self._balance // 2), cash=True)

    def _card(self, day: dt.date) -> None:
        if day == self._card_day:
            self._add(9 * 3600, self._card_issued(day))

    def _sleep(self, day: dt.date) -> None:
        if day == self._first + dt.timedelta(days=1):
            self._add(9 * 3600, self._status(day, "ENABLED", "DORMANT", "LONG_INACTIVE"))

    def _loan(self, day: dt.date) -> None:
        missed = _MISSED.get(self.story, ())
        if day == self._first + dt.timedelta(days=2):
            self._grant(day)
        if self._instalment_no < self._loan_term and day == self._due_date(self._instalment_no + 1):
            self._instalment_no += 1
            self._add(300, self._due(day, self._instalment_no))
            if self._instalment_no not in missed:
                self._repay(day, self._instalment_no)
        due = self._due_date(self._instalment_no)
        if self._instalment_no in missed and day == due + dt.timedelta(days=1):
            self._add(86_398, self._missed(day, self._instalment_no, due))
        if self.story in _PAID_LATE and day == self._due_date(missed[-1]) + PAID_LATE_AFTER:
            for number in missed:
                self._repay(day, number)

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
            self._add(9 * 3600, self._status(day, "DORMANT", "ENABLED", "CLIENT_REQUEST"))
            self._entry(day, 9 * 3600 + 300, "CRDT", 80_000 * YUAN, payer="UNKNOWN")
        elif self.story == "CONSENT_WITHDRAWN" and age == 0:
            self._add(13 * 3600, self._withdrawn(day, "P2_PROFILE"))
        elif self.story == "COMPLAINT" and age == 0:
            self._add(13 * 3600, self._complaint(day))
        elif self.story == "COMPLAINT" and age == 10:
            self._add(15 * 3600, self._resolved(day))

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
            sex=None if self.corporate else self.random.choice(_SEXES),
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
            reviewed_at=self.instant(day, 8 * 3600 + 60),
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

    def _consent(self, day: dt.date, second: int, purpose: Any) -> Fact:
        return cs.ConsentGranted(
            business_date=day,
            client_id=self.client_id,
            consent_id=f"{self.client_id}-{purpose}",
            purpose=purpose,
            legal_basis="CONSENT",
            granted_at=self.instant(day, second),
            text_version="2026-01",
            channel="BRANCH",
        )

    def _withdrawn(self, day: dt.date, purpose: Any) -> Fact:
        return cs.ConsentWithdrawn(
            business_date=day,
            client_id=self.client_id,
            consent_id=f"{self.client_id}-{purpose}",
            purpose=purpose,
            withdrawn_at=self.instant(day, 13 * 3600),
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

    def _resolved(self, day: dt.date) -> Fact:
        return it.ComplaintResolved(
            business_date=day,
            client_id=self.client_id,
            complaint_id=f"{self.client_id}-C1",
            outcome="EXPLAINED",
        )

    def _card_issued(self, day: dt.date) -> Fact:
        return ac.CardIssued(
            business_date=day,
            card_id=f"{self.client_id}-K1",
            account_id=self.account_id,
            client_id=self.client_id,
            card_product="GOLD" if self._income >= 25_000 * YUAN else "CLASSIC",
            issued_date=day,
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

    def _status(self, day: dt.date, before: Any, after: Any, reason: str) -> Fact:
        return ac.AccountStatusChanged(
            business_date=day,
            account_id=self.account_id,
            from_status=before,
            to_status=after,
            reason=reason,
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
        amount -= amount % FEN
        self._entry_no += 1
        self._balance += amount if side == "CRDT" else -amount
        # Seconds grow with the entry number, so the balance chain is the time order.
        self._last_second = max(second + self.random.randrange(60), self._last_second + 1)
        by_card = self._card_day is not None and day >= self._card_day
        data = ac.TransactionPosted(
            business_date=day,
            account_id=self.account_id,
            transaction_id=f"{self.account_id}-{self._entry_no:05d}",
            amount=money_text(amount),
            currency=CURRENCY,
            credit_debit_indicator=side,
            booking_datetime=self.instant(day, self._last_second),
            initiator=_initiator(side, purpose, payer),
            is_cash=cash,
            bank_transaction_code=_code(side, cash, by_card and mcc is not None),
            counterparty=ac.Counterparty(name_hash=payer) if payer else None,
            mcc=mcc,
            purpose=purpose,
            balance_after=money_text(self._balance),
            channel="BRANCH" if cash else "MOBILE",
        )
        self._add(self._last_second, data)

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
        self._add(9 * 3600 - 1, self._consent(day, 9 * 3600 - 1, "P3_BUREAU"))
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
                rate="0",
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
                # Paid to the seller, so the client's own account sees no entry.
                payment_mode="ENTRUSTED",
                payee=f"SELLER-{self.number % 89:02d}",
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
            paid_at=self.instant(day, self._last_second),
            amount=amount,
            currency=CURRENCY,
            allocation=cr.Allocation(principal=amount),
            instalment_no=(number,),
            source_account=self.account_id,
        )
        self._last_second += 1
        self._add(self._last_second, made)

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
        basis = -self._balance
        amount = max(FEN, basis // 2000 // FEN * FEN)
        self._entry(day, 22 * 3600, "DBIT", amount, purpose="PENALTY")
        data = cr.PenaltyInterestCharged(
            business_date=day,
            facility_id=f"OD-{self.account_id}",
            amount=money_text(amount),
            currency=CURRENCY,
            account_id=self.account_id,
            basis=money_text(basis),
            rate="0.18",
        )
        self._add(self._last_second + 1, data)


def _initiator(side: str, purpose: str | None, payer: str | None) -> Any:
    if purpose == "PENALTY":
        return "BANK"
    return "THIRD_PARTY" if side == "CRDT" and payer else "CUSTOMER"


def _code(side: str, cash: bool, by_card: bool) -> ac.BankTransactionCode:
    if cash:
        family, sub_family = "CNTR", "CDPT" if side == "CRDT" else "CWDL"
    elif by_card:
        family, sub_family = "CCRD", "POSD"
    else:
        family, sub_family = ("RCDT", "DMCT") if side == "CRDT" else ("ICDT", "DMCT")
    return ac.BankTransactionCode(domain="PMNT", family=family, sub_family=sub_family)
