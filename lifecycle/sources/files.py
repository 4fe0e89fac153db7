"""Anyone's events: one CloudEvent per line (NDJSON), published byte for byte."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lifecycle.errors import UsageError
from lifecycle.events import CATALOGUE, Outgoing
from lifecycle.events.catalogue import ACCOUNT

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _Data(msgspec.Struct, frozen=True):
    business_date: dt.date | None = None


class _Line(msgspec.Struct, frozen=True):
    """The little that has to be read to route a line; everything else is the consumer's to judge."""

    type: str = ""
    id: str = ""
    partitionkey: str = "unknown"
    time: dt.datetime = _EPOCH
    data: _Data = _Data()


_decode = msgspec.json.Decoder(_Line).decode


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
        with self._path.open("rb") as lines:
            for line in lines:
                raw = line.rstrip(b"\r\n")
                if raw:
                    event = _route(raw)
                    if within(event[1], first, last):
                        yield event[0]

    def count(self) -> int | None:
        return None


def within(day: dt.date | None, first: dt.date | None, last: dt.date | None) -> bool:
    """Whether a business date is in [first, last]; a line without one always passes."""
    return day is None or ((first is None or day >= first) and (last is None or day <= last))


def _route(raw: bytes) -> tuple[Outgoing, dt.date | None]:
    try:
        line = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        line = _Line()
    row = CATALOGUE.get(line.type)
    time = line.time if line.time.tzinfo else line.time.replace(tzinfo=dt.UTC)
    event = Outgoing(
        row.topic if row else ACCOUNT, line.partitionkey, raw, time, line.type, line.id
    )
    return event, line.data.business_date
