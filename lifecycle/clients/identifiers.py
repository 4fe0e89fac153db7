"""Identifiers of China: what does not hold in a resident id number or a social credit code.

A source checks the number where it stands in plain text and sends only the result (`id_check`).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal

Fault = Literal["FORMAT", "CHECK_CHARACTER", "BIRTH_DATE", "SEX"]


def resident_id_faults(
    number: str, birth_date: dt.date | None = None, sex: Literal["F", "M", "X"] | None = None
) -> list[Fault]:
    """What does not hold in a resident id number (GB 11643): 17 digits and a check character.

    The seventh to fourteenth digit are the date of birth, the seventeenth is odd for men. What is
    not known, or is neither F nor M, is not compared.
    """
    if not _RESIDENT_ID(number):
        return ["FORMAT"]
    born = _date(number[6:14])
    stated_sex = "M" if int(number[16]) % 2 else "F"
    holds: dict[Fault, bool] = {
        "CHECK_CHARACTER": _mod_11_2(number) == 1,
        "BIRTH_DATE": born is not None and birth_date in (None, born),
        "SEX": sex in (None, "X", stated_sex),
    }
    return [fault for fault, held in holds.items() if not held]


def credit_code_faults(code: str) -> list[Fault]:
    """What does not hold in a Unified Social Credit Code (GB 32100-2015): 18 characters, of which
    the last makes the sum weighted with powers of three a multiple of 31."""
    if not _CREDIT_CODE(code):
        return ["FORMAT"]
    weighted = sum(_CREDIT_CHARACTERS.index(c) * pow(3, i, 31) for i, c in enumerate(code[:-1]))
    return [] if (weighted + _CREDIT_CHARACTERS.index(code[-1])) % 31 == 0 else ["CHECK_CHARACTER"]


_CREDIT_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Digits and capitals without I, O, S, V and Z, which look like others."""

_RESIDENT_ID = re.compile(r"[1-9][0-9]{16}[0-9X]").fullmatch
_CREDIT_CODE = re.compile(
    rf"[{_CREDIT_CHARACTERS}]{{2}}[0-9]{{6}}[{_CREDIT_CHARACTERS}]{{10}}"
).fullmatch


def _mod_11_2(number: str) -> int:
    """ISO 7064 MOD 11-2 of a number with its check character, X for ten; 1 when it holds."""
    remainder = 0
    for character in number:
        remainder = (2 * remainder + "0123456789X".index(character)) % 11
    return remainder


def _date(digits: str) -> dt.date | None:
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
