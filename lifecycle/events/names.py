"""Names that occur twice in one JSON object. Pure.

Decoders keep the last of two equal names: what was checked would not be all that was said. Parsing
every record a second time would cost as much as decoding it, so its names are counted instead.
"""

from __future__ import annotations

import json
import operator
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import msgspec

PARTS_MAX = 10_000
"""Names, objects and lists of a record with fields we do not know. No fact has a tenth as many, and
hundreds of thousands of short-lived objects would set the garbage collector on everything we hold."""

_NAME_END = b'":'
_BACKSLASH = 92
_anything = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
"""Facts and all their parts leave out fields that are their default."""
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
    names = raw.count(_NAME_END) if countable else -1
    # Without a backslash no text holds a quote, so what looks like a name is one.
    if _BACKSLASH not in raw and names == _named(envelope) + _encode(data).count(_NAME_END):
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
    """What tells how many fields of a flat struct were named in the JSON it came from."""

    required: int
    optional: Callable[[Any], tuple[Any, ...]]
    defaults: tuple[Any, ...]


def _named(value: msgspec.Struct) -> int:
    """How many names surely stood in the JSON of a decoded struct: never one too many."""
    required, optional, defaults = _fields(type(value))
    return required + sum(map(operator.is_not, optional(value), defaults))


@cache
def _fields(struct: type[msgspec.Struct]) -> _Fields:
    fields = msgspec.structs.fields(struct)
    optional = [f for f in fields if f.default is not msgspec.NODEFAULT]
    return _Fields(
        sum(f.required for f in fields),
        operator.attrgetter(*(f.name for f in optional)),
        tuple(f.default for f in optional),
    )


def _distinct(value: Any) -> int:
    """How many names an event has: the envelope's, the data's, and those one level deeper."""
    data = value["data"]
    number = len(value) + len(data)
    for field in data.values():
        if field.__class__ is dict:
            number += len(field)
    return number
