"""Hostile records: every type of the catalogue, broken in every way we could think of.

`mutations(good)` yields (name, bytes or None) for one good record; none of them may be accepted.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_args, get_type_hints

from lifecycle.events import CATALOGUE, Outgoing
from lifecycle.events import fields as f
from tests.samples import client_life

Body = dict[str, Any]
LARGE = 900_000
"""Bytes; a broker takes records up to 1 MiB unless told otherwise."""


class Hostile(NamedTuple):
    """One record to refuse."""

    name: str
    topic: str
    key: str | None
    value: bytes | None


def corpus(seed: int) -> Iterator[tuple[Outgoing, list[Hostile]]]:
    """One good record of every type, each with its mutations."""
    chance = random.Random(seed)
    large = chance.choice(list(CATALOGUE))
    for good in client_life(f"H{seed}", seed):
        found = [
            Hostile(f"{good.type}: {name}", good.topic, good.key, value)
            for name, value in mutations(good)
            if name != "large" or good.type == large
        ]
        found.append(Hostile(f"{good.type}: other key", good.topic, "C-other", good.value))
        found.append(Hostile(f"{good.type}: no key", good.topic, None, good.value))
        yield good, found


def mutations(good: Outgoing) -> Iterator[tuple[str, bytes | None]]:
    """All ways to break one good record."""
    yield from _bytes(good.value)
    yield from _envelopes(good)
    yield from _data(good)


def _bytes(raw: bytes) -> Iterator[tuple[str, bytes | None]]:
    inside = b'"sequence":'
    yield "null", None
    yield "empty", b""
    yield "bad UTF-8", raw.replace(b'"source":"/', b'"source":"/\xff\xfe', 1)
    yield "UTF-16", raw.decode().encode("utf-16")
    yield "truncated", raw[: len(raw) // 2]
    yield "without its last byte", raw[:-1]
    yield "two documents", raw + raw
    yield "trailing comma", raw[:-1] + b",}"
    yield "an array", b"[" + raw + b"]"
    yield "a string", json.dumps(raw.decode()).encode()
    yield "a number", b"42"
    yield "deep nesting", raw.replace(inside, b'"x":' + b"[" * 5_000 + b"]" * 5_000 + b"," + inside)
    yield (
        "deep data",
        raw.replace(b'"data":{', b'"data":{"x":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b","),
    )
    yield "objects without end", raw.replace(inside, b'"x":[' + b"{}," * 10_000 + b"{}]," + inside)
    yield "large", raw.replace(b'"source":"', b'"source":"' + b"x" * LARGE, 1)
    yield "a name twice", raw.replace(inside, b'"id":"other",' + inside, 1)
    yield (
        "a name twice in data",
        raw.replace(b'"business_date":', b'"business_date":"2001-01-01","business_date":', 1),
    )
    yield "an escaped name twice", raw.replace(inside, b'"\\u0069d":"other",' + inside, 1)
    yield "NaN", raw.replace(inside, b'"x":NaN,' + inside, 1)
    yield "Infinity", raw.replace(inside, b'"x":-Infinity,' + inside, 1)
    yield from _unreadable(raw)
    yield "SQL", b"'; DROP TABLE event_log; --"
    yield "a formula", b'=HYPERLINK("http://example.invalid","x")'


def _unreadable(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Fields nobody asked for, with what no decoder can hold."""
    for place, before in (("", b'"sequence":'), (" in data", b'"business_date":')):
        for name, member in _MEMBERS.items():
            for colon in (b":", b" : "):
                extra = member.replace(b":", colon, 1) + b","
                yield f"{name}{place}, {colon!r}", raw.replace(before, extra + before, 1)


_MEMBERS = {
    "too large a float": b'"x":1e999',
    "too long an integer": b'"x":' + b"9" * 5_000,
    "bad UTF-8 in an unknown field": b'"x":"a\xff"',
    "an encoded surrogate": b'"x":"\xed\xa0\x80"',
    "half a surrogate pair": b'"x":"\\ud800"',
    "bad UTF-8 in an unknown name": b'"x\xff":1',
    "half a surrogate pair in a name": b'"\\udfff":1',
    "a raw control character": b'"x":"\x01"',
    "a cut escape": b'"x":"\\u12"',
}


