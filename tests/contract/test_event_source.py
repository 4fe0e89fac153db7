"""What every EventSource promises, on each of them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lifecycle.events import Event, Outgoing, decode
from lifecycle.ports import EventSource
from lifecycle.sources.berka import BerkaSource
from lifecycle.sources.files import FileSource
from lifecycle.sources.simulator import SimulatorSource
from tests import small_berka
from tests.conftest import BERKA, needs_berka

ZONE = ZoneInfo("Asia/Shanghai")


def simulator(folder: Path) -> EventSource:
    first = dt.date(2026, 1, 1)
    return SimulatorSource(seed=9, clients=50, first_day=first, days=60, timezone=ZONE)


def file(folder: Path) -> EventSource:
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(e.value for e in simulator(folder).events(None, None)))
    return FileSource(path)


def miniature(folder: Path) -> EventSource:
    return BerkaSource(small_berka.write(folder), ZONE)


def berka(folder: Path) -> EventSource:
    return BerkaSource(BERKA, ZONE)


Make = Callable[[Path], EventSource]
SOURCES = [simulator, file, miniature, pytest.param(berka, marks=needs_berka)]
every_source = pytest.mark.parametrize("make", SOURCES, scope="module")


@pytest.fixture(scope="module")
def whole(make: Make, tmp_path_factory: pytest.TempPathFactory) -> list[Outgoing]:
    return list(make(tmp_path_factory.mktemp("source")).events(None, None))


def read(out: Outgoing) -> Event:
    return decode(out.value, out.key.encode(), out.topic, 0, 0)


@every_source
def test_the_same_call_gives_the_same_bytes(
    make: Make, whole: list[Outgoing], tmp_path: Path
) -> None:
    source = make(tmp_path)
    assert list(source.events(None, None)) == whole
    assert list(source.events(None, None)) == whole, "a source can be asked twice"


@every_source
def test_every_event_is_accepted_on_its_topic_and_key(make: Make, whole: list[Outgoing]) -> None:
    assert whole
    for out in whole:
        event = read(out)
        assert (event.type, event.id, event.time) == (out.type, out.id, out.time)


@every_source
def test_ids_come_once_and_times_in_order(make: Make, whole: list[Outgoing]) -> None:
    assert len({out.id for out in whole}) == len(whole)
    assert all(a.time <= b.time for a, b in pairwise(whole))


@every_source
def test_sequence_rises_within_a_client(make: Make, whole: list[Outgoing]) -> None:
    numbers = defaultdict(list)
    for out in whole:
        numbers[out.key].append(int(out.value.split(b'"sequence":"')[1].split(b'"')[0]))
    assert all(n == sorted(set(n)) for n in numbers.values())


@every_source
def test_a_range_of_days_is_that_part_of_the_whole(
    make: Make, whole: list[Outgoing], tmp_path: Path
) -> None:
    """Both ends are inside, and what is left out changes nothing in what is kept."""
    dates = [read(out).business_date for out in whole]
    some = sorted(set(dates))
    first, last = some[len(some) // 3], some[len(some) // 2]
    source = make(tmp_path)
    for low, high in ((first, last), (None, last), (first, None), (last, first)):
        kept = [
            out
            for out, day in zip(whole, dates, strict=True)
            if (low is None or day >= low) and (high is None or day <= high)
        ]
        assert list(source.events(low, high)) == kept


@every_source
def test_the_count_is_right_or_unknown(make: Make, whole: list[Outgoing], tmp_path: Path) -> None:
    assert make(tmp_path).count() in (None, len(whole))


@every_source
def test_the_source_has_a_name(make: Make, tmp_path: Path) -> None:
    assert make(tmp_path).name
