"""A name that occurs twice is found wherever it stands, and only then."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from lifecycle.events import InvalidEvent, Outgoing, decode
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


@pytest.mark.parametrize("member", [b'{"":0}', b"{}", b'{"a":1,"b":2}', b'{"a":{"b":{}}}'])
def test_a_megabyte_of_names_is_counted_in_no_time(member: bytes) -> None:
    out = SAMPLES[0]
    many = b"[" + b",".join([member] * (2**20 // (len(member) + 1))) + b"]"
    raw = out.value.replace(b'"sequence":', b'"x":' + many + b',"sequence":', 1)
    assert _seconds(out, raw) < 0.5


def test_a_megabyte_of_names_in_one_object_is_counted_in_no_time() -> None:
    out = SAMPLES[0]
    many = b"[{" + b",".join(b'"n%d":1' % n for n in range(80_000)) + b"}]"
    raw = out.value.replace(b'"sequence":', b'"x":' + many + b',"sequence":', 1)
    assert _seconds(out, raw) < 0.5


def _seconds(out: Outgoing, raw: bytes) -> float:
    start = time.process_time()
    assert _decoded(out, raw) == "OK"
    return time.process_time() - start
