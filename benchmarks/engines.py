"""Whether Spark and DuckDB give equal tables for a whole bank, and what each of them takes.

`python -m benchmarks.engines 1000000` simulates eight months of as many clients as it takes for that
many postings, and prints a line of JSON for each table a night computes. Spark runs where
LIFECYCLE_SPARK_MASTER says.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from lifecycle import profiling, settings
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.adapters.spark import SparkEngine
from lifecycle.alerts.rules import load_rules
from lifecycle.clients.attribute import Figures
from lifecycle.clients.consent import consent_facts
from lifecycle.clients.facts import Facts
from lifecycle.clients.observation import observations
from lifecycle.clients.profile import profile
from lifecycle.events import decode
from lifecycle.platform.jars import java_home
from lifecycle.ports import Engine
from lifecycle.risk.classification import facilities
from lifecycle.sources.simulator import SimulatorSource

FIRST = dt.date(2026, 1, 1)
DAYS = 240
DAY = FIRST + dt.timedelta(days=DAYS - 1)
POSTINGS_PER_CLIENT = 143
POSTED = "bank.account.transaction_posted.v1"
CHUNK = 100_000

Consents = profiling.Allowed
TABLES: dict[str, tuple[Callable[[Facts, Figures, Consents], ir.Table], list[str]]] = {
    "consents": (lambda facts, figures, consents: consent_facts(facts), ["event_id"]),
    "facilities": (lambda facts, figures, consents: facilities(facts, figures), ["facility_id"]),
    "observations": (lambda facts, figures, consents: observations(facts, figures), ["client_id"]),
    "profile": (profile, ["client_id", "name"]),
}
"""Each table a night computes of its clients, and the columns its rows are told apart by."""


def measure(postings: int) -> Iterator[dict[str, Any]]:
    """One row a table: (table, rows, duckdb_seconds, spark_seconds, equal), the lake's size first."""
    ours = settings.load()
    with tempfile.TemporaryDirectory() as folder:
        lake = _lake(Path(folder) / "lake", clients=postings // POSTINGS_PER_CLIENT)
        with DuckDBEngine(lake) as engine:
            yield {"postings": engine.run(engine.table(POSTED).select("position")).num_rows}
            duckdb = _tables(engine, ours)
        with SparkEngine(lake, ours.spark_master, java_home(Path(folder) / "java")) as engine:
            spark = _tables(engine, ours)
    for name, (rows, seconds) in duckdb.items():
        yield {
            "table": name,
            "rows": rows.num_rows,
            "duckdb_seconds": seconds,
            "spark_seconds": spark[name][1],
            "equal": rows.equals(spark[name][0]),
        }


def _tables(engine: Engine, ours: settings.Settings) -> dict[str, tuple[pa.Table, float]]:
    figures = load_rules(ours.rules).parameters
    facts = Facts(engine, DAY, ours.timezone, frozenset())
    consents = profiling.allowed_purposes(engine, facts, figures)
    tables = {}
    for name, (build, key) in TABLES.items():
        started = time.perf_counter()
        rows = engine.run(build(facts, figures, consents))
        seconds = round(time.perf_counter() - started, 1)
        tables[name] = (rows.sort_by([(k, "ascending") for k in key]).combine_chunks(), seconds)
    return tables


def _lake(path: Path, clients: int) -> Lake:
    lake = Lake(path)
    zone = settings.bank_zone()
    bank = SimulatorSource(seed=11, clients=clients, first_day=FIRST, days=DAYS, timezone=zone)
    facts = (decode(f.value, f.key.encode(), f.topic, 0, 0) for f in bank.events(None, None))
    numbered = enumerate(facts, start=1)
    for version, chunk in enumerate(iter(lambda: list(itertools.islice(numbered, CHUNK)), [])):
        lake.append(chunk, seal_id=1, version=version)
    return lake


if __name__ == "__main__":
    for row in measure(int(sys.argv[1])):
        print(json.dumps(row), flush=True)
