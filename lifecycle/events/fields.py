"""Field types shared by all events: what a value may look like on the wire.

Money is decimal text with at most four fractional digits; a JSON number is refused, so no
amount is ever a float. Codes are ISO 20022 where one exists, else UPPER_SNAKE.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from lifecycle.events.codes import COUNTRIES, MINOR_UNITS

# Python's `$` also matches before a final newline; `$(?!\n)` means the end, in JSON Schema too.
Id = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$(?!\n)",
        description="opaque; a letter or digit first, so that no spreadsheet takes it for a formula",
    ),
]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,39}$(?!\n)")]
Codes = Annotated[tuple[Code, ...], Meta(max_length=50)]
Hash = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}$(?!\n)", description="a pseudonym"),
]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
if TYPE_CHECKING:
    Currency = str
    Country = str
else:  # a decoder finds a literal faster than it matches a pattern
    Currency = Annotated[Literal[tuple(sorted(MINOR_UNITS))], Meta(description="ISO 4217")]
    Country = Annotated[Literal[tuple(sorted(COUNTRIES))], Meta(description="ISO 3166-1 alpha-2")]
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
Share = Annotated[
    str,
    Meta(pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$(?!\n)", description="decimal text, 0 to 1"),
]
Sentiment = Annotated[
    str,
    Meta(pattern=r"^-?(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$(?!\n)", description="decimal text, -1 to 1"),
]
Mcc = Annotated[str, Meta(pattern=r"^[0-9]{4}$(?!\n)", description="ISO 18245")]
FourLetters = Annotated[
    str, Meta(pattern=r"^[A-Z]{4}$(?!\n)", description="ISO 20022 family or sub-family")
]
Count = Annotated[int, Meta(ge=0, le=100_000)]
Version = Annotated[int, Meta(ge=0, le=1_000_000)]
Year = Annotated[int, Meta(ge=1900, le=2200)]

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

ToleranceLevel = Literal["C1", "C2", "C3", "C4", "C5"]
ProductRisk = Literal["R1", "R2", "R3", "R4", "R5"]
ReturnReason = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}[0-9]{2}$(?!\n)", description="ISO 20022 external return reason")
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


class InCurrency(Fact, frozen=True):
    """A fact with amounts of one currency; no amount may have more decimals than it has: 100.5 yen
    are no amount."""

    currency: Currency

    def __post_init__(self) -> None:
        decimals = MINOR_UNITS[self.currency]
        # Of "12.345" that leaves "12." when two decimals are taken away: the point must not be left.
        behind = -1 - decimals if decimals else None
        for amount in _amounts(type(self))(self):
            if amount is not None and "." in amount[:behind]:
                raise ValueError(f"an amount has more decimals than {self.currency} has")


@cache
def _amounts(fact: type[Fact]) -> Callable[[Any], tuple[str | None, ...]]:
    """All amounts of a fact, also those inside the structs it always has."""
    names = list(_money_names(fact))
    get: Any = operator.attrgetter(*names)
    return get if len(names) > 1 else lambda data: (get(data),)


def _money_names(struct: Any) -> Iterator[str]:
    for name, kind in get_type_hints(struct, include_extras=True).items():
        if kind in _MONEY or _MONEY.intersection(get_args(kind)):
            yield name
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from (f"{name}.{inner}" for inner in _money_names(kind))


_MONEY = {Money, SignedMoney}
