"""Identifiers: published example numbers, and that no single wrong character gets through."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.clients.identifiers import credit_code_faults, resident_id_faults

WOMAN = "11010519491231002X"  # both are examples of GB 11643-1999
MAN = "440524188001010014"
CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize(
    ("number", "born", "sex", "faults"),
    [
        (WOMAN, dt.date(1949, 12, 31), "F", []),
        (MAN, dt.date(1880, 1, 1), "M", []),
        (WOMAN, None, None, []),
        (WOMAN, dt.date(1949, 12, 31), "X", []),
        (WOMAN, dt.date(1949, 12, 30), "F", ["BIRTH_DATE"]),
        (WOMAN, dt.date(1949, 12, 31), "M", ["SEX"]),
        (MAN, dt.date(1880, 1, 1), "F", ["SEX"]),
        (WOMAN[:-1] + "1", None, None, ["CHECK_CHARACTER"]),
        ("110105194912310020", dt.date(1950, 1, 1), "M", ["CHECK_CHARACTER", "BIRTH_DATE", "SEX"]),
        (WOMAN[:-1] + "x", None, None, ["FORMAT"]),
        (WOMAN[:-1], None, None, ["FORMAT"]),
        (WOMAN + "\n", None, None, ["FORMAT"]),
        ("0" + WOMAN[1:], None, None, ["FORMAT"]),
        ("１" + WOMAN[1:], None, None, ["FORMAT"]),
        ("", None, None, ["FORMAT"]),
    ],
)  # fmt: skip
def test_resident_id(number: str, born: dt.date | None, sex: str | None, faults: list[str]) -> None:
    assert resident_id_faults(number, born, sex) == faults  # type: ignore[arg-type]


def test_a_day_that_never_was_is_no_date_of_birth() -> None:
    assert resident_id_faults(with_check_character("11010519490230002")) == ["BIRTH_DATE"]


def with_check_character(digits: str) -> str:
    """By the standard's table of weights, which the code under test does not use."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=True))
    return digits + "10X98765432"[total % 11]


resident_ids = st.builds(
    lambda region, born, order: with_check_character(f"{region}{born:%Y%m%d}{order:03d}"),
    st.integers(110_000, 919_999),
    st.dates(dt.date(1900, 1, 1), dt.date(2030, 1, 1)),
    st.integers(0, 999),
)


@given(resident_ids)
def test_a_number_with_its_check_character_holds(number: str) -> None:
    assert resident_id_faults(number) == []


@given(resident_ids, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(number: str, place: int, step: int) -> None:
    digit = str((int(number[place]) + step) % 10)
    faults = resident_id_faults(number[:place] + digit + number[place + 1 :])
    assert {"CHECK_CHARACTER", "FORMAT"} & set(faults)


@given(resident_ids, st.integers(0, 15))
def test_two_neighbours_in_the_wrong_order_are_noticed(number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert (resident_id_faults(swapped) == []) == (swapped == number)


@pytest.mark.parametrize(
    ("code", "faults"),
    [
        ("91350100M000100Y43", []),
        ("91110000600037341L", []),
        ("91110000600037342L", ["CHECK_CHARACTER"]),
        ("91350100M000100Y44", ["CHECK_CHARACTER"]),
        ("91350100M000100Y4", ["FORMAT"]),
        ("91350100I000100Y43", ["FORMAT"]),
        ("9135010AM000100Y43", ["FORMAT"]),
        ("91350100m000100Y43", ["FORMAT"]),
        ("", ["FORMAT"]),
    ],
)
def test_credit_code(code: str, faults: list[str]) -> None:
    assert credit_code_faults(code) == faults


@given(st.integers(0, 17), st.sampled_from(CODE_CHARACTERS))
def test_one_wrong_character_of_a_credit_code_is_noticed(place: int, character: str) -> None:
    code = "91350100M000100Y43"
    changed = code[:place] + character + code[place + 1 :]
    assert (credit_code_faults(changed) == []) == (changed == code)
