"""What the nights say of the simulated bank, against the truth that only its labels tell.

The bank's events go straight into a lake of their own, without a broker or a database. Over it run the
steps of a night: standings on a schedule of dates; attributes, checks and needs at its end.
"""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa

from benchmarks import truth
from benchmarks.scratch import machine_facts
from lifecycle import app, profiling, standings
from lifecycle.alerts.rules import load_rules
from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.clients.lifecycle import Standing
from lifecycle.clients.needs.said import DECLARED
from lifecycle.clients.summary import Summary, document
from lifecycle.events import Outgoing, decoded
from lifecycle.settings import Settings

FIRST_DAY = dt.date(2026, 1, 1)
EARLY_DAYS = 130
"""After so many days the stories of the first months are told, and still within the windows."""
STATES_DAYS = 420
"""After so many days every lifecycle state has clients whose label is sure."""
DAILY_DAYS = 21
"""So many nights in a row lead up to a day on which states are judged: more than the fourteen days a state
is kept and the two runs that name the next."""
WEEK = 7
CHUNK = 200_000


Note = Callable[[str], None]


def measure(
    configured: Settings, nights: Sequence[int], *, clients: int, seed: int, note: Note
) -> dict[str, Any]:
    """Simulate a bank, run the nights after so many days each, as `schedule` has them, and compare."""
    days = nights[-1]
    figures = load_rules(configured.rules).parameters
    seconds: dict[str, float] = {}

    def bank(lived: int) -> Any:
        return app.simulator(
            configured, seed=seed, clients=clients, first_day=FIRST_DAY, days=lived
        )

    with TemporaryDirectory() as name:
        folder = Path(name)
        with timed("events", seconds, note):
            events = seal(bank(days).events(None, None), folder, note)
        with timed("standings", seconds, note):
            stood = _stand(folder, nights, configured, figures, note)
        with timed("early attributes", seconds, note):
            early = _attributes(folder, EARLY_DAYS, configured, figures)
        with timed("attributes, checks, needs", seconds, note):
            made = _night(folder, days, configured, figures)
    labels = bank(days).labels()
    values = {"early": truth.values(early), "last": truth.values(made.rows)}
    return {
        "bank": {
            "clients": clients,
            "days": days,
            "seed": seed,
            "events": events,
            "first_day": FIRST_DAY,
            "last_day": date_of(days),
            "nights": len(nights),
        },
        "states": [
            {"day": date_of(lived), **truth.states(bank(lived).labels(), stood[lived])}
            for lived in judged(days)
        ],
        "checks": truth.checks(labels, made.summaries, figures),
        "stories": truth.stories(labels, values),
        "needs": truth.needs(made.declared, made.summaries),
        "seconds": seconds,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "machine": machine_facts(),
    }


def schedule(days: int) -> list[int]:
    """After how many days a night is run, for a bank of at least `EARLY_DAYS`: every week, at the end of
    every month, when growth is judged, and on every one of the days that lead up to a judgement."""
    return [
        lived
        for lived in range(1, days + 1)
        if lived % WEEK == 0
        or ends_month(date_of(lived))
        or any(0 <= end - lived < DAILY_DAYS for end in judged(days))
    ]


def judged(days: int) -> list[int]:
    """After how many days states are compared with the truth."""
    return sorted({min(days, STATES_DAYS), days})


def date_of(lived: int) -> dt.date:
    """The last of so many days."""
    return FIRST_DAY + dt.timedelta(days=lived - 1)


def ends_month(day: dt.date) -> bool:
    """Whether growth is judged on this day."""
    return day.day == calendar.monthrange(day.year, day.month)[1]


@contextmanager
def timed(name: str, seconds: dict[str, float], note: Note) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - started, 1)
    note(f"{name}: {seconds[name]:,} s")


# --- the night's steps ----------------------------------------------------------------------------


def seal(events: Iterator[Outgoing], folder: Path, note: Note) -> int:
    """Write the events into the lake in the order they come, while the next ones are made."""
    written = 0
    fresh = multiprocessing.get_context("spawn")  # no threads of this process in the other
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        appended = None
        for version, chunk in enumerate(iter(lambda: list(itertools.islice(events, CHUNK)), [])):
            if appended is not None:
                appended.result()
            appended = pool.submit(_append, folder, chunk, written + 1, version)
            written += len(chunk)
            note(f"{written:,} events, up to {chunk[-1].time:%Y-%m-%d}")
        if appended is not None:
            appended.result()
    return written


def _append(folder: Path, chunk: Sequence[Outgoing], first: int, version: int) -> None:
    app.append_to_lake(folder, list(enumerate(map(decoded, chunk), first)), version)


def _stand(
    folder: Path, nights: Sequence[int], configured: Settings, figures: Figures, note: Note
) -> Mapping[int, dict[str, Standing]]:
    """Lived days -> client id -> standing, of the days on which states are judged."""
    earlier, stood = None, {}
    with app.engine_over_lake(folder) as engine:
        for lived in nights:
            facts = Facts(engine, date_of(lived), configured.timezone, frozenset())
            tonight = standings.stand(engine, facts, earlier, figures)
            after = {client: one.after for client, one in tonight.items()}
            earlier = pa.table({
                "client_id": list(after),
                "standing": list(map(document, after.values())),
            })
            if lived in judged(nights[-1]):
                stood[lived] = after
            note(f"standings of {date_of(lived)}")
    return stood


def _attributes(folder: Path, lived: int, configured: Settings, figures: Figures) -> pa.Table:
    """The attributes in which stories show, as of a day."""
    with app.engine_over_lake(folder) as engine:
        facts = Facts(engine, date_of(lived), configured.timezone, frozenset())
        consents = profiling.allowed_purposes(engine, facts, figures)
        parts = profiling.attributes(engine, facts, figures, consents)
        return pa.concat_tables(truth.showing(rows) for _, rows in parts)


class Night(NamedTuple):
    """What a night makes of every client: attributes in which stories show, and what follows from all."""

    rows: pa.Table
    summaries: list[Summary]
    declared: list[dict[str, Any]]
    """The needs that clients declared."""


def _night(folder: Path, lived: int, configured: Settings, figures: Figures) -> Night:
    with app.engine_over_lake(folder) as engine:
        facts = Facts(engine, date_of(lived), configured.timezone, frozenset())
        declared = facts.table(DECLARED).select("client_id", "need_code", "strength")
        rows, summaries = [], []
        for made in profiling.make(engine, facts, figures):
            rows.append(truth.showing(made.rows))
            summaries.extend(made.summaries)
        return Night(pa.concat_tables(rows), summaries, engine.run(declared).to_pylist())
