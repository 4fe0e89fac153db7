"""Seeded good facts of every type of the catalogue, made from the types themselves."""

from __future__ import annotations

import datetime as dt
import random
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from lifecycle.events import CATALOGUE, EventType, Fact, Outgoing, encode
from lifecycle.events import fields as f
from lifecycle.events.codes import COUNTRIES, MINOR_UNITS

DAY = dt.date(2026, 3, 2)
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def client_life(client: str, seed: int) -> list[Outgoing]:
    """One good fact of every type, those that introduce something first."""
    chance = random.Random(seed)
    # A card and a proposal introduce something and refer to something themselves.
    rows = sorted(
        CATALOGUE.values(), key=lambda row: (row.introduces is None, row.refers_to is not None)
    )
    return [
        encode(
            sample(row, chance, client),
            source="/replay/samples",
            client_id=client,
            time=NOON + dt.timedelta(seconds=number),
            sequence=number + 1,
        )
        for number, row in enumerate(rows)
    ]


def sample(row: EventType, chance: random.Random, client: str) -> Fact:
    """A good fact of a type. Ids of things are the client's: `C1-account`, so that they refer."""
    currency = chance.choice([code for code, decimals in MINOR_UNITS.items() if decimals >= 2])
    return _struct(row.data, _Maker(chance, client, currency))  # type: ignore[no-any-return]


class _Maker:
    """Values by the annotation of their field."""

    def __init__(self, chance: random.Random, client: str, currency: str) -> None:
        self.chance = chance
        self.client = client
        self.currency = currency

    def make(self, name: str, kind: Any) -> Any:
        special = self._special(name, kind)
        if special is not None:
            return special
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self._annotated(name, arguments[0], arguments[1])
        if origin is Literal:
            return self.chance.choice(arguments)
        if origin in (Union, UnionType):
            given = [one for one in arguments if one is not type(None)]
            return self.make(name, given[0]) if self.chance.random() < 0.7 else None
        if origin is tuple:
            return tuple(
                self.make(f"{name}{n}", arguments[0]) for n in range(self.chance.randint(1, 3))
            )
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return _struct(kind, self)
        return self._plain(kind)

    def _special(self, name: str, kind: Any) -> Any:
        if name == "business_date":
            return DAY
        if name == "client_id":
            return self.client
        if kind == f.Id and name.endswith("_id"):
            return f"{self.client}-{name.removesuffix('_id')}"
        if kind in _TEXTS:
            return _TEXTS[kind](self)
        return None

    def _annotated(self, name: str, kind: Any, meta: Any) -> Any:
        if kind is int:
            return self.chance.randint(meta.ge or 0, min(meta.le or 1_000, (meta.ge or 0) + 500))
        return self.make(name, kind)

    def _plain(self, kind: Any) -> Any:
        if kind is dt.date:
            return DAY + dt.timedelta(days=self.chance.randrange(600))
        if kind is dt.datetime:
            return NOON + dt.timedelta(seconds=self.chance.randrange(86_400))
        if kind is bool:
            return self.chance.random() < 0.5
        if kind is int:
            return self.chance.randrange(1_000)
        raise AssertionError(f"no sample for {kind}")

    def digits(self, number: int) -> str:
        return "".join(self.chance.choice("0123456789") for _ in range(number))


def _struct(kind: Any, maker: _Maker) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    return kind(**{name: maker.make(name, hint) for name, hint in hints.items()})


_TEXTS: dict[Any, Any] = {
    f.Id: lambda m: f"X{m.digits(8)}",
    f.Code: lambda m: m.chance.choice(("SALA", "RENT", "A-1", "v2.1", "F51")),
    f.PurposeCode: lambda m: m.chance.choice(("SALA", "RENT", "HOUSEHOLD")),
    f.Name: lambda m: m.chance.choice(("7 Fresh", "老王面馆", "Café d'Or")),
    f.Hash: lambda m: f"h{m.digits(20)}",
    f.Sha256: lambda m: m.digits(64),
    f.Currency: lambda m: m.currency,
    f.Country: lambda m: m.chance.choice(sorted(COUNTRIES)),
    f.Money: lambda m: f"{m.chance.randrange(10_000)}.{m.digits(2)}",
    f.SignedMoney: lambda m: f"-{m.chance.randrange(10_000)}.{m.digits(2)}",
    f.Rate: lambda m: f"0.{m.digits(4)}",
    f.Share: lambda m: f"0.{m.digits(2)}",
    f.Sentiment: lambda m: f"-0.{m.digits(2)}",
    f.Mcc: lambda m: m.digits(4),
    f.ReturnReason: lambda m: m.chance.choice(("AM04", "AC04", "MD07")),
    f.FourLetters: lambda m: m.chance.choice(("RCDT", "DMCT", "ESCT")),
}
