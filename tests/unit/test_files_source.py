"""Anyone's events: published byte for byte, bad lines too."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from lifecycle.errors import UsageError
from lifecycle.sources.files import FileSource
from tests.support import DAY, outgoing, posted


def test_lines_are_published_verbatim(tmp_path: Path) -> None:
    good = outgoing(posted()).value
    path = tmp_path / "events.ndjson"
    path.write_bytes(good + b"\n" + b"{broken\n\n" + b'{"type": "who.knows"}\r\n')
    events = list(FileSource(path).events(None, None))
    assert [e.value for e in events] == [good, b"{broken", b'{"type": "who.knows"}']
    assert [e.key for e in events] == ["C1", "unknown", "unknown"]
    assert events[0].topic == "bank.account.v1"


def test_dates_filter_the_lines_that_have_one(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(outgoing(posted()).value + b"\n{broken\n")
    later = DAY + dt.timedelta(days=1)
    assert [e.value for e in FileSource(path).events(later, None)] == [b"{broken"]


def test_what_is_no_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a file"):
        FileSource(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    with pytest.raises(UsageError, match="empty"):
        FileSource(tmp_path / "empty")
