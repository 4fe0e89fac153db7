"""Where a line of a file goes: each field is read by itself, so its real fault is what is found."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from lifecycle.events import InvalidEvent, decode
from lifecycle.sources.files import FileSource
from tests.support import at, due, outgoing

DAY = dt.date(2026, 3, 2)
GOOD: dict[str, Any] = json.loads(outgoing(due(1, DAY)).value)
CREDIT, ACCOUNT = "bank.credit.v1", "bank.account.v1"


def source(folder: Path, *lines: bytes) -> FileSource:
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(lines))
    return FileSource(path)


def changed(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def data(**fields: Any) -> dict[str, Any]:
    return {"data": {**GOOD["data"], **fields}}


@pytest.mark.parametrize(
    ("line", "topic", "key", "reason"),
    [
        (changed(), CREDIT, "C1", None),
        (changed(type="bank.credit.sold.v1"), CREDIT, "C1", "UNKNOWN_TYPE"),
        (changed(type="bank.card.eaten.v1"), ACCOUNT, "C1", "UNKNOWN_TYPE"),
        (changed(type="who.knows"), ACCOUNT, "C1", "UNKNOWN_TYPE"),
        (changed(type="bank"), ACCOUNT, "C1", "UNKNOWN_TYPE"),
        (changed(type=7), ACCOUNT, "C1", "ENVELOPE"),
        (changed(partitionkey=None), CREDIT, "unknown", "ENVELOPE"),
        (changed(time="yesterday"), CREDIT, "C1", "TIME_FORMAT"),
        (changed(**data(business_date="2026-13-01")), CREDIT, "C1", "SCHEMA"),
        (changed(**data(total=12.5)), CREDIT, "C1", "SCHEMA"),
        (changed(data=[1]), CREDIT, "C1", "SCHEMA"),
        (b"[1, 2]", ACCOUNT, "unknown", "ENVELOPE"),
        (b"{broken", ACCOUNT, "unknown", "UNPARSABLE"),
        (b"\xff\xfe", ACCOUNT, "unknown", "UNPARSABLE"),
        (b'{"data":' + b"[" * 5_000, ACCOUNT, "unknown", "UNPARSABLE"),
    ],
)
def test_a_line_reaches_the_consumer_with_its_real_fault(
    tmp_path: Path, line: bytes, topic: str, key: str, reason: str | None
) -> None:
    (event,) = source(tmp_path, line).events(None, None)
    assert (event.topic, event.key, event.value) == (topic, key, line)
    if reason is None:
        decode(event.value, event.key.encode(), event.topic, 0, 0)
    else:
        with pytest.raises(InvalidEvent) as refused:
            decode(event.value, event.key.encode(), event.topic, 0, 0)
        assert refused.value.reason == reason


def test_a_line_without_a_time_happens_with_its_neighbour(tmp_path: Path) -> None:
    """Paced replay sleeps by these times; a line of 1970 would make it sleep for decades."""
    first, second = at(DAY), at(DAY, 13)
    lines = [b"{", changed(time=first.isoformat()), b"{", changed(time=second.isoformat()), b"{"]
    times = [e.time for e in source(tmp_path, *lines).events(None, None)]
    assert times == [first, first, first, second, second]


def test_a_time_without_an_offset_is_still_paced(tmp_path: Path) -> None:
    """The consumer refuses it, since nobody knows which zone was meant."""
    (event,) = source(tmp_path, changed(time="2026-03-02T12:00:00")).events(None, None)
    assert event.time == at(DAY)
    with pytest.raises(InvalidEvent, match="TIME_FORMAT"):
        decode(event.value, event.key.encode(), event.topic, 0, 0)
