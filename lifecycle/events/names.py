"""Names that occur twice in one JSON object. Pure.

Decoders keep the last of two equal names: what was checked would not be all that was said. Parsing
every record a second time would cost as much as decoding it, so its names are counted instead.
"""

from __future__ import annotations

import json
import operator
import re
import typing
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import msgspec

PARTS_MAX = 10_000
"""Names, objects and lists of a record with fields we do not know. No fact has a tenth as many, and
hundreds of thousands of short-lived objects would set the garbage collector on everything we hold."""

_anything = msgspec.json.Decoder().decode
# A quote, then white space: a name may be hiding from the count of `":`.
_SPACE_AFTER_QUOTE = re.compile(rb'"[ \t\r\n]').search


def repeated_name(raw: bytes, envelope: msgspec.Struct, data: msgspec.Struct) -> str | None:
    """A name that occurs twice in one object of the record `raw`, or None.

    `envelope` and `data` are what was decoded from it. A field that is not its default was named:
    where no more names stand than that, each stands once. Any other record, as of a producer who
    writes out defaults, is counted once decoded to dicts, and parsed strictly when that says no.

    Raises ValueError or RecursionError when what no field holds is not JSON, or cannot be read.
    """
    # Space, new line, tab, return. A byte is found as a number in a sixth of the time.
    spaced = 32 in raw or 10 in raw or 9 in raw or 13 in raw
    countable = not (spaced and _SPACE_AFTER_QUOTE(raw))
    names = raw.count(b'":') if countable else -1
    if names == _named(envelope) + _named(data):
        return None
    if raw.count(b":") + raw.count(b"{") + raw.count(b"[") > PARTS_MAX:
        raise ValueError(f"more than {PARTS_MAX:,} names, objects and lists")
    if names == _distinct(_anything(raw)):
        return None
    found: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> None:
        if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            found.extend(name for name, count in counts.items() if count > 1)

    json.loads(raw, object_pairs_hook=once)
    return found[0] if found else None


class _Fields(NamedTuple):
    """What tells how many fields of a struct were named in the JSON it came from."""

    required: int
    optional: Callable[[Any], tuple[Any, ...]]
    defaults: tuple[Any, ...]
    nested: tuple[str, ...]
    """Fields that hold a struct or None."""


def _named(value: msgspec.Struct) -> int:
    """How many names surely stood in the JSON of a decoded struct: never one too many."""
    fields = _fields(type(value))
    number = fields.required + sum(map(operator.is_not, fields.optional(value), fields.defaults))
    for name in fields.nested:
        inner = getattr(value, name)
        if inner is not None:
            number += _named(inner)
    return number


@cache
def _fields(struct: type[msgspec.Struct]) -> _Fields:
    fields = msgspec.structs.fields(struct)
    optional = [f for f in fields if f.default is not msgspec.NODEFAULT]
    return _Fields(
        sum(f.required for f in fields),
        _getter([f.name for f in optional]),
        tuple(f.default for f in optional),
        tuple(f.name for f in fields if _holds_struct(f.type)),
    )


def _distinct(value: Any) -> int:
    """How many names an event has: the envelope's, the data's, and those one level deeper."""
    data = value["data"]
    number = len(value) + len(data)
    for field in data.values():
        if field.__class__ is dict:
            number += len(field)
    return number


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _holds_struct(annotation: Any) -> bool:
    kinds = [k for k in typing.get_args(annotation) or (annotation,) if k is not type(None)]
    return len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], msgspec.Struct)
