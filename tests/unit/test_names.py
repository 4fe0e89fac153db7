"""A name that occurs twice is found wherever it stands, and only then."""

from __future__ import annotations

import gc
import json
import random
import time
import typing
from typing import Any

import msgspec
import pytest

from lifecycle.events import InvalidEvent, Outgoing, decode
from lifecycle.events.catalogue import CATALOGUE
from tests.samples import client_life

SAMPLES = client_life("C1", 1)


def _decoded(out: Outgoing, raw: bytes) -> str:
    """OK, or the reason."""
    try:
        decode(raw, out.key.encode(), out.topic, 0, 0)
    except InvalidEvent as error:
        return error.reason
    return "OK"


def _objects(value: Any) -> list[list[tuple[str, Any]]]:
    """Every object of a record parsed as pairs, outermost last."""
    found: list[list[tuple[str, Any]]] = []
    if isinstance(value, list):
        for item in value:
            found += _objects(item)
    elif isinstance(value, Pairs):
        for _, item in value.pairs:
            found += _objects(item)
        found.append(value.pairs)
    return found


class Pairs:
    """A JSON object that may hold a name twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _text(value: Any, colon: str) -> str:
    if isinstance(value, Pairs):
        members = (f"{json.dumps(name)}{colon}{_text(v, colon)}" for name, v in value.pairs)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(item, colon) for item in value) + "]"
    return json.dumps(value)


@pytest.mark.parametrize("colon", [":", " :", ": ", "\t:\n"])
@pytest.mark.parametrize("out", SAMPLES, ids=lambda out: out.type)
def test_every_name_of_every_type_may_stand_once(out: Outgoing, colon: str) -> None:
    whole = json.loads(out.value, object_pairs_hook=Pairs)
    assert _decoded(out, _text(whole, colon).encode()) == "OK"
    chance = random.Random(out.type)
    for pairs in _objects(whole):
        for name, value in list(pairs):
            at = chance.randrange(len(pairs) + 1)
            for again in (value, None):
                pairs.insert(at, (name, again))
                assert _decoded(out, _text(whole, colon).encode()) != "OK", f"{name} twice"
                del pairs[at]


@pytest.mark.parametrize("out", SAMPLES, ids=lambda out: out.type)
def test_a_producer_may_write_out_defaults_and_add_fields(out: Outgoing) -> None:
    whole = json.loads(out.value)
    whole["synthetic"] = False
    whole["traceparent"] = None
    whole["data"]["added_later"] = {"note": 'a ":" in a text, and "\\":null'}
    assert _decoded(out, json.dumps(whole).encode()) == "OK"
    assert _decoded(out, json.dumps(whole, separators=(",", ":")).encode()) == "OK"


def _parts(kind: Any) -> set[type[msgspec.Struct]]:
    """A struct and every struct in its fields."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {part for inner in typing.get_args(kind) for part in _parts(inner)}
    return {kind}.union(*(_parts(field.type) for field in msgspec.structs.fields(kind)))


def test_every_part_of_a_fact_leaves_out_its_defaults() -> None:
    """Else names would be counted that need not have stood there."""
    parts = set().union(*(_parts(row.data) for row in CATALOGUE.values()))
    assert len(parts) > len(CATALOGUE)
    assert all(part.__struct_config__.omit_defaults for part in parts)


UNREADABLE = {
    "too large a float": '"x":1e999',
    "too long an integer": '"x":' + "9" * 5_000,
    "bytes that are no text": '"x":"\xff"',
    "bytes that are no text in a name": '"x\xff":1',
    "half a surrogate pair": r'"x":"\ud800"',
}


@pytest.mark.parametrize("place", ['"sequence":', '"business_date":'])
@pytest.mark.parametrize("colon", [":", " :"])
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_no_field_holds_must_be_readable_too(name: str, colon: str, place: str) -> None:
    out = SAMPLES[0]
    extra = UNREADABLE[name].replace(":", colon, 1).encode("latin-1")
    raw = out.value.replace(place.encode(), extra + b"," + place.encode(), 1)
    assert _decoded(out, raw) == "UNPARSABLE"


MANY = {
    "objects": (b"[%s]", b'{"":0}'),
    "empty objects": (b"[%s]", b"{}"),
    "objects in objects": (b"[%s]", b'{"a":{"b":{}}}'),
    "spaced names": (b"[%s]", b'{"a" :0}'),
    "lists": (b"[%s]", b"[]"),
    "names of one object": (b"{%s}", b'"n%d":1'),
}


@pytest.mark.parametrize("name", MANY)
def test_names_without_end_cost_no_time(name: str) -> None:
    whole, member = MANY[name]
    assert _judged(whole, member, 2**20 // (len(member) + 1)) == "UNPARSABLE"
    assert _judged(whole, member, 1_500) == "OK"


def _judged(whole: bytes, member: bytes, times: int) -> str:
    """What becomes of a record with an unknown field of many members."""
    out = SAMPLES[0]
    members = b",".join(member.replace(b"%d", b"%d" % n) for n in range(times))
    extra = b'"x":' + whole.replace(b"%s", members) + b","
    raw = out.value.replace(b'"sequence":', extra + b'"sequence":', 1)
    return _decoded_at_once(out, raw)


def _decoded_at_once(out: Outgoing, raw: bytes) -> str:
    """OK, or the reason, within a tenth of a second; how long the garbage collector takes is a
    matter of what else this process holds."""
    gc.disable()
    try:
        start = time.process_time()
        decided = _decoded(out, raw)
        assert time.process_time() - start < 0.1
    finally:
        gc.enable()
    return decided


def test_a_name_among_thousands_is_found_in_no_time() -> None:
    """Every name twice, in one object: what was quadratic."""
    out = SAMPLES[0]
    members = b",".join(b'"n%d":1' % (n // 2) for n in range(9_000))
    raw = out.value.replace(b'"sequence":', b'"x":[{' + members + b'}],"sequence":', 1)
    assert _decoded_at_once(out, raw) == "DUPLICATE_NAME"
