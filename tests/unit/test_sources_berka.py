"""What Berka's tables become: whose stream, when, and that nothing is told before it is known."""

from __future__ import annotations

import csv
import datetime as dt
import logging
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.errors import UsageError
from lifecycle.events import Outgoing, decode
from lifecycle.sources.berka import TABLES, TRANSACTIONS, BerkaSource, Entry, in_chain_order
from tests import small_berka
from tests.conftest import BERKA, needs_berka

ZONE = ZoneInfo("Europe/Prague")
ROWS = small_berka.FILES[TRANSACTIONS]
PARTIAL_DAY = dt.date(1994, 3, 31)


def replay(folder: Path, last: dt.date | None = None) -> list[Outgoing]:
    return list(BerkaSource(folder, ZONE).events(None, last))


def facts(events: Iterable[Outgoing], fact: str) -> list[tuple[str, dt.datetime, Any]]:
    """(client, time, data) of every event of one type."""
    return [
        (e.key, e.time, decode(e.value, e.key.encode(), e.topic, 0, 0).data)
        for e in events
        if e.type == f"bank.{fact}.v1"
    ]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[Outgoing]:
    return replay(small_berka.write(tmp_path_factory.mktemp("berka")))


# --- whose stream -----------------------------------------------------------------------------


def test_everyone_is_registered_when_their_first_account_opens(small: list[Outgoing]) -> None:
    registered = {
        client: (data.business_date, data.birth_date, data.sex)
        for client, _, data in facts(small, "client.registered")
    }
    assert registered == {
        "1": (dt.date(1993, 1, 5), dt.date(1945, 2, 4), "M"),
        "2": (dt.date(1993, 1, 5), dt.date(1970, 12, 13), "F"),
        "3": (dt.date(1993, 2, 10), dt.date(1960, 1, 1), "M"),
    }


def test_a_second_person_is_told_on_the_stream_of_the_owner(small: list[Outgoing]) -> None:
    added = [
        (client, d.client_id, d.account_id) for client, _, d in facts(small, "account.party_added")
    ]
    assert sorted(added) == [("1", "2", "10"), ("3", "2", "11")]
    accounts = {d.account_id: client for client, _, d in facts(small, "account.transaction_posted")}
    assert accounts == {"10": "1", "11": "3"}


def test_sequence_counts_each_clients_facts(small: list[Outgoing]) -> None:
    numbers = defaultdict(list)
    for event in small:
        numbers[event.key].append(int(event.value.split(b'"sequence":"')[1].split(b'"')[0]))
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


# --- entries and balances ---------------------------------------------------------------------


def test_entries_of_a_day_follow_the_balance_chain(small: list[Outgoing]) -> None:
    day = [
        (d.transaction_id, d.balance_after, time.time())
        for client, time, d in facts(small, "account.transaction_posted")
        if client == "1" and d.business_date == dt.date(1993, 2, 10)
    ]
    assert day == [("5", "300.00", dt.time(9, 1)), ("4", "-300.00", dt.time(9, 2))]


def test_a_day_with_entries_ends_with_its_balance(small: list[Outgoing]) -> None:
    closing = {
        (d.account_id, d.business_date): (d.credit_debit_indicator, d.amount, time.time())
        for _, time, d in facts(small, "account.balance_snapshot")
    }
    night = dt.time(23, 59, 59)
    assert closing["10", dt.date(1993, 2, 10)] == ("DBIT", "300.00", night)
    assert closing["10", dt.date(1993, 7, 12)] == ("CRDT", "96.70", night)
    entries = facts(small, "account.transaction_posted")
    assert set(closing) == {(d.account_id, d.business_date) for _, _, d in entries}


