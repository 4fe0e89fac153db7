"""The bulk half of a night against the same attributes in SQL written by hand (`bulk.sql`).

A bank is made once, straight into a lake (`bulk_bank`). Every contender runs in a process of its own, so
that its peak memory is its own, and the contenders take turns. What they import is the same and not timed.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import bulk_bank
from benchmarks.scratch import machine_facts, peak_rss_mb
from lifecycle import app, profiling, score_candidates, score_gate, scoring, standings
from lifecycle.alerts.rules import load_rules
from lifecycle.clients.attribute import Figures, closed_months
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.facts import Facts, end_of
from lifecycle.clients.profile import profile
from lifecycle.errors import UsageError
from lifecycle.settings import Settings

SCRIPT = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
READ = frozenset(re.findall(r"bank\.[a-z0-9_.]+\.v1", SCRIPT))
"""The types of events the script reads."""

SPARK_POSTINGS = 1_000_000
SPARK_MASTER = "local[2]"
YEARS = (1, 5)
"""The lengths of history whose nights are compared."""
ROWS_AT_ONCE = 100_000

Note = Callable[[str], None]


class Bank(NamedTuple):
    """A folder with the bank's lake, and the last day of the bank's life."""

    folder: Path
    day: dt.date
    postings: int

    @property
    def lake(self) -> Path:
        return self.folder / "lake"


class Cost(NamedTuple):
    """What one run took. CPU and memory are those of the process and of what it started."""

    seconds: float
    cpu_seconds: float
    peak_rss_mb: int
    parts: dict[str, float]
    """Seconds of each part, where a run has several."""


Contender = Callable[[Settings, Bank, Path], Cost]
"""Computes everything and writes it into a folder."""


def measure(
    configured: Settings, *, clients: int, days: int, rounds: int, spark: bool, note: Note
) -> dict[str, Any]:
    """The script, the product's attributes and the bulk half of a night; both engines with `spark`."""
    if spark and importlib.util.find_spec("pyspark") is None:
        raise UsageError(
            "--spark measures Spark, which is not installed. With it installed apart: `uv run --frozen "
            "--isolated --all-groups --extra spark lifecycle bench bulk --spark`."
        )
    facts = machine_facts()
    with _bank(clients, days, note) as bank:
        runs: dict[str, tuple[Contender, Bank]] = {
            "sql": (_sql, bank),
            "attributes": (_attributes, bank),
            "night": (_night, bank),
        }
        result = {"bank": _described(bank, clients, days)}
        result |= _interleaved(runs, configured, rounds, note)
    if spark:
        clients = round(SPARK_POSTINGS * 365 / bulk_bank.POSTINGS_A_YEAR / days)
        with _bank(clients, days, note) as bank:
            runs = {"duckdb": (_attributes, bank), "spark": (_attributes_on_spark, bank)}
            engines = _interleaved(runs, configured, rounds, note)
        result["engines"] = {"bank": _described(bank, clients, days)} | engines
    return result | {"machine": facts}


def history(configured: Settings, *, clients: int, rounds: int, note: Note) -> dict[str, Any]:
    """A night after a year of history and after five, of the same clients."""
    facts, (short, long) = machine_facts(), YEARS
    with _bank(clients, 365 * short, note) as young, _bank(clients, 365 * long, note) as old:
        runs: dict[str, tuple[Contender, Bank]] = {
            f"night after {years} y": (_night, bank)
            for years, bank in ((short, young), (long, old))
        }
        costs = _interleaved(runs, configured, rounds, note)
    return {
        "banks": [
            _described(bank, clients, 365 * years) for years, bank in ((short, young), (long, old))
        ],
        **costs,
        "machine": facts,
    }


def _described(bank: Bank, clients: int, days: int) -> dict[str, Any]:
    return {"clients": clients, "days": days, "postings": bank.postings, "last_day": bank.day}


@contextmanager
def _bank(clients: int, days: int, note: Note) -> Iterator[Bank]:
    with TemporaryDirectory(prefix="lifecycle-bulk-") as name:
        note(f"a bank of {clients:,} clients and {days:,} days")
        postings = bulk_bank.make(Path(name) / "lake", clients, days, note)
        last_day = bulk_bank.FIRST_DAY + dt.timedelta(days=days - 1)
        bank = Bank(Path(name), last_day, postings)
        complete(bank)
        yield bank


