"""Field types shared by all events: what a value may look like on the wire.

Money is decimal text with at most four fractional digits; a JSON number is refused, so no
amount is ever a float. Codes are ISO 20022 where one exists, else UPPER_SNAKE.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_type_hints

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
# Thirteen digits hold every balance sheet in CNY and every payment in VND or IDR up to some 400
# million USD. The lake keeps decimal(18,4), so ten such amounts still add up there, as a balance
# and its entries do in the staged checks. Sums without end are the fold's (`clients.state.Sum`).
Money = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,13}(\.[0-9]{1,4})?$(?!\n)",
        description="decimal text, never negative, below ten trillion",
    ),
]
SignedMoney = Annotated[
    str,
    Meta(
        pattern=r"^-?[0-9]{1,13}(\.[0-9]{1,4})?$(?!\n)",
        description="decimal text, may be negative, within ten trillion",
    ),
]
Rate = Annotated[
    str, Meta(pattern=r"^-?[0-9]{1,4}(\.[0-9]{1,8})?$(?!\n)", description="fraction per year")
]
# Years that a fact may speak of. Rules look years back and ahead of a date, and some tools count
# nanoseconds, from 1677 to 2262: from within these years neither leaves its calendar. No company
# that banks is older, and what the age of a person may be is for the gates to say.
_FIRST_YEAR, _LAST_YEAR = 1700, 2200
_YEARS_TEXT = f"{_FIRST_YEAR} to {_LAST_YEAR}"
Date = Annotated[dt.date, Meta(description=f"a date of the years {_YEARS_TEXT}")]
Instant = Annotated[
    dt.datetime, Meta(tz=True, description=f"RFC 3339 with offset, of the years {_YEARS_TEXT}")
]
Share = Annotated[
    str,
    Meta(pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$(?!\n)", description="decimal text, 0 to 1"),
]
Sentiment = Annotated[
    str,
    Meta(pattern=r"^-?(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$(?!\n)", description="decimal text, -1 to 1"),
]
PurposeCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z][A-Z0-9_]{3,34}$(?!\n)",
        description="ISO 20022 external purpose (four characters: SALA), or the bank's own",
    ),
]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x20\x7f-\x9f=+@-][^\x00-\x1f\x7f-\x9f]{0,139}$(?!\n)",
        description="as people read it: no control characters, and no first sign that a "
        "spreadsheet takes for a formula",
    ),
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
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

ToleranceLevel = Literal["C1", "C2", "C3", "C4", "C5"]
ProductRisk = Literal["R1", "R2", "R3", "R4", "R5"]
ReturnReason = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}[0-9]{2}$(?!\n)", description="ISO 20022 external return reason")
]

MONEY_SCALE = 10_000
"""Minor units of `minor_units`: one ten-thousandth of the currency unit."""


@lru_cache(maxsize=4096)
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

    business_date: Date
    """The bank's book date, in the bank's zone."""
    channel: Channel = "SYSTEM"
    actor_id: Id | None = None

    def __post_init__(self) -> None:
        times, _ = _fields_to_check(type(self))
        _check_years(times(self))


class InCurrency(Fact, frozen=True):
    """A fact with amounts of one currency; no amount may have more decimals than it has: 100.5 yen
    are no amount."""

    currency: Currency

    def __post_init__(self) -> None:
        times, amounts = _fields_to_check(type(self))
        _check_years(times(self))
        decimals = MINOR_UNITS[self.currency]
        # Of "12.345" that leaves "12." when two decimals are taken away: the point must not be left.
        behind = -1 - decimals if decimals else None
        for amount in amounts(self):
            if amount is not None and "." in amount[:behind]:
                raise ValueError(f"an amount has more decimals than {self.currency} has")


_Value = TypeVar("_Value")
_Reader = Callable[[Any], tuple[_Value | None, ...]]


def _check_years(times: Iterable[dt.date | None]) -> None:
    for time in times:
        if time is not None and not _FIRST_YEAR <= time.year <= _LAST_YEAR:
            raise ValueError(f"{time.isoformat()} is not of the years {_YEARS_TEXT}")


@cache
def _fields_to_check(fact: type[Fact]) -> tuple[_Reader[dt.date], _Reader[str]]:
    """What reads the dates and instants, and the amounts, of a fact."""
    return _reader(fact, {Date, Instant}), _reader(fact, {Money, SignedMoney})


def _reader(fact: type[Fact], kinds: set[Any]) -> _Reader[Any]:
    """What reads all fields of these kinds, also those inside the structs a fact always has."""
    names = list(_names(fact, kinds))
    if not names:
        return lambda data: ()
    get: Any = operator.attrgetter(*names)
    return get if len(names) > 1 else lambda data: (get(data),)


def _names(struct: Any, kinds: set[Any]) -> Iterator[str]:
    for name, kind in get_type_hints(struct, include_extras=True).items():
        if kind in kinds or kinds.intersection(get_args(kind)):
            yield name
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from (f"{name}.{inner}" for inner in _names(kind, kinds))