@pytest.mark.parametrize(
    ("entry", "side", "code", "purpose", "initiator", "cash"),
    [
        ("1", "CRDT", "PMNT-CNTR-CDPT", None, "CUSTOMER", True),
        ("2", "DBIT", "PMNT-CNTR-CWDL", None, "CUSTOMER", True),
        ("5", "CRDT", "PMNT-RCDT-DMCT", "PENS", "CUSTOMER", False),
        ("7", "DBIT", "PMNT-CNTR-CWDL", "PENALTY", "BANK", False),
        ("9", "DBIT", "PMNT-ICDT-DMCT", "HOUSEHOLD", "CUSTOMER", False),
        ("11", "DBIT", "PMNT-ICDT-DMCT", "LOAN", "CUSTOMER", False),
        ("12", "DBIT", "PMNT-CNTR-CWDL", "FEES", "BANK", False),
        ("14", "CRDT", "ACMT-MCOP-INTR", "INTE", "BANK", False),
    ],
)
def test_codes_of_an_entry(
    small: list[Outgoing],
    entry: str,
    side: str,
    code: str,
    purpose: str | None,
    initiator: str,
    cash: bool,
) -> None:
    (data,) = (
        d for _, _, d in facts(small, "account.transaction_posted") if d.transaction_id == entry
    )
    iso = data.bank_transaction_code
    assert (data.credit_debit_indicator, f"{iso.domain}-{iso.family}-{iso.sub_family}") == (
        side,
        code,
    )
    assert (data.purpose, data.initiator, data.is_cash) == (purpose, initiator, cash)


@settings(max_examples=40)
@given(st.lists(st.integers(-500_000, 500_000).filter(bool), min_size=1, max_size=7), st.randoms())
def test_any_shuffled_day_comes_out_as_a_chain(amounts: list[int], shuffle: Any) -> None:
    """`amounts` in hundredths; the sum stands in the file, the order is lost."""
    balance, rows = 0, []
    for number, amount in enumerate(amounts, start=1):
        balance += amount
        kind = '"PRIJEM";"VKLAD"' if amount > 0 else '"VYDAJ";"VYBER"'
        money = f"{abs(amount) / 100:.2f};{balance / 100:.2f}"
        rows.append(f'{number};10;930105;{kind};{money};"";;')
    shuffle.shuffle(rows)
    with tempfile.TemporaryDirectory() as folder:
        events = replay(small_berka.write(Path(folder), trans=[ROWS[0], *rows, ROWS[-1]]))
    before = Decimal(0)
    for client, _, data in facts(events, "account.transaction_posted"):
        if client == "1":
            sign = 1 if data.credit_debit_indicator == "CRDT" else -1
            assert abs(before + sign * Decimal(data.amount) - Decimal(data.balance_after)) <= 1
            before = Decimal(data.balance_after)


def test_a_long_day_of_equal_amounts_is_judged_at_once() -> None:
    """Ten times in and out, and one entry that nothing leads to: 10! squared orders look alike."""
    day = dt.date(1993, 1, 5)
    moves = [
        Entry(
            str(n), "10", day, n % 2 == 0, "VKLAD", 1_000_000, (n + 1) % 2 * 1_000_000, "", "", ""
        )
        for n in range(20)
    ]
    assert in_chain_order(0, moves) is not None
    stray = moves[0]._replace(trans_id="20", balance=99_000_000)
    assert in_chain_order(0, [*moves, stray]) is None


# --- orders and loans -------------------------------------------------------------------------


def test_a_standing_order_is_known_from_its_first_payment(small: list[Outgoing]) -> None:
    """Not from cash of the same amount; orders never paid, or that pay a loan, are not told."""
    orders = [
        (d.standing_order_id, d.business_date, d.purpose)
        for _, _, d in facts(small, "account.standing_order_set")
    ]
    assert orders == [("100", dt.date(1993, 2, 5), "HOUSEHOLD")]


def test_instalments_due_made_and_missed(small: list[Outgoing]) -> None:
    """The one of 12 September is not called missed: its grace ends on the last day of the file,
    which is not whole."""
    due = [
        (d.instalment_no, d.due_date, d.total) for _, _, d in facts(small, "credit.repayment_due")
    ]
    assert due == [
        (1, dt.date(1993, 7, 12), "100.20"),
        (2, dt.date(1993, 8, 12), "100.20"),
        (3, dt.date(1993, 9, 12), "100.20"),
    ]
    (made,) = facts(small, "credit.repayment_made")
    assert (made[2].facility_id, made[2].amount, made[2].payment_id) == ("LOAN-5", "100.20", "11")
    (missed,) = facts(small, "credit.repayment_missed")
    assert (missed[2].business_date, missed[2].due_date) == (
        dt.date(1993, 8, 13),
        dt.date(1993, 8, 12),
    )
    assert missed[2].outstanding == "100.20"
    on_the_day = [e.type for e in small if e.time.date() == dt.date(1993, 7, 12)]
    assert on_the_day.index("bank.credit.repayment_due.v1") < on_the_day.index(
        "bank.credit.repayment_made.v1"
    )


