"""Schemes of money laundering put into the accounts of a real bank, from a seed.

Amounts of a scheme are yuan; in the accounts they are `factor` times as many units of the account's
currency. Balances after an entry go on from what was put in or left out. What comes out is for lakes, not
for the stream: it has no sequence numbers.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from lifecycle.errors import UsageError
from lifecycle.events import Event, Fact, Outgoing, decode, encode, minor_units, money_text
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.sources.laundering import SCHEMES, Move, Scheme

SOURCE = "/injected"
WINDOW_DAYS = 30
LATEST_DAYS = 60
"""Schemes begin within so many days before the last one."""
_WHOLE = 10_000
_CENT = 100


class Planting(NamedTuple):
    """A scheme of a size, and the clients that take part in it, in the order of its members."""

    code: str
    size: int
    clients: tuple[str, ...]


class Accounts(NamedTuple):
    """What is known of the bank that schemes are put into."""

    account_of: Mapping[str, str]
    """Person -> its first account. Schemes need persons; where one needs a company, it makes one."""
    events: Mapping[str, Sequence[Event]]
    """Client -> its events, in time order."""
    last: dt.date

    def entries(self, client: str) -> list[ac.TransactionPosted]:
        """The client's own entries."""
        data = (event.data for event in self.events[client])
        return [d for d in data if isinstance(d, ac.TransactionPosted) and d.initiator != "BANK"]


def accounts_of(events: Iterable[Outgoing]) -> Accounts:
    """Read a bank. Raises UsageError for one without events."""
    by_client: dict[str, list[Event]] = defaultdict(list)
    first: dict[str, str] = {}
    companies = set()
    for out in events:
        event = decode(out.value, out.key.encode(), out.topic, 0, 0)
        by_client[out.key].append(event)
        if isinstance(event.data, ac.AccountOpened):
            first.setdefault(out.key, event.data.account_id)
        elif isinstance(event.data, cl.ClientRegistered) and event.data.client_type == "CORPORATE":
            companies.add(out.key)
    if not by_client:
        raise UsageError("There are no events to put schemes into: take a wider range of dates.")
    last = max(events[-1].data.business_date for events in by_client.values())
    persons = {client: account for client, account in first.items() if client not in companies}
    return Accounts(persons, by_client, last)


def inject(
    bank: Accounts, plantings: Sequence[Planting], *, seed: int, factor: Decimal, timezone: ZoneInfo
) -> dict[str, list[Outgoing]]:
    """Client -> all its events once the schemes are in, of the clients that take part in one."""
    changed = {}
    for planting in plantings:
        scheme = SCHEMES[planting.code]
        random = Random(f"{seed}:{planting.clients[0]}")
        begins = _begin(scheme, planting.clients, bank, random)
        income = _income(bank, planting.clients[0])
        members = scheme.moves(planting.size, int(income / factor))
        accounts = tuple(bank.account_of[client] for client in planting.clients)
        for client, moves in zip(planting.clients, members, strict=True):
            told = _Account(bank, client, factor, timezone)
            changed[client] = told.tell(scheme, moves, begins, accounts, income)
    return changed


def may_sleep(bank: Accounts, client: str) -> bool:
    """Whether the client did something so long ago that it can have slept since."""
    entries = bank.entries(client)
    days = SCHEMES["M04"].asleep_days + LATEST_DAYS
    return bool(entries) and (bank.last - entries[0].business_date).days > days


def _begin(scheme: Scheme, clients: Sequence[str], bank: Accounts, random: Random) -> dt.date:
    """A day that leaves time for the whole scheme; of M03, which allows few payees, one in whose week
    the client pays fewest others."""
    length = max(move.day for moves in scheme.moves(scheme.stated, 0) for move in moves)
    latest = bank.last - dt.timedelta(days=length + 1)
    days = [latest - dt.timedelta(days=n) for n in range(LATEST_DAYS - length)]
    random.shuffle(days)
    if scheme.code != "M03":
        return days[0]
    paid = [e.business_date for e in bank.entries(clients[0]) if e.credit_debit_indicator == "DBIT"]
    return min(days, key=lambda day: sum(-7 <= (on - day).days <= length for on in paid))


def _income(bank: Accounts, client: str) -> int:
    """What the client would honestly declare: the most that came in within thirty days."""
    came = [
        (e.business_date, minor_units(e.amount))
        for e in bank.entries(client)
        if e.credit_debit_indicator == "CRDT"
    ]
    sums = (sum(a for on, a in came if 0 <= (day - on).days < WINDOW_DAYS) for day, _ in came)
    return max(sums, default=1_000 * _WHOLE) // _WHOLE * _WHOLE or _WHOLE


