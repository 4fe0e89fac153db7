"""A name that occurs twice is found wherever it stands, and only then."""

from __future__ import annotations

import json
import random
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