NOT_COMPARED = {
    "exposures",
    "days_past_due",
    "stage",
    "five_tier",
    "group_exposure",
    "altman_z1",
    "beneish_m",
}
"""Attributes of which the script has an older definition or none: the classification is a fold of each debtor
and no SQL; the indexes of Beneish are cut off over all companies of a night."""


def complete(bank: Bank) -> None:
    """Put a table without rows beside the lake for every type of events that the script reads and of
    which the lake has no files. Raises UsageError when the lake has facts the script does not read."""
    there = {path.parent.name for path in bank.lake.glob("*/*.parquet")}
    if unread := there - READ:
        raise UsageError(
            f"benchmarks/bulk.sql does not read {', '.join(sorted(unread))}: it would give other rows "
            "than the product. Add them to the script, or leave them out of the bank."
        )
    with app.engine_over_lake(bank.lake) as engine:
        for kind in READ - there:
            folder = bank.folder / "none" / kind
            folder.mkdir(parents=True)
            empty = engine.table(kind).schema().to_pyarrow().empty_table()
            pq.write_table(empty, folder / "none.parquet")


def sql_rows(
    connection: duckdb.DuckDBPyConnection, bank: Bank, figures: Figures, zone: ZoneInfo
) -> pa.RecordBatchReader:
    """The attributes of every client by the script, with the columns of `clients.profile.profile`."""
    connection.register("catalogue", _catalogue(figures))
    names = {name: _literal(figure.value) for name, figure in figures.items()}
    names |= {
        "folder": str(bank.folder),
        "day": bank.day.isoformat(),
        "as_of": end_of(bank.day, zone).isoformat(),
        "month_end": closed_months(bank.day, 1)[1].isoformat(),
    }
    connection.execute(Template(SCRIPT).substitute(names))
    return connection.execute("from profile").to_arrow_reader(ROWS_AT_ONCE)


def _catalogue(figures: Figures) -> pa.Table:
    """What is the same in all rows of an attribute, and what decides whether a client has one."""
    free = set(figures["purposes_without_consent"].value)
    return pa.Table.from_pylist([
        {
            "name": attribute.name,
            "unit": attribute.unit,
            "purpose": attribute.purpose,
            "confidence": attribute.confidence,
            "persons": "INDIVIDUAL" in attribute.clients,
            "companies": "CORPORATE" in attribute.clients,
            "needs_profile": "P2_PROFILE" in set(attribute.purposes) - free,
            "needs_sensitive": "P6_SENSITIVE" in set(attribute.purposes) - free,
        }
        for attribute in ATTRIBUTES.values()
    ])


def _literal(value: Any) -> str:
    """A figure in SQL: a list as what follows `in`, a mapping as a map of texts."""
    if isinstance(value, dict):
        return "map {" + ", ".join(f"'{key}': '{text}'" for key, text in value.items()) + "}"
    if isinstance(value, list):
        return "(" + ", ".join(f"'{text}'" for text in value) + ")"
    return str(value)


def _sql(configured: Settings, bank: Bank, into: Path) -> Cost:
    meter, figures = _Meter(), load_rules(configured.rules).parameters
    with duckdb.connect() as connection:
        _write(sql_rows(connection, bank, figures, configured.timezone), into, "client_profile")
        return meter.cost()


def _attributes(configured: Settings, bank: Bank, into: Path, spark: bool = False) -> Cost:
    meter, figures = _Meter(), load_rules(configured.rules).parameters
    on = replace(configured, engine="spark", spark_master=SPARK_MASTER) if spark else None
    with app.engine_over_lake(bank.lake, on) as engine:
        facts = Facts(engine, bank.day, configured.timezone, frozenset())
        allowed = profiling.allowed_purposes(engine, facts, figures)
        _write(engine.run(profile(facts, figures, allowed)).to_reader(), into, "client_profile")
        return meter.cost()


def _attributes_on_spark(configured: Settings, bank: Bank, into: Path) -> Cost:
    return _attributes(configured, bank, into, spark=True)