def test_penalty_interest_is_the_overdrafts_until_there_is_a_loan(small: list[Outgoing]) -> None:
    penalties = [
        (d.facility_id, d.account_id, d.business_date, d.amount)
        for _, _, d in facts(small, "credit.penalty_interest_charged")
    ]
    assert penalties == [
        ("OD-10", "10", dt.date(1993, 2, 11), "3.10"),  # two entries of one day
        ("LOAN-5", "10", dt.date(1993, 8, 15), "0.50"),
    ]


def test_the_application_is_marked_as_made_up(small: list[Outgoing]) -> None:
    marked = {e.type for e in small if b'"synthetic":true' in e.value}
    assert marked == {"bank.credit.application_submitted.v1"}


# --- nothing before its time ------------------------------------------------------------------


@pytest.mark.parametrize("status", ["A", "C", ""])
def test_the_outcome_of_a_loan_changes_no_event(
    tmp_path: Path, small: list[Outgoing], status: str
) -> None:
    loans = [line.replace('"B"', f'"{status}"') for line in small_berka.FILES["loan.asc"]]
    assert replay(small_berka.write(tmp_path, loan=loans)) == small


DATE_COLUMN = {"account.asc": 3, "card.asc": 3, "loan.asc": 2, TRANSACTIONS: 2}


def as_known_on(day: dt.date, source: Path, target: Path) -> Path:
    """A folder without any row dated after `day`, and without what hangs on such a row."""
    target.mkdir()
    accounts: set[str] = set()
    for name in TABLES:
        head, *lines = (source / name).read_text(encoding="latin-1").splitlines()
        if name in DATE_COLUMN:
            dated = DATE_COLUMN[name]
            lines = [
                x for x in lines if x.split(";")[dated].replace('"', "")[:6] <= f"{day:%y%m%d}"
            ]
        if name == "account.asc":
            accounts = {x.split(";")[0] for x in lines}
        if name in ("disp.asc", "order.asc"):
            column = 2 if name == "disp.asc" else 1
            lines = [x for x in lines if x.split(";")[column] in accounts]
        if name == "disp.asc":
            known = {x.split(";")[1] for x in lines}
        (target / name).write_text("\n".join([head, *lines]) + "\n", encoding="latin-1")
    head, *lines = (target / "client.asc").read_text(encoding="latin-1").splitlines()
    lines = [x for x in lines if x.split(";")[0] in known]
    (target / "client.asc").write_text("\n".join([head, *lines]) + "\n", encoding="latin-1")
    return target


@pytest.mark.parametrize("last", [dt.date(1993, 2, 10), dt.date(1993, 7, 12), dt.date(1993, 8, 15)])
def test_what_comes_later_changes_nothing_before(
    tmp_path: Path, small: list[Outgoing], last: dt.date
) -> None:
    """A bank that ends on `last` tells the same facts of the days before it, byte for byte."""
    whole = small_berka.write(tmp_path / "whole")
    before = last - dt.timedelta(days=1)
    told = replay(as_known_on(last, whole, tmp_path / "then"), before)
    assert told == replay(whole, before)
    assert 0 < len(told) < len(small)


