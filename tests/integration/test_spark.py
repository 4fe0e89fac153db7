"""The bulk work of a night on a Spark cluster gives the tables DuckDB gives, row by row.

The cluster is a real one: a master and two workers on loopback, from the pyspark wheel's own classes,
each executor a process of its own.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ibis
import psutil
import pyarrow as pa
import pyspark
import pytest
from deltalake import DeltaTable, write_deltalake

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.adapters.spark import SparkEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.models.figures import figures_of
from lifecycle.platform.jars import java_home
from lifecycle.settings import LOOPBACK
from lifecycle.sources.simulator import SimulatorSource
from tests.borrower import borrower
from tests.lakes import ZONE, lake_of
from tests.products import DAY, DAYS, FIRST, PRODUCTS, Side, rows_of, side_of
from tests.samples import client_life
from tests.unit.aml.cases import whole_bank
from tests.unit.models.cards import card

CLIENTS, LIVES = 80, 20
OLDER = 1000
"""Entries in a file of their own, from before entries told their channel."""
POSTED = "bank.account.transaction_posted.v1"
SMALL = """\
spark.sql.shuffle.partitions 2
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.adaptive.enabled false
"""
"""A few thousand rows are computed in the time it takes to generate code for them."""


class Cluster(NamedTuple):
    master: str
    java_home: Path
    workers: list[psutil.Process]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    conf = folder / "spark-defaults.conf"
    conf.write_text(SMALL)
    java = java_home(folder / "java")
    port = _free_port()
    master = f"spark://{LOOPBACK}:{port}"
    environment = {
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_SCALA_VERSION": "2.13",
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_LOCAL_DIRS": str(folder),
        "JAVA_HOME": str(java),
    }
    started: list[psutil.Popen] = []

    def start(name: str, *arguments: str) -> None:
        with (folder / f"{len(started)}.log").open("w") as log:
            started.append(
                psutil.Popen(
                    [
                        str(java / "bin" / "java"),
                        *("-Xmx256m", "-cp", f"{environment['SPARK_HOME']}/jars/*"),
                        *(f"org.apache.spark.deploy.{name}", "--host", LOOPBACK),
                        *("--webui-port", "0", *arguments),
                    ],
                    env=os.environ | environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            start("master.Master", "--port", str(port))
            _wait_for(port)
            for _ in range(2):
                start(
                    *("worker.Worker", "--cores", "1", "--memory", "1g"),
                    *("--work-dir", str(folder / "work"), master),
                )
            yield Cluster(master, java, started[1:])
        finally:
            family = [p for parent in started for p in (*parent.children(recursive=True), parent)]
            for process in started:
                process.terminate()
            _, alive = psutil.wait_procs(family, timeout=20)
            for process in alive:
                process.kill()
    assert not alive, alive


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Eight months of a bank, clients who have one fact of every type, and the cases of money
    laundering."""
    path = tmp_path_factory.mktemp("lake")
    bank = SimulatorSource(seed=11, clients=CLIENTS, first_day=FIRST, days=DAYS, timezone=ZONE)
    lives = (fact for n in range(LIVES) for fact in client_life(f"LIFE-{n}", seed=n))
    borrowers = (fact for n in range(3) for fact in borrower(f"BORROWER-{n}", DAY))
    facts = itertools.chain(bank.events(None, None), lives, whole_bank().facts, borrowers)
    lake = lake_of(path, facts)
    entries = DeltaTable(str(path / POSTED)).to_pyarrow_table().sort_by("position")
    older, newer = entries.slice(0, OLDER).drop(["channel"]), entries.slice(OLDER)
    write_deltalake(str(path / POSTED), older, mode="overwrite", schema_mode="overwrite")
    write_deltalake(str(path / POSTED), newer, mode="append", schema_mode="merge")
    return lake


@pytest.fixture(scope="module")
def sides(lake: Lake, cluster: Cluster, rule_set: RuleSet) -> Iterator[tuple[Side, Side]]:
    with (
        DuckDBEngine(lake) as duckdb,
        SparkEngine(lake, cluster.master, cluster.java_home) as spark,
    ):
        yield side_of(duckdb, rule_set), side_of(spark, rule_set)


@pytest.mark.parametrize("product", PRODUCTS)
def test_both_engines_give_the_same_rows(product: str, sides: tuple[Side, Side]) -> None:
    ours, theirs = (rows_of(side, PRODUCTS[product]) for side in sides)
    assert ours.num_rows > 0
    assert theirs.schema == ours.schema
    assert theirs.to_pylist() == ours.to_pylist()


def test_a_scorecard_gives_the_same_scores(sides: tuple[Side, Side], rule_set: RuleSet) -> None:
    """Values that lie on the edges of bins, are nothing, or are no number, in every combination."""
    own = card(figures_of(rule_set.parameters))
    loads = (None, float("nan"), float("-inf"), 0.49, 0.5, 2.0, float("inf"))
    homes = (None, "", "own", "rent", "boat", "家")
    combined = itertools.product(loads, homes, (None, -0.0, -1e-9, 7.5))
    rows = [dict(zip(("load", "home", "age"), row, strict=True)) for row in combined]
    schema = pa.schema([("load", pa.float64()), ("home", pa.string()), ("age", pa.float64())])
    table = pa.Table.from_pylist(rows, schema).append_column("n", pa.array(range(len(rows))))
    asked = own.score(ibis.memtable(table), "n")
    ours, theirs = (side.engine.run(asked).sort_by("n").to_pylist() for side in sides)
    assert theirs == ours
    assert [row["score"] for row in ours] == [own.score_row(row).score for row in rows]


def test_two_executors_did_the_work(sides: tuple[Side, Side], cluster: Cluster) -> None:
    """The driver alone would give equal rows too."""
    children = [child for worker in cluster.workers for child in worker.children()]
    assert len(children) == len(cluster.workers)
    assert all("CoarseGrainedExecutorBackend" in " ".join(child.cmdline()) for child in children)


def test_a_file_sealed_before_a_field_came_reads_it_as_null(sides: tuple[Side, Side]) -> None:
    for side in sides:
        told = side.engine.run(side.engine.table(POSTED).select("position", "channel"))
        channels = told.sort_by("position")["channel"]
        assert channels.slice(0, OLDER).null_count == OLDER
        assert channels.null_count < len(channels)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing listens on {port}")
