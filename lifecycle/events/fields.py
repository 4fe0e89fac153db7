"""Field types shared by all events: what a value may look like on the wire.

Money is decimal text with at most four fractional digits; a JSON number is refused, so no
amount is ever a float. Codes are ISO 20022 where one exists, else UPPER_SNAKE.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# Python's `$` also matches before a final newline; `$(?!\n)` means the end, in JSON Schema too.
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Code = Annotated[str, Meta(min_length=1, max_length=40)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$(?!\n)", description="ISO 3166-1 alpha-2")]
Money = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,14}(\.[0-9]{1,4})?$(?!\n)", description="decimal text, never negative"),
]
SignedMoney = Annotated[
    str,
    Meta(
        pattern=r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$(?!\n)", description="decimal text, may be negative"
    ),
]
Rate = Annotated[
    str, Meta(pattern=r"^-?[0-9]{1,4}(\.[0-9]{1,8})?$(?!\n)", description="fraction per year")
]
Instant = Annotated[dt.datetime, Meta(tz=True, description="RFC 3339 with offset")]
Count = Annotated[int, Meta(ge=0, le=100_000)]

Channel = Literal["BRANCH", "RM", "PHONE", "MOBILE", "WEB", "ATM", "SYSTEM"]
CreditDebit = Literal["CRDT", "DBIT"]
EntryStatus = Literal["BOOK", "PDNG", "INFO"]
BalanceType = Literal["OPBD", "CLBD", "ITBD", "CLAV", "ITAV"]
AccountType = Literal["CACC", "SVGS", "TRAD", "LOAN", "CARD"]
AccountStatus = Literal["ENABLED", "FROZEN", "DORMANT", "DISABLED", "CLOSED"]
PartyRole = Literal["OWNER", "JOINT_OWNER", "AUTHORISED_USER", "GUARANTOR", "BENEFICIAL_OWNER"]
Initiator = Literal["CUSTOMER", "BANK", "THIRD_PARTY"]
ClientType = Literal["INDIVIDUAL", "CORPORATE"]
Purpose = Literal[
    "P1_SERVICE", "P2_PROFILE", "P3_BUREAU", "P4_AUTOMATED", "P5_SHARING", "P6_SENSITIVE"
]

MONEY_SCALE = 10_000
"""Minor units of `minor_units`: one ten-thousandth of the currency unit."""


def minor_units(amount: str) -> int:
    """Decimal text -> integer ten-thousandths of the currency unit: "12.5" -> 125000.

    The text has passed the `Money` pattern; nothing is rounded.
    """
    whole, _, fraction = amount.partition(".")
    return int(whole + fraction.ljust(4, "0"))


def money_text(units: int) -> str:
    """Integer ten-thousandths -> shortest decimal text with at least two digits: 125000 -> "12.50"."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    whole, fraction = divmod(units, MONEY_SCALE)
    digits = f"{fraction:04d}"
    return f"{sign}{whole}.{digits[:2]}{digits[2:].rstrip('0')}"


def to_decimal(units: int) -> Decimal:
    """Integer ten-thousandths -> exact Decimal."""
    return Decimal(units).scaleb(-4)


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What every event's `data` carries besides its own fields. Unknown fields are allowed:
    a newer producer may add one."""

    business_date: dt.date
    """The bank's book date, in the bank's zone."""
    channel: Channel = "SYSTEM"
    actor_id: Id | None = None
