"""The job's records: accounts, then postings with duplicates and bad ones mixed in. Seeded.

The same bytes go to every pipeline. What a right run ends with is known from here, so that a rate
only counts when the result is right.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import NamedTuple

from lifecycle.events import Outgoing, encode, money_text
from lifecycle.events.account import AccountOpened, Counterparty, Party, TransactionPosted

SOURCE = "/replay/benchmark"
DUPLICATE_SHARE = 0.01
BAD_SHARE = 0.005
OVERDRAWN_SHARE = 0.012
"""Postings that take an account below zero, which every pipeline has a rule for."""
REFILL = 20_000_000
"""What the next posting leaves on such an account, in ten-thousandths."""
REPEATED_WITHIN = 50_000
"""A producer's retry comes at most so many records after the first time."""
FIRST_DAY = dt.date(2026, 1, 1)
DAYS = 30
_OPERATIONS = (("CARD", "DBIT", 50), ("OUT", "DBIT", 20), ("IN", "CRDT", 12), ("CASH", "CRDT", 6))


class Job(NamedTuple):
    """Records in order, and what becomes of them."""

    records: list[Outgoing]
    applied: int
    duplicates: int
    quarantined: int


def job(events: int, clients: int, seed: int = 7) -> Job:
    """`clients` opened accounts and `events` records of postings, in time order."""
    chance = random.Random(seed)
    records = [_opened(client) for client in range(clients)]
    balances = [chance.randint(200_000, 5_000_000) * 100 for _ in range(clients)]
    fates = ["applied"] * clients
    for number in range(events):
        draw = chance.random()
        if draw < DUPLICATE_SHARE and number > 100:
            again = chance.randrange(max(clients, len(records) - REPEATED_WITHIN), len(records))
            records.append(records[again])
            # A bad record that comes twice is bad twice.
            fates.append("quarantined" if fates[again] == "quarantined" else "duplicate")
        elif draw > 1 - BAD_SHARE:
            records.append(_spoilt(_posted(number, events, balances, chance), number))
            fates.append("quarantined")
        else:
            records.append(_posted(number, events, balances, chance))
            fates.append("applied")
    return Job(records, *map(fates.count, ("applied", "duplicate", "quarantined")))


def _opened(client: int) -> Outgoing:
    data = AccountOpened(
        business_date=FIRST_DAY,
        account_id=f"B{client:06}",
        account_type="CACC",
        currency="CNY",
        opened_date=FIRST_DAY,
        parties=(Party(client_id=f"C{client:06}", role="OWNER"),),
    )
    return encode(data, source=SOURCE, client_id=f"C{client:06}", time=_at(0))


def _posted(number: int, events: int, balances: list[int], chance: random.Random) -> Outgoing:
    client = chance.randrange(len(balances))
    (operation, side, _) = chance.choices(_OPERATIONS, [o[2] for o in _OPERATIONS])[0]
    amount = int(chance.lognormvariate(8.0, 1.1)) * 100
    if balances[client] < 0:
        side, amount = "CRDT", REFILL - balances[client]
    elif chance.random() < OVERDRAWN_SHARE:
        side, amount = "DBIT", balances[client] + 100_000
    balances[client] += amount if side == "CRDT" else -amount
    time = _at(3600 + number / events * DAYS * 86_400)
    data = TransactionPosted(
        business_date=time.date(),
        account_id=f"B{client:06}",
        transaction_id=f"T{number:08}",
        amount=money_text(amount),
        currency="CNY",
        credit_debit_indicator=side,
        booking_datetime=time,
        is_cash=operation == "CASH",
        counterparty=Counterparty(account_hash=f"{chance.getrandbits(48):012x}"),
        balance_after=money_text(balances[client]),
    )
    return encode(data, source=SOURCE, client_id=f"C{client:06}", time=time)


def _spoilt(out: Outgoing, number: int) -> Outgoing:
    value = out.value[:-40]
    if number % 2:
        before, _, after = out.value.partition(b'"amount":"')
        value = before + b'"amount":12.5' + after[after.index(b'"') + 1 :]
    return Outgoing(out.topic, out.key, value, out.time, out.type, out.id)


def _at(seconds: float) -> dt.datetime:
    start = dt.datetime.combine(FIRST_DAY, dt.time(), dt.UTC)
    return start + dt.timedelta(seconds=seconds)
