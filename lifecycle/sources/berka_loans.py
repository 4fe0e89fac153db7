"""The loans of the Berka bank with what was known before them: for the credit model and its test.

Entries are those of the decoded sample of six years, which has about half of them; of some loans all that
came before are there (`loan_history_coverage.csv`). Outcomes never become events.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifecycle.errors import UsageError
from lifecycle.sources.berka import Bank, BerkaSource, Entry, Timed, due_dates, read_rows

HISTORIES = "trans_sample.parquet"
UNITS = 10_000
"""Money is counted in ten-thousandths."""
BAD = ("B", "D")
"""Finished unpaid, and running in debt."""
PENALTY = "SANKC. UROK"


class GrantedLoan(NamedTuple):
    """A loan, and how it ended or stands; `bad` is None where that is not told."""

    loan_id: str
    client_id: str
    granted: dt.date
    bad: bool | None
    trouble: dt.date | None = None
    """The first day after the grant on which an entry shows the account below zero or charged with
    penalty interest. Not looked for where the outcome is not told: it would tell it."""


class BerkaLoans(BerkaSource):
    """Clients, accounts, cards, entries and applications of the accounts that got a loan."""

    def __init__(self, folder: Path, timezone: ZoneInfo) -> None:
        super().__init__(folder, timezone)
        if not (folder / HISTORIES).is_file():
            raise UsageError(
                f"The entries before the loans are not in {folder} ({HISTORIES} missing): set "
                "BERKA_DIR to the folder that holds them."
            )
        self._bank = Bank(folder, _entries(folder))

    def granted(self) -> list[GrantedLoan]:
        """Every loan, in the order of the grants."""
        loans = [self._loan(row) for row in self._bank.loans]
        return sorted(loans, key=lambda loan: (loan.granted, loan.loan_id))

    def _loan(self, row: dict[str, str]) -> GrantedLoan:
        bank, account = self._bank, row["account_id"]
        status, granted = row.get("status", "").strip(), bank.granted(row)
        loan = GrantedLoan(row["loan_id"], bank.owner[account], granted, None)
        if not status:
            return loan
        return loan._replace(
            bad=status in BAD, trouble=_trouble(bank.entries.get(account, []), granted)
        )

    def _read(self) -> list[Timed]:
        bank = self._bank
        applications = [
            fact for row in bank.loans for fact in self._granted(row, bank.owner[row["account_id"]])
        ]
        facts = [
            *self._clients(bank),
            *self._accounts(bank),
            *self._entries(bank),
            *self._cards(bank),
            *applications,
        ]
        return sorted(facts, key=lambda fact: fact.time)


class BerkaLoanLives(BerkaLoans):
    """The same, with what became of the loans: repayments, and penalty interest of their accounts.

    What fell due is not told: half of the entries are missing, so that nobody can say what was missed.
    """

    @property
    def last_day(self) -> dt.date:
        """The day of the newest entry."""
        return self._bank.last_day

    def ends(self) -> dict[str, dt.date]:
        """Loan id -> the day its last instalment falls due."""
        bank = self._bank
        return {
            row["loan_id"]: due_dates(bank.granted(row), int(row["duration"]))[-1]
            for row in bank.loans
        }

    def _read(self) -> list[Timed]:
        bank = self._bank
        loans = {row["account_id"]: row for row in bank.loans}
        facts = super()._read()
        for account, row in loans.items():
            facts += self._repayments(row, bank.owner[account], self._payments(row, bank))
        for account, entries in bank.entries.items():
            facts += self._penalties(account, entries, loans[account], bank.owner[account])
        return sorted(facts, key=lambda fact: fact.time)


def _trouble(entries: list[Entry], granted: dt.date) -> dt.date | None:
    """The day of the first entry after a grant that tells of an account below zero."""
    days = (e.date for e in entries if e.balance < 0 or e.symbol == PENALTY)
    return next((day for day in days if day > granted), None)


def _entries(folder: Path) -> list[Entry]:
    """The entries of borrowers in the decoded sample: whole days, amounts as decimal numbers."""
    borrowers = pa.array([int(row["account_id"]) for row in read_rows(folder / "loan.asc")])
    rows = pq.read_table(folder / HISTORIES, filters=pc.field("account_id").isin(borrowers))
    return [
        Entry(
            str(row["trans_id"]),
            str(row["account_id"]),
            row["date"],
            row["type"] == "PRIJEM",
            row["operation"] or "",
            round(row["amount"] * UNITS),
            round(row["balance"] * UNITS),
            row["k_symbol"] or "",
            row["bank"] or "",
            str(row["account"] or ""),
        )
        for row in rows.to_pylist()
    ]