def _night(configured: Settings, bank: Bank, into: Path) -> Cost:
    """What `nightly._profiles` and `nightly._scores` do, without a database, gates and the night before."""
    meter, figures = _Meter(), load_rules(configured.rules).parameters
    with app.engine_over_lake(bank.lake) as engine:
        facts = Facts(engine, bank.day, configured.timezone, frozenset())
        stood = standings.stand(engine, facts, None, figures)
        meter.lap("standings")
        watched, used, judged = [], [], []
        names = pa.array(score_candidates.attributes_used(figures))
        profiles, summaries = into / "client_profile", into / "client_summary"
        for folder in (profiles, summaries):
            folder.mkdir()
        for number, made in enumerate(profiling.make(engine, facts, figures)):
            profiling.gate_columns(made, facts, figures)
            watched.append(standings.watched(made.rows, figures))
            own = made.rows.filter(pc.is_in(made.rows["name"], names))
            used.append(own.select(score_candidates.USED))
            pq.write_table(made.rows, profiles / f"{number}.parquet")
            rows = standings.rows_of(made.summaries, stood)
            judged.append(rows.select(score_candidates.SUMMARY))
            pq.write_table(rows, summaries / f"{number}.parquet")
        standings.gate_columns(watched, stood, None, figures)
        meter.lap("attributes, summaries, columns of gates")
        known, stated = pa.concat_tables(used), pa.concat_tables(judged)
        none = scoring.Models()
        found = score_candidates.find(engine, facts, known, stated, frozenset(), none, figures)
        for name, product in found.products.items():
            _write(product.to_reader(), into, name)
        meter.lap("facilities, and what scores rest on")
        frame = scoring.Frame(bank.day, none, figures, "", {})
        rowed = [
            row for kind, own in found.candidates.items() for row in scoring.rows(kind, own, frame)
        ]
        eligible = score_gate.eligible(stated["client_id"].to_pylist(), known)
        stages, moves = (found.products[n] for n in ("facility_stage", "facility_timeline"))
        score_gate.columns(rowed, stages, moves, eligible, none, figures)
        _write(pa.Table.from_pylist(rowed, scoring.SCHEMA).to_reader(), into, "risk_score")
        meter.lap("scores, columns of their gate")
        return meter.cost()


def _write(rows: pa.RecordBatchReader, into: Path, name: str) -> None:
    with pq.ParquetWriter(into / f"{name}.parquet", rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)


class _Meter:
    """Seconds, CPU and memory of this process and of those it started, from when it is made."""

    def __init__(self) -> None:
        self._started = self._lap = time.perf_counter()
        self._cpu = time.process_time()
        self._parts: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on this."""
        now = time.perf_counter()
        self._parts[name] = now - self._lap
        self._lap = now

    def cost(self) -> Cost:
        """What it took until now; to be asked while processes that were started are alive."""
        others = psutil.Process().children(recursive=True)
        return Cost(
            seconds=time.perf_counter() - self._started,
            cpu_seconds=time.process_time()
            - self._cpu
            + sum(used.user + used.system for used in (other.cpu_times() for other in others)),
            peak_rss_mb=sum(map(peak_rss_mb, [os.getpid(), *(other.pid for other in others)])),
            parts=self._parts,
        )


def _interleaved(
    runs: Mapping[str, tuple[Contender, Bank]], configured: Settings, rounds: int, note: Note
) -> dict[str, Any]:
    """name -> what its runs took; the median counts, and the most memory."""
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for number in range(1, rounds + 1):
        for name, (contender, bank) in runs.items():
            cost = _alone(contender, configured, bank)
            costs[name].append(cost)
            note(f"round {number}: {name} {cost.seconds:.1f} s")
    summed = {name: _summed(taken) for name, taken in costs.items()}
    first = next(iter(summed.values()))
    for row in summed.values():
        row["ratio"] = round(row["seconds"] / first["seconds"], 2)
    return {"runs": summed}


def _alone(contender: Contender, configured: Settings, bank: Bank) -> Cost:
    """One run in a process of its own, in a folder of its own."""
    context = multiprocessing.get_context("spawn")
    with (
        TemporaryDirectory(dir=bank.folder, prefix="run-") as name,
        ProcessPoolExecutor(1, context, initializer=_be_silent) as pool,
    ):
        return pool.submit(contender, configured, bank, Path(name)).result()


def _be_silent() -> None:
    """DuckDB takes a process of a pool for a person's, and would draw its progress into the report."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _summed(costs: Sequence[Cost]) -> dict[str, Any]:
    return {
        "seconds": _median(cost.seconds for cost in costs),
        "cpu_seconds": _median(cost.cpu_seconds for cost in costs),
        "peak_rss_mb": max(cost.peak_rss_mb for cost in costs),
        "rounds": [round(cost.seconds, 1) for cost in costs],
        "parts": {name: _median(cost.parts[name] for cost in costs) for name in costs[0].parts},
    }


def _median(figures: Iterable[float]) -> float:
    return round(statistics.median(figures), 1)
