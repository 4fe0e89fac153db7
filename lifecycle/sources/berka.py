"""The Berka bank (PKDD'99): real accounts, loans and transactions of 1993-98 as events.

The data are not part of this project; the folder holds the original `;`-separated files.
Nothing post-dated becomes an event: no loan outcome, no order before its first payment.
`docs/sources.md` has the mapping.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from lifecycle.errors import UsageError
from lifecycle.events import Fact, Outgoing, encode, money_text
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import credit as cr
from lifecycle.sources.files import within

log = logging.getLogger(__name__)

SOURCE = "/replay/berka"
CURRENCY = "CZK"
TRANSACTIONS = "trans_1993-01_1994-03.asc"
TABLES = (
    "account.asc",
    "client.asc",
    "disp.asc",
    "order.asc",
    "card.asc",
    "loan.asc",
    TRANSACTIONS,
)
DUE_DAY = 12
"""Instalments fall due on the 12th, starting with the first one strictly after the grant."""
ROUNDING = 10_000
"""The loan table rounds to whole currency units."""
CHAIN_TOLERANCE = 10_000
"""Amounts are rounded in the data: a balance may be off by one unit and still follow."""

_FREQUENCY: dict[str, Literal["MNTH", "WEEK", "ADHO"]] = {
    "POPLATEK MESICNE": "MNTH",
    "POPLATEK TYDNE": "WEEK",
    "POPLATEK PO OBRATU": "ADHO",
}
_CODES = {
    operation: msgspec.convert(
        {"domain": domain, "family": family, "sub_family": sub_family}, ac.BankTransactionCode
    )
    for operation, domain, family, sub_family in (
        ("VKLAD", "PMNT", "CNTR", "CDPT"),
        ("VYBER", "PMNT", "CNTR", "CWDL"),
        ("VYBER KARTOU", "PMNT", "CCRD", "CWDL"),
        ("PREVOD Z UCTU", "PMNT", "RCDT", "DMCT"),
        ("PREVOD NA UCET", "PMNT", "ICDT", "DMCT"),
        ("", "ACMT", "MCOP", "INTR"),
    )
}
_PURPOSE = {
    "DUCHOD": "PENS",
    "SIPO": "HOUSEHOLD",
    "POJISTNE": "INSURANCE",
    "UVER": "LOAN",
    "SLUZBY": "FEES",
    "SANKC. UROK": "PENALTY",
    "UROK": "INTE",
    "LEASING": "LEASING",
}
_CARDS: dict[str, ac.CardProduct] = {"classic": "CLASSIC", "gold": "GOLD", "junior": "JUNIOR"}
_BY_BANK = {"SLUZBY", "SANKC. UROK", "UROK"}


class Entry(NamedTuple):
    """One row of the transaction file; money in ten-thousandths, debits negative in `signed`."""

    trans_id: str
    account_id: str
    date: dt.date
    credit: bool
    operation: str
    amount: int
    balance: int
    symbol: str
    bank: str
    account: str

    @property
    def signed(self) -> int:
        return self.amount if self.credit else -self.amount


class Timed(NamedTuple):
    """A fact with its time, on the stream of one client."""

    time: dt.datetime
    client_id: str
    data: Fact
    derived_time: bool
    synthetic: bool


class BerkaSource:
    """All facts of the folder, in event-time order. `timezone` is the bank's zone."""

    name = SOURCE

    def __init__(self, folder: Path, timezone: ZoneInfo) -> None:
        absent = [table for table in TABLES if not (folder / table).is_file()]
        if absent:
            raise UsageError(
                f"The Berka data are not in {folder} ({', '.join(absent)} missing): "
                "set BERKA_DIR to the folder that holds them."
            )
        self._folder = folder
        self._zone = timezone
        self._loaded: list[Timed] = []

    def events(self, first: dt.date | None, last: dt.date | None) -> Iterator[Outgoing]:
        sequence: dict[str, int] = defaultdict(int)
        for fact in self._facts():
            sequence[fact.client_id] += 1
            if within(fact.data.business_date, first, last):
                yield encode(
                    fact.data,
                    source=SOURCE,
                    client_id=fact.client_id,
                    time=fact.time,
                    sequence=sequence[fact.client_id],
                    synthetic=fact.synthetic,
                    derived_time=fact.derived_time,
                )

    def count(self) -> int | None:
        return len(self._facts())

    def _facts(self) -> list[Timed]:
        if not self._loaded:
            try:
                self._loaded = self._read()
            except (ValueError, KeyError) as error:
                raise UsageError(
                    f"The Berka files in {self._folder} hold something the published ones do not "
                    f"({type(error).__name__}: {error}): take the original files."
                ) from error
        return self._loaded

    def _read(self) -> list[Timed]:
        bank = Bank(self._folder, complete_entries(self._folder))
        facts = [
            *self._clients(bank),
            *self._accounts(bank),
            *self._entries(bank),
            *self._orders(bank),
            *self._cards(bank),
            *self._loans(bank),
        ]
        # A stable sort keeps the order in which facts of the same second were listed.
        return sorted(facts, key=lambda fact: fact.time)

    def _at(self, day: dt.date, hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(hour, minute, second), self._zone)

    def _clients(self, bank: Bank) -> Iterator[Timed]:
        first_seen: dict[str, dt.date] = {}
        for disposition in bank.dispositions:
            opened = bank.opened[disposition["account_id"]]
            client = disposition["client_id"]
            first_seen[client] = min(first_seen.get(client, opened), opened)
        for row in bank.clients:
            day = first_seen[row["client_id"]]
            birth, sex = birth_and_sex(row["birth_number"])
            data = cl.ClientRegistered(
                business_date=day,
                client_id=row["client_id"],
                client_type="INDIVIDUAL",
                birth_date=birth,
                sex=sex,
                nationality="CZ",
                region=row["district_id"],
            )
            yield Timed(self._at(day, 8), row["client_id"], data, True, False)

    def _accounts(self, bank: Bank) -> Iterator[Timed]:
        for row in bank.accounts:
            account, day = row["account_id"], bank.opened[row["account_id"]]
            owner = bank.owner[account]
            data = ac.AccountOpened(
                business_date=day,
                account_id=account,
                account_type="CACC",
                currency=CURRENCY,
                opened_date=day,
                parties=(ac.Party(client_id=owner, role="OWNER"),),
                branch_id=row["district_id"],
                statement_frequency=_FREQUENCY[row["frequency"]],
            )
            yield Timed(self._at(day, 9), owner, data, False, False)
        for row in bank.dispositions:
            if row["type"] != "OWNER":
                day, owner = bank.opened[row["account_id"]], bank.owner[row["account_id"]]
                added = ac.AccountPartyAdded(
                    business_date=day,
                    account_id=row["account_id"],
                    client_id=row["client_id"],
                    role="AUTHORISED_USER",
                )
                yield Timed(self._at(day, 9, 0, 1), owner, added, True, False)

    def _entries(self, bank: Bank) -> Iterator[Timed]:
        for account, entries in bank.entries.items():
            owner = bank.owner[account]
            for time, entry in self._timed_entries(entries):
                yield Timed(time, owner, _posted(entry, time), False, False)
            closing = {entry.date: entry.balance for entry in entries}
            for day, balance in closing.items():
                yield Timed(
                    self._at(day, 23, 59, 59), owner, _snapshot(account, day, balance), False, False
                )

    def _timed_entries(self, entries: list[Entry]) -> Iterator[tuple[dt.datetime, Entry]]:
        """Entries are in chain order; the k-th of a day happens k minutes after nine."""
        day, minute = None, 0
        for entry in entries:
            day, minute = entry.date, minute + 1 if entry.date == day else 1
            yield self._at(day, 9 + minute // 60, minute % 60), entry

    def _orders(self, bank: Bank) -> Iterator[Timed]:
        """The order table has no date: an order is known from its first matching payment on."""
        waiting = defaultdict(list)
        for row in bank.orders:
            if row["k_symbol"] != "UVER":
                waiting[row["account_id"]].append(row)
        for account, rows in waiting.items():
            for time, entry in self._timed_entries(bank.entries.get(account, [])):
                for row in [r for r in rows if _matches(r, entry)]:
                    rows.remove(row)
                    yield Timed(
                        time + dt.timedelta(seconds=2),
                        bank.owner[account],
                        _standing_order(row, entry),
                        True,
                        False,
                    )

    def _cards(self, bank: Bank) -> Iterator[Timed]:
        for row in bank.cards:
            disposition = bank.disposition[row["disp_id"]]
            day = _date(row["issued"][:6])
            data = ac.CardIssued(
                business_date=day,
                card_id=row["card_id"],
                account_id=disposition["account_id"],
                client_id=disposition["client_id"],
                card_product=_CARDS[row["type"]],
                issued_date=day,
            )
            yield Timed(self._at(day, 9), bank.owner[disposition["account_id"]], data, False, False)

    def _loans(self, bank: Bank) -> Iterator[Timed]:
        loans = {row["account_id"]: row for row in bank.loans}
        for row in bank.loans:
            yield from self._granted(row, bank.owner[row["account_id"]])
            payments = self._payments(row, bank)
            yield from self._schedule(row, bank, {entry.date for _, entry in payments})
            yield from self._repayments(row, bank.owner[row["account_id"]], payments)
        for account, entries in bank.entries.items():
            yield from self._penalties(account, entries, loans.get(account), bank.owner[account])

    def _payments(self, row: dict[str, str], bank: Bank) -> list[tuple[dt.datetime, Entry]]:
        """The entries that pay a loan."""
        entries = bank.entries.get(row["account_id"], [])
        return [(at, entry) for at, entry in self._timed_entries(entries) if entry.symbol == "UVER"]

    def _granted(self, row: dict[str, str], owner: str) -> Iterator[Timed]:
        day, facility = _date(row["date"]), f"LOAN-{row['loan_id']}"
        amount, term = money_text(_money(row["amount"])), int(row["duration"])
        before = day - dt.timedelta(days=1)
        application = cr.ApplicationSubmitted(
            business_date=before,
            application_id=f"APP-{row['loan_id']}",
            client_id=owner,
            product_code="CONSUMER_LOAN",
            requested_amount=amount,
            currency=CURRENCY,
            term_months=term,
        )
        approved = cr.CreditApproved(
            business_date=day,
            application_id=f"APP-{row['loan_id']}",
            facility_id=facility,
            approved_amount=amount,
            currency=CURRENCY,
            term_months=term,
            rate="0",
        )
        disbursed = cr.CreditDisbursed(
            business_date=day,
            facility_id=facility,
            client_id=owner,
            tranche_no=1,
            amount=amount,
            currency=CURRENCY,
            to_account_id=row["account_id"],
        )
        yield Timed(self._at(before, 10), owner, application, True, True)
        yield Timed(self._at(day, 10), owner, approved, True, False)
        yield Timed(self._at(day, 10, 5), owner, disbursed, True, False)

    def _schedule(
        self, row: dict[str, str], bank: Bank, paid_days: set[dt.date]
    ) -> Iterator[Timed]:
        owner, facility = bank.owner[row["account_id"]], f"LOAN-{row['loan_id']}"
        dues = due_dates(_date(row["date"]), int(row["duration"]))
        total = money_text(bank.instalment(row))
        for number, due in enumerate(dues, start=1):
            if due > bank.last_day:
                break
            fell_due = cr.RepaymentDue(
                business_date=due,
                facility_id=facility,
                instalment_no=number,
                due_date=due,
                principal=total,
                total=total,
                currency=CURRENCY,
            )
            yield Timed(self._at(due, 0, 5), owner, fell_due, True, False)
            grace = due + dt.timedelta(days=1)
            # On the last day of the file entries are missing, so it proves no missed payment.
            if not paid_days & {due, grace} and grace <= bank.last_complete_day:
                missed = cr.RepaymentMissed(
                    business_date=grace,
                    facility_id=facility,
                    instalment_no=number,
                    due_date=due,
                    outstanding=total,
                    currency=CURRENCY,
                    dpd_start=due,
                )
                yield Timed(self._at(grace, 23, 59, 58), owner, missed, True, False)

    def _repayments(
        self, row: dict[str, str], owner: str, payments: list[tuple[dt.datetime, Entry]]
    ) -> Iterator[Timed]:
        facility = f"LOAN-{row['loan_id']}"
        for time, entry in payments:
            amount = money_text(entry.amount)
            made = cr.RepaymentMade(
                business_date=entry.date,
                facility_id=facility,
                payment_id=entry.trans_id,
                paid_at=time,
                amount=amount,
                currency=CURRENCY,
                allocation=cr.Allocation(principal=amount),
                source_account=entry.account_id,
            )
            yield Timed(time + dt.timedelta(seconds=1), owner, made, False, False)

    def _penalties(
        self, account: str, entries: list[Entry], loan: dict[str, str] | None, owner: str
    ) -> Iterator[Timed]:
        """One fact per day: the business key of a penalty is its facility and day."""
        days: dict[dt.date, tuple[dt.datetime, int]] = {}
        for time, entry in self._timed_entries(entries):
            if entry.symbol == "SANKC. UROK":
                days[entry.date] = (time, days.get(entry.date, (time, 0))[1] + entry.amount)
        for day, (time, amount) in days.items():
            on_loan = loan is not None and _date(loan["date"]) <= day
            data = cr.PenaltyInterestCharged(
                business_date=day,
                facility_id=f"LOAN-{loan['loan_id']}" if on_loan and loan else f"OD-{account}",
                amount=money_text(amount),
                currency=CURRENCY,
                account_id=account,
            )
            yield Timed(time + dt.timedelta(seconds=1), owner, data, False, False)


class Bank:
    """The files, read once; entries per account are in balance-chain order."""

    def __init__(self, folder: Path, entries: Sequence[Entry]) -> None:
        self.accounts = read_rows(folder / "account.asc")
        self.clients = read_rows(folder / "client.asc")
        self.dispositions = read_rows(folder / "disp.asc")
        self.orders = read_rows(folder / "order.asc")
        self.cards = read_rows(folder / "card.asc")
        self.loans = read_rows(folder / "loan.asc")
        self.opened = {row["account_id"]: _date(row["date"]) for row in self.accounts}
        self.disposition = {row["disp_id"]: row for row in self.dispositions}
        self.owner = {
            row["account_id"]: row["client_id"]
            for row in self.dispositions
            if row["type"] == "OWNER"
        }
        self._mandates = {
            row["account_id"]: _money(row["amount"])
            for row in self.orders
            if row["k_symbol"] == "UVER"
        }
        self.last_day = max(entry.date for entry in entries)
        self.last_complete_day = self.last_day - dt.timedelta(days=1)
        """The file breaks off within its last day, so only the days before are whole."""
        self.entries = _by_account(entries)

    def granted(self, loan: dict[str, str]) -> dt.date:
        """The day of a loan's grant."""
        return _date(loan["date"])

    def instalment(self, loan: dict[str, str]) -> int:
        """What falls due each month. The loan table rounds it to whole units; the mandate that
        pays it has the exact amount."""
        rounded = _money(loan["payments"])
        exact = self._mandates.get(loan["account_id"], rounded)
        return exact if abs(exact - rounded) <= ROUNDING else rounded


def complete_entries(folder: Path) -> list[Entry]:
    """Every entry of every account of the first fifteen months."""
    return [_entry(row) for row in read_rows(folder / TRANSACTIONS)]


def in_chain_order(opening: int, entries: list[Entry]) -> list[Entry] | None:
    """The order of one day's entries in which every balance follows from the one before.

    `opening` is the balance before the day. None when there is no such order.
    """
    if not entries:
        return []
    followers = sorted(
        (abs(entry.balance - entry.signed - opening), i)
        for i, entry in enumerate(entries)
        if abs(entry.balance - entry.signed - opening) <= CHAIN_TOLERANCE
    )
    tried: set[tuple[int, int]] = set()
    for _, i in followers:
        step = (entries[i].signed, entries[i].balance)
        if step in tried:
            continue  # entries that look alike lead to the same end
        tried.add(step)
        rest = in_chain_order(entries[i].balance, entries[:i] + entries[i + 1 :])
        if rest is not None:
            return [entries[i], *rest]
    return None


def due_dates(granted: dt.date, months: int) -> list[dt.date]:
    """The due dates of a loan: the 12th of each month, the first one strictly after the grant."""
    first = granted.replace(day=DUE_DAY)
    offset = 0 if first > granted else 1
    start = granted.year * 12 + granted.month - 1 + offset
    return [dt.date(m // 12, m % 12 + 1, DUE_DAY) for m in range(start, start + months)]


def birth_and_sex(number: str) -> tuple[dt.date, Literal["F", "M"]]:
    """YYMMDD with the month plus 50 for women -> (birth date, F or M)."""
    year, month, day = 1900 + int(number[:2]), int(number[2:4]), int(number[4:6])
    return dt.date(year, month - 50 if month > 50 else month, day), "F" if month > 50 else "M"


def _by_account(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    by_day: dict[str, dict[dt.date, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        by_day[entry.account_id][entry.date].append(entry)
    ordered: dict[str, list[Entry]] = {}
    for account, days in by_day.items():
        chain: list[Entry] = []
        for day in sorted(days):
            opening = chain[-1].balance if chain else 0
            as_listed = sorted(days[day], key=lambda entry: int(entry.trans_id))
            chain += in_chain_order(opening, as_listed) or as_listed
        ordered[account] = chain
    return ordered


def _posted(entry: Entry, time: dt.datetime) -> ac.TransactionPosted:
    by_bank = entry.symbol in _BY_BANK
    return ac.TransactionPosted(
        business_date=entry.date,
        account_id=entry.account_id,
        transaction_id=entry.trans_id,
        amount=money_text(entry.amount),
        currency=CURRENCY,
        credit_debit_indicator="CRDT" if entry.credit else "DBIT",
        booking_datetime=time,
        initiator="BANK" if by_bank else "CUSTOMER",
        # Fees and penalties are booked as withdrawals, but no cash moves.
        is_cash=entry.operation in ("VKLAD", "VYBER", "VYBER KARTOU") and not by_bank,
        bank_transaction_code=_CODES[entry.operation],
        counterparty=_counterparty(entry.bank, entry.account),
        purpose=_PURPOSE.get(entry.symbol.strip()),
        balance_after=money_text(entry.balance),
    )


def _snapshot(account: str, day: dt.date, balance: int) -> ac.BalanceSnapshot:
    return ac.BalanceSnapshot(
        business_date=day,
        account_id=account,
        balance_type="CLBD",
        amount=money_text(abs(balance)),
        credit_debit_indicator="DBIT" if balance < 0 else "CRDT",
        currency=CURRENCY,
    )


def _matches(order: dict[str, str], entry: Entry) -> bool:
    """Whether an entry pays an order: that amount to that recipient. The symbol is left out of
    it, since some payments of an order carry none."""
    return (
        not entry.credit
        and entry.amount == _money(order["amount"])
        and (entry.bank, entry.account) == (order["bank_to"], order["account_to"])
    )


def _standing_order(order: dict[str, str], entry: Entry) -> ac.StandingOrderSet:
    return ac.StandingOrderSet(
        business_date=entry.date,
        standing_order_id=order["order_id"],
        version=1,
        account_id=order["account_id"],
        amount=money_text(_money(order["amount"])),
        currency=CURRENCY,
        frequency="MNTH",
        first_payment_date=entry.date,
        counterparty=_counterparty(order["bank_to"], order["account_to"]),
        purpose=_PURPOSE.get(order["k_symbol"].strip()),
    )


def _counterparty(bank: str, account: str) -> ac.Counterparty | None:
    if not account:
        return None
    digest = hashlib.sha256(f"{bank}/{account}".encode()).hexdigest()[:16]
    return ac.Counterparty(account_hash=digest, bank_id=bank or None)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a `;`-separated file. A last line that was cut off is left out, with a note; any
    other line with too few or too many fields is a UsageError that names it."""
    text = path.read_text(encoding="latin-1")
    names, *lines = csv.reader(text.removesuffix("\n").split("\n"), delimiter=";")
    # A line without its end may be cut within its last field, which looks whole.
    if lines and (len(lines[-1]) < len(names) or not text.endswith("\n")):
        log.warning("%s: line %d is cut off and was left out", path.name, len(lines) + 1)
        lines.pop()
    for number, line in enumerate(lines, start=2):
        if len(line) != len(names):
            raise UsageError(
                f"{path} line {number} has {len(line)} fields instead of {len(names)}: "
                "take the original file."
            )
    return [dict(zip(names, line, strict=True)) for line in lines]


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        row["trans_id"],
        row["account_id"],
        _date(row["date"]),
        row["type"] == "PRIJEM",
        row["operation"],
        _money(row["amount"]),
        _money(row["balance"]),
        row["k_symbol"],
        row["bank"],
        row["account"],
    )


def _date(text: str) -> dt.date:
    return dt.date(1900 + int(text[:2]), int(text[2:4]), int(text[4:6]))


def _money(text: str) -> int:
    """Plain decimal text ("-8033.00") -> ten-thousandths."""
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    return sign * int(whole + fraction.ljust(4, "0")[:4])
