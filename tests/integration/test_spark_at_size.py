"""The same equality for a bank of a million postings, with what each engine takes: `make engines`.

Spark runs where LIFECYCLE_SPARK_MASTER says.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lifecycle import settings
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.spark import SparkEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.platform.jars import java_home
from lifecycle.sources.simulator import SimulatorSource
from tests.lakes import ZONE, lake_of
from tests.products import DAYS, FIRST, PRODUCTS, rows_of, side_of

POSTINGS = int(os.environ.get("LIFECYCLE_ENGINES_POSTINGS", "1000000"))
POSTINGS_PER_CLIENT = 130
POSTED = "bank.account.transaction_posted.v1"
OF_CLIENTS = ("consents", "facilities", "observations", "profile")


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_both_engines_give_the_same_rows_of_a_whole_bank(
    tmp_path: Path, rule_set: RuleSet, capsys: pytest.CaptureFixture[str]
) -> None:
    clients = POSTINGS // POSTINGS_PER_CLIENT
    bank = SimulatorSource(seed=11, clients=clients, first_day=FIRST, days=DAYS, timezone=ZONE)
    lake = lake_of(tmp_path / "lake", bank.events(None, None))
    master = settings.load().spark_master
    engines = {
        "duckdb": lambda: DuckDBEngine(lake),
        "spark": lambda: SparkEngine(lake, master, java_home(tmp_path / "java")),
    }
    tables: dict[str, dict[str, object]] = {}
    for name, opened in engines.items():
        with opened() as engine:
            side = side_of(engine, rule_set)
            postings = engine.run(engine.table(POSTED).select("position")).num_rows
            assert postings >= POSTINGS
            for product in OF_CLIENTS:
                started = time.perf_counter()
                rows = rows_of(side, PRODUCTS[product])
                seconds = round(time.perf_counter() - started, 1)
                tables.setdefault(product, {})[name] = rows
                with capsys.disabled():
                    print(json.dumps([name, product, postings, rows.num_rows, seconds]))
    for product, made in tables.items():
        assert made["duckdb"].equals(made["spark"]), product