class _Account:
    """The events of one client, told anew with the moves of a scheme."""

    def __init__(self, bank: Accounts, client: str, factor: Decimal, timezone: ZoneInfo) -> None:
        self._events = bank.events[client]
        self._client = client
        self._account = bank.account_of[client]
        self._factor = factor
        self._zone = timezone
        self._balance = self._shift = 0
        self._currency = next(
            e.data.currency for e in self._events if isinstance(e.data, ac.AccountOpened)
        )

    def tell(
        self,
        scheme: Scheme,
        moves: Sequence[Move],
        begins: dt.date,
        accounts: tuple[str, ...],
        income: int,
    ) -> list[Outgoing]:
        told: list[Outgoing] = []
        waiting = [(self._instant(begins, move), n, move) for n, move in enumerate(moves)]
        waiting.sort(key=lambda item: item[:2])
        woken = self._midnight(begins)
        asleep = woken - dt.timedelta(days=scheme.asleep_days)
        for event in self._events:
            while waiting and waiting[0][0] <= event.time:
                time, n, move = waiting.pop(0)
                told.append(self._make(time, n, move, accounts))
            is_entry = isinstance(event.data, ac.TransactionPosted)
            if is_entry and asleep <= event.time < woken and event.data.initiator != "BANK":
                self._shift -= self._signed(event.data)
                continue
            told.append(self._again(event, self._changed(event.data, scheme)))
        told += [self._make(time, n, move, accounts) for time, n, move in waiting]
        return [*told, self._declared(begins, income)] if scheme.declares else told

    def _changed(self, data: Fact, scheme: Scheme) -> Fact:
        """A fact as it is now: balances go on from what was put in, and who has to be a company is."""
        if isinstance(data, ac.TransactionPosted | ac.BalanceSnapshot):
            return self._moved(data) if data.account_id == self._account else data
        if isinstance(data, cl.ClientRegistered) and scheme.company:
            return msgspec.structs.replace(data, client_type="CORPORATE")
        return data

    def _moved(self, data: ac.TransactionPosted | ac.BalanceSnapshot) -> Fact:
        """A fact of the account, with the balance as it is now."""
        if isinstance(data, ac.TransactionPosted):
            if data.balance_after is None:
                return data
            self._balance = _units(data.balance_after)
            return msgspec.structs.replace(
                data, balance_after=money_text(self._balance + self._shift)
            )
        balance = self._balance + self._shift
        return msgspec.structs.replace(
            data,
            amount=money_text(abs(balance)),
            credit_debit_indicator="DBIT" if balance < 0 else "CRDT",
        )

    def _signed(self, data: ac.TransactionPosted) -> int:
        """What an entry changes the account's balance by."""
        if data.account_id != self._account:
            return 0
        units = minor_units(data.amount)
        return units if data.credit_debit_indicator == "CRDT" else -units

    def _make(
        self, time: dt.datetime, number: int, move: Move, accounts: tuple[str, ...]
    ) -> Outgoing:
        amount = int(move.amount * self._factor) // _CENT * _CENT
        if move.drains:
            amount = max(_WHOLE, self._balance + self._shift - amount)
        self._shift += amount if move.side == "CRDT" else -amount
        data = ac.TransactionPosted(
            business_date=time.astimezone(self._zone).date(),
            account_id=self._account,
            transaction_id=f"{self._account}-X{number}",
            amount=money_text(amount),
            currency=self._currency,
            credit_debit_indicator=move.side,
            booking_datetime=time,
            is_cash=move.cash,
            is_cross_border=move.abroad,
            counterparty=move.counterparty(accounts),
            balance_after=money_text(self._balance + self._shift),
        )
        return self._encoded(data, time)

    def _declared(self, begins: dt.date, income: int) -> Outgoing:
        day = begins - dt.timedelta(days=1)
        data = cl.ProfileDeclared(
            business_date=day,
            client_id=self._client,
            currency=self._currency,
            declared_income_monthly=money_text(income),
        )
        return self._encoded(data, self._midnight(begins) - dt.timedelta(hours=8))

    def _again(self, event: Event, data: Fact) -> Outgoing:
        return encode(data, source=event.source, client_id=self._client, time=event.time)

    def _encoded(self, data: Fact, time: dt.datetime) -> Outgoing:
        return encode(data, source=SOURCE, client_id=self._client, time=time, synthetic=True)

    def _instant(self, begins: dt.date, move: Move) -> dt.datetime:
        day = self._midnight(begins + dt.timedelta(days=move.day))
        return day + dt.timedelta(seconds=move.second)

    def _midnight(self, day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(), self._zone)


def _units(text: str) -> int:
    return -minor_units(text[1:]) if text.startswith("-") else minor_units(text)
