"""A bank of many small clients, each of them a case: its facts, and what its profile must say.

As of 31 March 2026 the windows are easy to count by hand: 90 days begin on 1 January 2026, 182 on
1 October 2025, 365 on 1 April 2025, 730 on 1 April 2024; March is a closed month.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

from lifecycle.clients.attribute import NullReason
from lifecycle.events import Fact, Outgoing, encode
from lifecycle.events import account as accounts
from lifecycle.events import client as clients
from lifecycle.events.consent import ConsentGranted

AS_OF = dt.date(2026, 3, 31)
END = dt.datetime(2026, 3, 31, 16, tzinfo=dt.UTC)
"""Midnight in Shanghai: the first instant that is not of the date any more."""
PURPOSES = ("P2_PROFILE", "P6_SENSITIVE")


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


class Expected(NamedTuple):
    """A row of the profile. Without `sources` only the value is looked at."""

    client: str
    name: str
    value: str | None
    sources: tuple[str, ...] | None
    newest: str | None
    """What tells the time of the value, where that is no source itself."""
    reason: NullReason | None
    as_of: dt.date


class Bank:
    """Facts in the order they arrive, and what is expected of them."""

    def __init__(self) -> None:
        self.facts: list[Outgoing] = []
        self.expected: list[Expected] = []

    def person(self, name: str, **known: Any) -> Client:
        return Client(self, name, "INDIVIDUAL", known)

    def company(self, name: str, **known: Any) -> Client:
        return Client(self, name, "CORPORATE", known)

    def times(self) -> dict[str, dt.datetime]:
        return {fact.id: fact.time for fact in self.facts}

    def dates(self) -> Iterator[dt.date]:
        yield from sorted({expected.as_of for expected in self.expected})


class Client:
    """One client: every method adds a fact and gives its id."""

    def __init__(self, bank: Bank, name: str, kind: str, known: dict[str, Any]) -> None:
        self.bank = bank
        self.name = name
        consents = known.pop("consents", PURPOSES)
        account = known.pop("account", "2024-01-01")
        self.registration = self.add(
            clients.ClientRegistered,
            "2024-01-01",
            client_id=name,
            client_type=kind,
            **known,
        )
        for purpose in consents:
            self.add(
                ConsentGranted,
                "2024-01-01",
                client_id=name,
                consent_id=f"{name}-{purpose}",
                purpose=purpose,
                legal_basis="CONSENT",
                granted_at=at("2024-01-01T08:00"),
                text_version="2026-01",
            )
        self.opening = self.open("A1", account) if account else ""

    def expect(
        self,
        name: str,
        value: str,
        *sources: str,
        newest: str | None = None,
        as_of: dt.date = AS_OF,
    ) -> None:
        self.bank.expected.append(
            Expected(self.name, name, value, sources or None, newest, None, as_of)
        )

    def lacks(self, *names: str, reason: NullReason = "UNKNOWN", as_of: dt.date = AS_OF) -> None:
        self.bank.expected += [
            Expected(self.name, name, None, None, None, reason, as_of) for name in names
        ]

    def add(
        self,
        kind: type[Fact],
        on: str,
        *,
        time: dt.datetime | None = None,
        recorded: dt.datetime | None = None,
        **fields: Any,
    ) -> str:
        """A fact of a business date, true soon after noon UTC unless told otherwise: no two of one day
        are true at the same time, so that the order of arrival need not tell which is newer."""
        soon = at(f"{on}T12:00") + dt.timedelta(milliseconds=len(self.bank.facts))
        needs = {field for field in kind.__struct_fields__ if field not in fields}
        made = kind(
            business_date=day(on),
            **({"client_id": self.name} if "client_id" in needs else {}),
            **({"currency": "CNY"} if "currency" in needs else {}),
            **fields,
        )
        self.bank.facts.append(
            encode(
                made,
                source="/replay/test",
                client_id=self.name,
                time=time or soon,
                recordedtime=recorded,
                sequence=len(self.bank.facts) + 1,
            )
        )
        return self.bank.facts[-1].id

    def open(self, account: str, on: str, kind: str = "CACC", **fields: Any) -> str:
        also = fields.pop("also", ())
        parties = [(self.name, "OWNER"), *((person, "JOINT_OWNER") for person in also)]
        return self.add(
            accounts.AccountOpened,
            on,
            account_id=f"{self.name}-{account}",
            account_type=kind,
            opened_date=day(on),
            parties=tuple(accounts.Party(client_id=c, role=role) for c, role in parties),
            **fields,
        )

    def close(self, account: str, on: str) -> str:
        return self.add(
            accounts.AccountClosed,
            on,
            account_id=f"{self.name}-{account}",
            closed_date=day(on),
            reason="CUSTOMER",
            final_balance="0",
        )

    def credit(self, on: str, amount: str, **fields: Any) -> str:
        return self._entry("CRDT", on, amount, fields)

    def debit(self, on: str, amount: str, **fields: Any) -> str:
        return self._entry("DBIT", on, amount, fields)

    def balance(self, on: str, amount: str, account: str = "A1", **fields: Any) -> str:
        """The closing balance of a day; below zero is overdrawn."""
        return self.add(
            accounts.BalanceSnapshot,
            on,
            time=fields.pop("time", at(f"{on}T15:00")),
            account_id=f"{self.name}-{account}",
            balance_type="CLBD",
            amount=amount.removeprefix("-"),
            credit_debit_indicator="DBIT" if amount.startswith("-") else "CRDT",
            **fields,
        )

    def reverse(self, on: str, transaction: str, amount: str, **fields: Any) -> str:
        return self.add(
            accounts.TransactionReversed,
            on,
            account_id=f"{self.name}-A1",
            original_transaction_id=transaction,
            reason="AC04",
            amount=amount,
            **fields,
        )

    def _entry(self, side: str, on: str, amount: str, fields: dict[str, Any]) -> str:
        other = {
            name: fields.pop(f"partner{part}", None)
            for name, part in (
                ("name_hash", ""),
                ("type", "_type"),
                ("account_hash", "_account"),
                ("country", "_country"),
            )
        }
        return self.add(
            accounts.TransactionPosted,
            on,
            account_id=f"{self.name}-{fields.pop('account', 'A1')}",
            transaction_id=fields.pop("number", f"T{len(self.bank.facts)}"),
            amount=amount,
            credit_debit_indicator=side,
            booking_datetime=at(f"{on}T12:00"),
            counterparty=accounts.Counterparty(**other) if any(other.values()) else None,
            **fields,
        )
