"""Anyone's events: one CloudEvent per line (NDJSON), published byte for byte."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from lifecycle.errors import UsageError
from lifecycle.events import CATALOGUE, Outgoing
from lifecycle.events.catalogue import ACCOUNT

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TOPIC_OF_FAMILY = {name.split(".")[1]: row.topic for name, row in CATALOGUE.items()}
"""bank.<family>.<fact>: where facts of a family go when their type is not in the catalogue."""


class FileSource:
    """Lines in file order. A line that cannot be read is published too: the gate says why."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"{path} is not a file: give an NDJSON file of CloudEvents.")
        if path.stat().st_size == 0:
            raise UsageError(f"{path} is empty: there is nothing to replay.")
        self._path = path
        self.name = f"file:{path.name}"

    def events(self, first: dt.date | None, last: dt.date | None) -> Iterator[Outgoing]:
        # A line without a time happens with the one before it, and at the start of the file with
        # the first that has one: pacing would wait for decades otherwise.
        latest = next((time for time in map(_time_of, self._lines()) if time), _EPOCH)
        for raw in self._lines():
            line = _mapping(raw)
            latest = _time(line.get("time")) or latest
            if within(_business_date(line), first, last):
                yield _route(line, raw, latest)

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as lines:
            for line in lines:
                raw = line.rstrip(b"\r\n")
                if raw:
                    yield raw

    def count(self) -> int | None:
        return None


def within(day: dt.date | None, first: dt.date | None, last: dt.date | None) -> bool:
    """Whether a business date is in [first, last]; a line without one always passes."""
    return day is None or ((first is None or day >= first) and (last is None or day <= last))


def _route(line: dict[str, Any], raw: bytes, time: dt.datetime) -> Outgoing:
    """Topic and key of a line. Each field is read by itself, so that one bad field does not send
    the line to a topic where it is refused for another reason."""
    kind = _text(line.get("type"), "")
    row = CATALOGUE.get(kind)
    topic = row.topic if row else _TOPIC_OF_FAMILY.get(kind.partition(".")[2].split(".")[0])
    key = _text(line.get("partitionkey"), "unknown")
    return Outgoing(topic or ACCOUNT, key, raw, time, kind, _text(line.get("id"), ""))


def _mapping(raw: bytes) -> dict[str, Any]:
    try:
        line = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}


def _text(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def _time_of(raw: bytes) -> dt.datetime | None:
    return _time(_mapping(raw).get("time"))


def _time(value: Any) -> dt.datetime | None:
    try:
        time = msgspec.convert(value, dt.datetime)
    except msgspec.ValidationError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _business_date(line: dict[str, Any]) -> dt.date | None:
    data = line.get("data")
    try:
        return msgspec.convert(data["business_date"], dt.date) if isinstance(data, dict) else None
    except (KeyError, msgspec.ValidationError):
        return None
