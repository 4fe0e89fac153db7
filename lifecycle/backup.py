"""A backup as it describes itself, and what the stream does after one was restored. Pure.

A backup is a folder: `manifest.json`, `database/` (a dump of the bank's database at one moment) and
`lake/` (the Delta tables as they were at that moment). The manifest names every other file with its
size and digest; a folder without one is not a backup.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import msgspec

from lifecycle.errors import UsageError
from lifecycle.offsets import is_other_topic, problem

VERSION = 1
MANIFEST = "manifest.json"
DATABASE = "database"
LAKE = "lake"

Place = tuple[str, int]


class FileFacts(msgspec.Struct, frozen=True):
    """By what a file is known again."""

    bytes: int
    sha256: str


class Offset(msgspec.Struct, frozen=True):
    """Where a group would read on."""

    consumer_group: str
    topic: str
    partition: int
    next_offset: int
    topic_id: str | None = None
    """The broker's id of the topic it counts in."""


class Manifest(msgspec.Struct, frozen=True):
    """What `manifest.json` holds. Instants are the database's."""

    version: int
    code_version: str
    schema_revision: str
    taken_at: dt.datetime
    """The moment the backup shows."""
    finished_at: dt.datetime
    offsets: list[Offset]
    tables: dict[str, int]
    """Table -> rows."""
    files: dict[str, FileFacts]
    """Path inside the folder, with slashes -> its facts."""


class Replay(msgspec.Struct, frozen=True):
    """What a consumer reads again of one partition: the offsets [start, end)."""

    topic: str
    partition: int
    start: int
    end: int
    records: int
    problem: str | None
    """Why it cannot, and which command decides."""


def read(text: bytes, folder: str, revision: str) -> Manifest:
    """A manifest that this code can restore. Raises UsageError with what is wrong about it."""
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{folder}/{MANIFEST} is damaged ({error}): take another backup; nothing was changed."
        ) from error
    if manifest.version != VERSION:
        raise UsageError(
            f"The backup {folder} has format {manifest.version} and this version of lifecycle "
            f"restores format {VERSION}: restore it with lifecycle {manifest.code_version}; "
            "nothing was changed."
        )
    if manifest.schema_revision != revision:
        raise UsageError(
            f"The backup {folder} has schema revision {manifest.schema_revision} and this version "
            f"of lifecycle has {revision}: restore it with lifecycle {manifest.code_version}, then "
            "run `lifecycle migrate` of this one; nothing was changed."
        )
    return manifest


def differences(wanted: Mapping[str, FileFacts], found: Mapping[str, FileFacts]) -> list[str]:
    """One phrase per file that is not as the manifest says."""
    said = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    return said + [
        f"{name} is damaged"
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name] != found[name]
    ]


def replays(
    offsets: Iterable[Offset],
    starts: Mapping[Place, int],
    ends: Mapping[Place, int],
    topics: Mapping[str, str],
) -> list[Replay]:
    """Per partition of the broker, what a consumer reads again from the backup's offsets on.

    A partition that the backup does not know was made later: `lifecycle bootstrap`, which `up` runs,
    gives it an offset row, and it is read from its first record. `topics` holds the broker's ids.
    """
    known = {(o.topic, o.partition): o for o in offsets}
    found = []
    for place, end in sorted(ends.items()):
        offset = known.get(place)
        start = offset.next_offset if offset else 0
        made_anew = is_other_topic(offset.topic_id if offset else None, topics.get(place[0]))
        wrong = problem(place, start, starts[place], end, made_anew=made_anew)
        records = max(0, end - max(start, starts[place]))
        found.append(Replay(*place, start, end, records, wrong))
    return found
