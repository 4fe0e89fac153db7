"""The Berka mapping: the order of a day, due dates, and the real data when they are here."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import UsageError
from lifecycle.events import Outgoing
from lifecycle.sources.berka import BerkaSource, Entry, birth_and_sex, due_dates, in_chain_order
from tests.conftest import BERKA, needs_berka

ZONE = ZoneInfo("Asia/Shanghai")
UNIT = 10_000


def entry(number: int, signed: int, balance: int) -> Entry:
    return Entry(
        str(number),
        "1",
        dt.date(1993, 1, 5),
        signed > 0,
        "VKLAD",
        abs(signed),
        balance,
        "",
        "",
        "",
    )


@given(st.lists(st.integers(10 * UNIT, 10**6 * UNIT), min_size=1, max_size=6), st.randoms())
def test_any_shuffled_day_is_put_back_into_a_chain(amounts: list[int], random: object) -> None:
    balance, day = 0, []
    for number, amount in enumerate(amounts):
        signed = amount if number % 3 else -amount
        balance += signed
        day.append(entry(number, signed, balance))
    shuffled = list(day)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ordered = in_chain_order(0, shuffled)
    assert ordered is not None
    before = 0
    for one in ordered:
        assert abs(before + one.signed - one.balance) <= UNIT
        before = one.balance


def test_a_day_that_does_not_chain_has_no_order() -> None:
    assert in_chain_order(0, [entry(1, 5 * UNIT, 100 * UNIT)]) is None


@pytest.mark.parametrize(
    ("granted", "first"),
    [
        (dt.date(1993, 7, 5), dt.date(1993, 7, 12)),
        (dt.date(1993, 7, 12), dt.date(1993, 8, 12)),
        (dt.date(1993, 12, 30), dt.date(1994, 1, 12)),
    ],
)
def test_instalments_fall_due_on_the_twelfth(granted: dt.date, first: dt.date) -> None:
    dues = due_dates(granted, 12)
    assert (dues[0], len(dues), {d.day for d in dues}) == (first, 12, {12})


@pytest.mark.parametrize(
    ("number", "born", "sex"),
    [("706213", dt.date(1970, 12, 13), "F"), ("450204", dt.date(1945, 2, 4), "M")],
)
def test_birth_numbers(number: str, born: dt.date, sex: str) -> None:
    assert birth_and_sex(number) == (born, sex)


def test_a_folder_without_the_data_is_named(tmp_path: object) -> None:
    with pytest.raises(UsageError, match="BERKA_DIR"):
        BerkaSource(tmp_path, ZONE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def events() -> list[Outgoing]:
    return list(BerkaSource(BERKA, ZONE).events(None, None))


@needs_berka
def test_every_fact_of_the_data_is_an_event(events: list[Outgoing]) -> None:
    counts = Counter(e.type.removeprefix("bank.").removesuffix(".v1") for e in events)
    assert counts["account.transaction_posted"] == 49_102
    assert counts["client.registered"] == 5_369
    assert counts["account.opened"] == 4_500
    assert counts["account.party_added"] == 869
    assert counts["card.issued"] == 892
    assert counts["credit.disbursed"] == 682
    assert (counts["credit.repayment_due"], counts["credit.repayment_made"]) == (131, 123)
    assert counts["credit.repayment_missed"] == 8


@needs_berka
def test_no_outcome_is_told_and_ids_are_unique(events: list[Outgoing]) -> None:
    assert len({e.id for e in events}) == len(events)
    times = [e.time for e in events]
    assert times == sorted(times)
    loans = [e.value for e in events if e.type.startswith("bank.credit")]
    assert not any(b'"status"' in value for value in loans)


@needs_berka
def test_replaying_again_gives_the_same_bytes(events: list[Outgoing]) -> None:
    again = BerkaSource(BERKA, ZONE).events(None, None)
    assert all(one.value == other.value for one, other in zip(again, events, strict=True))
