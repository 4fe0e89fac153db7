"""Which clients a text of conditions means."""

from __future__ import annotations

import pytest

from lifecycle.clients.selection import conditions
from lifecycle.errors import UsageError

CLIENT = {"state": "ACTIVE", "aum": "1200.50", "dsti": None, "product_set": "CACC;CARD", "age": "9"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("state = ACTIVE", True),
        ("state != ACTIVE", False),
        ("aum > 1200", True),
        ("aum>=1200.5", True),
        ("aum < 1200.50", False),
        ("age < 10", True),
        ("dsti < 9", False),
        ("dsti >= 0", False),
        ("state = ACTIVE and aum < 5000", True),
        ("state = ACTIVE and aum < 5", False),
        ("product_set = CACC;CARD", True),
        ("household_size > 1", False),
    ],
)
def test_a_client_is_meant_when_every_condition_holds(text: str, expected: bool) -> None:
    assert all(condition.holds(CLIENT) for condition in conditions(text)) is expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("aum", "is no condition"),
        ("aum > 1 or age > 2", "is no condition"),
        ("wealth > 1", "no attribute 'wealth'"),
        ("aum > much", "is a number"),
        ("aum > NaN", "is a number"),
        ("aum > Infinity", "is a number"),
        ("state = ACTIVE and", "is no condition"),
        ("aum; drop table client_profile", "is no condition"),
    ],
)
def test_what_is_no_condition_is_said_in_one_sentence(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        conditions(text)
