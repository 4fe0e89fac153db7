"""Which clients are meant: conditions on attributes and on where a client stands.

income_gap_ratio < 0.6 and state = ACTIVE
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.errors import UsageError

FIELDS = ("client_id", "client_type", "state", "since", "grade")
"""What a condition may name besides attributes."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(<=|>=|!=|<|>|=)\s*(\S+)\s*")


class Condition(NamedTuple):
    """One comparison; the value is a number where the attribute is one."""

    name: str
    compare: Callable[[Any, Any], bool]
    value: str | Decimal

    def holds(self, client: Mapping[str, str | None]) -> bool:
        """Whether it holds for a client: name -> value as text. What has no value holds nothing."""
        found = client.get(self.name)
        if found is None:
            return False
        return self.compare(
            Decimal(found) if isinstance(self.value, Decimal) else found, self.value
        )


def conditions(text: str) -> list[Condition]:
    """The conditions of a text, all of which have to hold. Raises UsageError that says what is wrong."""
    return [_condition(part) for part in re.split(r"\band\b", text)] if text.strip() else []


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text.strip()!r} is no condition: write NAME = VALUE, with one of "
            f"{' '.join(_OPERATORS)}, and join several with 'and'."
        )
    name, sign, value = match.groups()
    if name in FIELDS:
        return Condition(name, _OPERATORS[sign], value)
    if name not in ATTRIBUTES:
        raise UsageError(
            f"There is no attribute {name!r}: `lifecycle client` shows all, and {', '.join(FIELDS)} "
            "may be asked for too."
        )
    if ATTRIBUTES[name].decimals is None:
        return Condition(name, _OPERATORS[sign], value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise UsageError(f"{name} is a number, and {value!r} is none.")
    return Condition(name, _OPERATORS[sign], number)