# --- files that are not as published ----------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, len(ROWS[-1]) + 2, 3))
def test_a_last_line_that_is_cut_is_left_out_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: int
) -> None:
    whole = replay(small_berka.write(tmp_path / "without", trans=ROWS[:-1]))
    folder = small_berka.write(tmp_path / "cut")
    path = folder / TRANSACTIONS
    path.write_bytes(path.read_bytes()[: -cut - 1])
    with caplog.at_level(logging.WARNING):
        assert replay(folder) == whole
    assert TRANSACTIONS in caplog.text
    assert f"line {len(ROWS)}" in caplog.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"trans": [*ROWS[:3], "7;10;93", *ROWS[3:]]}, "line 4 has 3 fields instead of 10"),
        ({"trans": [ROWS[0], ROWS[1].replace("930105", "931305"), ROWS[2]]}, "ValueError"),
        ({"trans": [ROWS[0], ROWS[1].replace("VKLAD", "GIFT"), ROWS[2]]}, "GIFT"),
        ({"account": small_berka.FILES["account.asc"][:1]}, "KeyError"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, changed: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        replay(small_berka.write(tmp_path, **changed))


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_table_is_named(tmp_path: Path, table: str) -> None:
    folder = small_berka.write(tmp_path)
    (folder / table).unlink()
    with pytest.raises(UsageError, match=rf"{table}.*BERKA_DIR"):
        BerkaSource(folder, ZONE)


# --- the real data ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> list[Outgoing]:
    return replay(BERKA)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (BERKA / TRANSACTIONS).open(newline="", encoding="latin-1") as file:
        return list(csv.DictReader(file, delimiter=";"))


@pytest.fixture(scope="module")
def owner() -> dict[str, str]:
    with (BERKA / "disp.asc").open(newline="", encoding="latin-1") as file:
        disps = list(csv.DictReader(file, delimiter=";"))
    return {row["account_id"]: row["client_id"] for row in disps if row["type"] == "OWNER"}


@needs_berka
def test_every_row_is_an_entry_of_its_day(real: list[Outgoing], rows: list[dict[str, str]]) -> None:
    posted = facts(real, "account.transaction_posted")
    assert Counter(f"{d.business_date:%y%m%d}" for _, _, d in posted) == Counter(
        row["date"] for row in rows
    )
    by_id = {d.transaction_id: (d.account_id, Decimal(d.amount)) for _, _, d in posted}
    assert by_id == {r["trans_id"]: (r["account_id"], Decimal(r["amount"])) for r in rows}


@needs_berka
def test_the_chain_holds_for_all_but_the_last_truncated_day(real: list[Outgoing]) -> None:
    balance: dict[str, Decimal] = defaultdict(Decimal)
    breaks = Counter()
    for _, _, data in facts(real, "account.transaction_posted"):
        after = Decimal(data.balance_after)
        sign = 1 if data.credit_debit_indicator == "CRDT" else -1
        step = balance[data.account_id] + sign * Decimal(data.amount)
        breaks[data.business_date] += abs(step - after) > Decimal("0.1")
        balance[data.account_id] = after
    assert {day for day, found in breaks.items() if found} <= {PARTIAL_DAY}
    assert sum(breaks.values()) <= 30


@needs_berka
def test_overdrawn_clients_are_those_of_the_file(
    real: list[Outgoing], rows: list[dict[str, str]], owner: dict[str, str]
) -> None:
    told = {c for c, _, d in facts(real, "account.transaction_posted") if d.balance_after[0] == "-"}
    assert told == {owner[row["account_id"]] for row in rows if row["balance"][0] == "-"} != set()


@needs_berka
def test_missed_instalments_are_those_of_the_file(
    real: list[Outgoing], rows: list[dict[str, str]]
) -> None:
    """Asked of the tables directly: a 12th without a loan payment on it or on the 13th."""
    paid = {(r["account_id"], r["date"]) for r in rows if r["k_symbol"] == "UVER"}
    with (BERKA / "loan.asc").open(newline="", encoding="latin-1") as file:
        loans = list(csv.DictReader(file, delimiter=";"))
    twelfths = [f"{y}{m:02d}12" for y in (93, 94) for m in range(1, 13) if (y, m) <= (94, 3)]
    expected = {
        (f"LOAN-{loan['loan_id']}", day)
        for loan in loans
        for day in twelfths
        if loan["date"] < day
        and not paid & {(loan["account_id"], day), (loan["account_id"], day[:4] + "13")}
    }
    told = {
        (d.facility_id, f"{d.due_date:%y%m%d}")
        for _, _, d in facts(real, "credit.repayment_missed")
    }
    assert told == expected
    assert len(told) == 8


@needs_berka
@pytest.mark.parametrize("last", [dt.date(1993, 10, 13), dt.date(1994, 2, 12)])
def test_the_real_bank_tells_nothing_before_its_time(tmp_path: Path, last: dt.date) -> None:
    before = last - dt.timedelta(days=1)
    assert replay(as_known_on(last, BERKA, tmp_path / "then"), before) == replay(BERKA, before)


@needs_berka
def test_other_outcomes_give_the_same_events(tmp_path: Path, real: list[Outgoing]) -> None:
    for name in TABLES:
        shutil.copy(BERKA / name, tmp_path / name)
    loans = (BERKA / "loan.asc").read_text(encoding="latin-1")
    (tmp_path / "loan.asc").chmod(0o644)
    (tmp_path / "loan.asc").write_text(loans.replace('"B"', '"A"'), encoding="latin-1")
    assert replay(tmp_path) == real