def _envelopes(good: Outgoing) -> Iterator[tuple[str, bytes]]:
    def changed(**attributes: Any) -> bytes:
        return _dump(json.loads(good.value) | attributes)

    for name in (
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "recordedtime",
        "partitionkey",
        "data",
    ):
        body = json.loads(good.value)
        del body[name]
        yield f"no {name}", _dump(body)
        yield f"{name} is null", changed(**{name: None})
        yield f"{name} is a number", changed(**{name: 7})
    for name in ("id", "source", "subject", "type", "partitionkey"):
        for sign in _SIGNS:
            yield f"{name} with {sign!r}", changed(**{name: f"a{sign}b"})
    yield "empty id", changed(id="")
    yield "long id", changed(id="x" * 200)
    yield "specversion 0.3", changed(specversion="0.3")
    yield "unknown type", changed(type="bank.account.exploded.v1")
    yield "next version of the type", changed(type=good.type.replace(".v1", ".v2"))
    other = next(row.name for row in CATALOGUE.values() if row.topic != good.topic)
    yield "type of another topic", changed(type=other)
    schema = CATALOGUE[good.type].dataschema
    yield "next major schema", changed(dataschema=schema.replace(":1.", ":2."))
    yield "schema of another fact", changed(dataschema="urn:bank:schema:other:1.0.0")
    yield "schema without version", changed(dataschema=schema.rpartition(":")[0] + ":latest")
    for year in ("1969", "1970", "2300"):
        yield f"year {year}", changed(time=f"{year}-01-01T00:00:00Z")
        yield f"recorded in {year}", changed(recordedtime=f"{year}-01-01T00:00:00Z")
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        yield f"time {text}", changed(time=text)
        yield f"recorded {text}", changed(recordedtime=text)
    for text in (
        "2026-03-02T12:00:00",
        "2026-03-02",
        "1767225600",
        "2026-02-30T00:00:00Z",
        "yesterday",
    ):
        yield f"time {text}", changed(time=text)
    yield "time without zone when recorded", changed(recordedtime="2026-03-02T12:00:00")
    for day in (*_DAYS, "1800-01-01", "1989-12-31", "2200-01-01", "2026-02-30", "1", 20260302):
        yield (
            f"business date {day}",
            changed(data=json.loads(good.value)["data"] | {"business_date": day}),
        )
    yield "negative sequence", changed(sequence="-1")
    yield "sequence in words", changed(sequence="one")
    yield "sequence too large", changed(sequence="9" * 19)
    yield "subject of another", changed(subject="account/other")
    yield "partition key of another", changed(partitionkey="C-other")
    yield "partition key is SQL", changed(partitionkey="' OR 1=1 --")
    yield "data is text", changed(data="{}")
    yield "data is a list", changed(data=[])
    yield "data is empty", changed(data={})


def _data(good: Outgoing) -> Iterator[tuple[str, bytes]]:
    row = CATALOGUE[good.type]
    hints = get_type_hints(row.data, include_extras=True)
    body = json.loads(good.value)
    for name, kind in hints.items():
        values = list(_wrong(name, kind, body["data"].get(name)))
        for label, value in values:
            yield f"{name} {label}", _dump({**body, "data": {**body["data"], name: value}})
        if isinstance(body["data"].get(name), str):
            text = _dump({**body, "data": {**body["data"], name: "a?b"}})
            yield f"{name} is bad UTF-8", text.replace(b"a?b", b"a\xffb")


def _wrong(name: str, kind: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Values a field may not have, by its type."""
    if value is not None:
        yield "is of another type", "text" if isinstance(value, dict) else {"a": 1}
        if type(None) not in get_args(kind):
            yield "is null", None
    if isinstance(value, bool):
        yield "is text", "true"
        return
    inner = next((one for one in get_args(kind) if one is not type(None)), kind)
    for known in (kind, inner):
        if known in _WRONG:
            yield from _WRONG[known]()
            return
    if isinstance(value, str):
        yield "is a float", 12.5
        yield "is a formula", '=cmd|"/c calc"!A1'
        for sign in _SIGNS:
            yield f"has {sign!r}", f"{value[:1]}{sign}{value[1:]}"
    if isinstance(value, int):
        yield "is text", str(value)
        yield "is huge", 10**30
        yield "is a float", 1.5


_Wrong = Callable[[], Iterator[tuple[str, Any]]]


def _wrong_money() -> Iterator[tuple[str, Any]]:
    yield "is a float", 12.5
    yield "is an integer", 12
    for text in (
        "1e3",
        "NaN",
        "Infinity",
        "1,000.00",
        " 1",
        "1.00001",
        "9" * 14,
        "",
        "0x10",
        "1.00\n",
    ):
        yield f"is {text!r}", text


def _wrong_code() -> Iterator[tuple[str, Any]]:
    for text in ("", "=1+1", "@SUM(A1)", "'; DROP TABLE inbox; --", "a\x00b", "x" * 200, "-2+3"):
        yield f"is {text[:10]!r}", text


def _wrong_currency() -> Iterator[tuple[str, Any]]:
    for text in ("cny", "XXQ", "RMBX", "", "元"):
        yield f"is {text!r}", text


def _wrong_date() -> Iterator[tuple[str, Any]]:
    for day in _DAYS:
        yield f"is {day}", day


def _wrong_instant() -> Iterator[tuple[str, Any]]:
    for day in _DAYS:
        for zone in ("Z", "+14:00", "-14:00"):
            yield f"is {day} {zone}", f"{day}T00:00:00{zone}"
    yield "is without zone", "2026-03-02T12:00:00"


_DAYS = ("0001-01-01", "1699-12-31", "2201-01-01", "9999-12-31")
"""Dates that no rule could count from."""

_SIGNS = ("\0", "\x1b", "\n", "\x7f", "\x9f", "\ud800")
"""What no text of a fact may contain: control characters, and half a surrogate pair."""

_WRONG: dict[Any, _Wrong] = {
    f.Money: _wrong_money,
    f.SignedMoney: _wrong_money,
    f.Id: _wrong_code,
    f.Code: _wrong_code,
    f.PurposeCode: _wrong_code,
    f.Hash: _wrong_code,
    f.Date: _wrong_date,
    f.Instant: _wrong_instant,
    f.Currency: _wrong_currency,
}


def _dump(body: Body) -> bytes:
    return json.dumps(body).encode()
