"""What one calculation reads: attributes as far as consent goes, and figures of the rules."""

from __future__ import annotations

from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Any

from lifecycle.clients.attribute import Figures, Value
from lifecycle.clients.needs.need import Input
from lifecycle.events.fields import Purpose

ZERO = Decimal(0)
Wanted = str | tuple[str, ...]
"""An attribute, or several of which the first known one will do; the last is the one to ask for."""


class Missing(LookupError):
    """A calculation cannot be made. `unknown` are the names nobody knows; `withheld` says that
    consent keeps some value back."""

    def __init__(self, unknown: tuple[str, ...], *, withheld: bool = False) -> None:
        super().__init__(unknown)
        self.unknown = unknown
        self.withheld = withheld


class Inputs:
    """Reads a profile and the figures for one calculation, and keeps what it read.

    A value whose purposes are not all allowed is treated as if it were not there.
    """

    def __init__(
        self,
        profile: Mapping[str, Value],
        figures: Figures,
        allowed: Set[Purpose],
        currency: str,
    ) -> None:
        self._profile = profile
        self._figures = figures
        self._allowed = allowed
        self.currency = currency
        self.values: dict[str, Value] = {}
        self._assumed: dict[str, Input] = {}

    def require(self, *wanted: Wanted) -> list[Value]:
        """Several values. Raises Missing with the names of all that are not known."""
        found, unknown, withheld = [], [], False
        for names in wanted:
            names = (names,) if isinstance(names, str) else names
            value = next((v for n in names if (v := self._usable(n)) is not None), None)
            if value is not None:
                found.append(value)
            elif any(self._withheld(name) for name in names):
                withheld = True
            else:
                unknown.append(names[-1])
        if unknown or withheld:
            raise Missing(tuple(unknown), withheld=withheld)
        self.values.update({value.name: value for value in found})
        return found

    def number(self, wanted: Wanted) -> Decimal:
        """One number. Raises Missing."""
        return self.numbers(wanted)[0]

    def numbers(self, *wanted: Wanted) -> list[Decimal]:
        """Several numbers. Raises Missing."""
        return [value.number for value in self.require(*wanted)]

    def text(self, name: str) -> str:
        """An attribute that is text. Raises Missing."""
        return self.require(name)[0].value or ""

    def parts(self, name: str) -> list[str]:
        """The parts of "CACC;CARD"."""
        return [part for part in self.text(name).split(";") if part]

    def pairs(self, name: str) -> dict[str, Decimal]:
        """The parts of "CASH:0.70;EQUITY:0.30", by name."""
        split = (part.split(":") for part in self.parts(name))
        return {key: Decimal(number) for key, number in split}

    def number_or_none_held(self, name: str) -> Decimal:
        """A number that is zero where it does not apply: who has no loan owes no instalment."""
        value = self._profile.get(name)
        if value is not None and value.null_reason == "NOT_APPLICABLE" and not self._withheld(name):
            self.values[name] = value
            return ZERO
        return self.number(name)

    def number_or_zero(self, name: str) -> Decimal:
        """A number that few clients report; zero where it is not known."""
        try:
            return self.number(name)
        except Missing:
            return ZERO

    def figure(self, name: str) -> Any:
        """A figure of the rules."""
        figure = self._figures[name]
        self._assumed[name] = Input(name, str(figure.value), figure.unit)
        return figure.value

    def decimal(self, name: str, key: str | None = None) -> Decimal:
        """A figure that is decimal text, or one of a table of such. Raises Missing where the table
        has no such key, as for a currency nobody set a figure for."""
        figure = self._figures[name]
        value = figure.value if key is None else figure.value.get(key)
        if value is None:
            raise Missing((name,))
        self._assumed[name] = Input(name, str(value), figure.unit)
        return Decimal(value)

    def per_currency(self, name: str) -> Decimal:
        """A figure in the client's currency. Raises Missing."""
        return self.decimal(name, self.currency)

    @property
    def attributes(self) -> tuple[Input, ...]:
        """The attributes read so far; one that does not apply counted as zero."""
        return tuple(
            Input(v.name, "0" if v.value is None else v.value, v.unit) for v in self.values.values()
        )

    @property
    def used(self) -> tuple[Input, ...]:
        """Attributes, then figures, as read so far."""
        return (*self.attributes, *self._assumed.values())

    @property
    def purposes(self) -> frozenset[Purpose]:
        """What the attributes that were read may be used for."""
        return frozenset().union(*(purposes_of(value) for value in self.values.values()))

    def _usable(self, name: str) -> Value | None:
        value = self._profile.get(name)
        known = value is not None and value.value is not None
        return value if known and not self._withheld(name) else None

    def _withheld(self, name: str) -> bool:
        value = self._profile.get(name)
        return value is not None and is_withheld(value, self._allowed)


def purposes_of(value: Value) -> frozenset[Purpose]:
    """The purposes of an attribute, each on its own."""
    return frozenset(value.purpose.split("+"))  # type: ignore[arg-type]


def is_withheld(value: Value, allowed: Set[Purpose]) -> bool:
    """Does consent keep this value back?"""
    return value.null_reason == "NOT_CONSENTED" or not purposes_of(value) <= allowed
