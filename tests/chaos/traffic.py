"""A seeded bank's traffic, and the ledger of what every produced record has to become."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec

from lifecycle.events import Fact, Outgoing, encode, money_text
from lifecycle.events.account import AccountOpened, Party, TransactionPosted
from lifecycle.events.credit import CreditDisbursed, RepaymentDue, RepaymentMissed

Fate = Literal["applied", "quarantined", "duplicate", "parked"]
FIRST_DAY = dt.date(2026, 3, 2)
PER_CLIENT = 20
"""Facts of one client: an account, sixteen entries, a loan, one instalment due and missed."""
_ENTRIES = PER_CLIENT - 4
_anything = msgspec.json.Decoder().decode


def traffic(seed: int, events: int, clients: str = "C") -> list[Outgoing]:
    """About `events` good facts in a seeded order; every second client overdraws its account.

    Each client's facts keep their order, clients are interleaved. Same arguments, same bytes.
    """
    chance = random.Random(seed)
    lives = [
        _life(chance, f"{clients}{seed}-{number}", number)
        for number in range(max(1, events // PER_CLIENT))
    ]
    found = []
    while lives:
        life = chance.choice(lives)
        fact = next(life, None)
        if fact is None:
            lives.remove(life)
        else:
            found.append(fact)
    return found


def _life(chance: random.Random, client: str, number: int) -> Iterator[Outgoing]:
    balance, count = 0, 0

    def out(fact: Fact, minute: int) -> Outgoing:
        nonlocal count
        count += 1
        time = dt.datetime.combine(FIRST_DAY, dt.time(1), dt.UTC) + dt.timedelta(minutes=minute)
        return encode(fact, source="/replay/chaos", client_id=client, time=time, sequence=count)

    yield out(
        AccountOpened(
            business_date=FIRST_DAY,
            account_id=f"{client}-A",
            account_type="CACC",
            currency="CNY",
            opened_date=FIRST_DAY,
            parties=(Party(client_id=client, role="OWNER"),),
        ),
        0,
    )
    for entry in range(_ENTRIES):
        overdraws = number % 2 == 0 and entry == _ENTRIES - 1
        amount = balance + 10_000 if overdraws else chance.randrange(1, 50_000) * 100
        credit = not overdraws and (amount > balance or chance.random() < 0.6)
        balance += amount if credit else -amount
        yield out(_entry(client, entry, amount, credit, balance), entry + 1)
    due = FIRST_DAY + dt.timedelta(days=30)
    loan = {"facility_id": f"{client}-L", "currency": "CNY"}
    yield out(
        CreditDisbursed(
            business_date=FIRST_DAY, client_id=client, tranche_no=1, amount="6000.00", **loan
        ),
        60,
    )
    schedule = {"instalment_no": 1, "due_date": due}
    yield out(
        RepaymentDue(business_date=due, principal="500.00", total="500.00", **schedule, **loan), 90
    )
    after = due + dt.timedelta(days=1)
    yield out(
        RepaymentMissed(
            business_date=after, outstanding="500.00", dpd_start=due, **schedule, **loan
        ),
        120,
    )


def _entry(client: str, number: int, amount: int, credit: bool, balance: int) -> TransactionPosted:
    booked = dt.datetime.combine(FIRST_DAY, dt.time(1), dt.UTC) + dt.timedelta(minutes=number + 1)
    return TransactionPosted(
        business_date=FIRST_DAY,
        account_id=f"{client}-A",
        transaction_id=f"{client}-T{number}",
        amount=money_text(amount),
        currency="CNY",
        credit_debit_indicator="CRDT" if credit else "DBIT",
        booking_datetime=booked,
        balance_after=money_text(balance),
    )


class Produced(NamedTuple):
    """One record as it was produced, and what has to become of it."""

    topic: str
    key: str | None
    value: bytes | None
    fate: Fate
    name: str
    """The event id, or what a person calls a record that has none."""


class Ledger:
    """Every produced record by its bytes; the oracle compares it with what is stored."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.resends = 0
        """How often a publisher that met a fault may have sent a record again."""
        self.expected: dict[Fate, Counter[bytes]] = defaultdict(Counter)
        self.names: dict[bytes, str] = {}
        self.money: dict[str, Decimal] = defaultdict(Decimal)
        """Account or facility -> sum of the amounts of facts that have to be applied, exact."""

    def __len__(self) -> int:
        return sum(counts.total() for counts in self.expected.values())

    def add(self, records: Iterable[Produced]) -> None:
        for record in records:
            mark = fingerprint(record.value)
            self.expected[record.fate][mark] += 1
            self.names.setdefault(mark, record.name)
            if record.fate == "applied":
                add_money(self.money, record.value or b"")

    def applied_later(self, value: bytes) -> None:
        """What was parked has been released by what it waited for."""
        mark = fingerprint(value)
        self.expected["parked"][mark] -= 1
        self.expected["applied"][mark] += 1
        add_money(self.money, value)

    def given_up(self, records: Iterable[Produced]) -> None:
        """What a person decided to lose: it was to be applied and is expected nowhere."""
        for record in records:
            self.expected["applied"][fingerprint(record.value)] -= 1
            taken: dict[str, Decimal] = defaultdict(Decimal)
            add_money(taken, record.value or b"")
            for subject, amount in taken.items():
                self.money[subject] -= amount


def good(outs: Iterable[Outgoing], fate: Fate = "applied") -> list[Produced]:
    """Facts as they came from a source."""
    return [Produced(out.topic, out.key, out.value, fate, out.id) for out in outs]


def fingerprint(value: bytes | None) -> bytes:
    """The identity of a record's bytes."""
    return hashlib.blake2b(b"null" if value is None else b"=" + value, digest_size=16).digest()


def add_money(sums: dict[str, Decimal], payload: bytes) -> None:
    """Add the amount of one fact to its subject, debits negative. Facts without one add nothing."""
    event: dict[str, Any] = _anything(payload)
    data = event["data"]
    if "amount" in data:
        sign = -1 if data.get("credit_debit_indicator") == "DBIT" else 1
        sums[event["subject"]] += sign * Decimal(data["amount"])
