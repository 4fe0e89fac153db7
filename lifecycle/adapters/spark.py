"""The bulk engine of a cluster: the same Ibis expressions over the lake, run by Spark."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.pyspark.datatypes import PySparkSchema
from ibis.util import gen_name
from pyspark.sql import DataFrame, SparkSession

from lifecycle.adapters.lake import Lake, event_schema
from lifecycle.settings import LOOPBACK

JOBS_AT_ONCE = 4
"""Small jobs leave most of a cluster idle, so that several run side by side."""

SETTINGS: dict[str, Any] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.pyspark.python": sys.executable,
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
ON_LOOPBACK: dict[str, Any] = {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}


class SparkEngine:
    """Opens event tables of the lake as Ibis tables, and runs expressions to Arrow.

    A process has one Spark session at a time: close an engine before the next one is opened. The
    executors read the files of the lake under the paths they have here.
    """

    def __init__(self, lake: Lake, master: str, java_home: Path) -> None:
        self._lake = lake
        self._session = _session(master, java_home)
        self._connection = ibis.pyspark.connect(self._session)
        self._opened: dict[str, ir.Table] = {}

    def table(self, event_type: str) -> ir.Table:
        """All sealed facts of one type; an empty table when there are none."""
        if event_type not in self._opened:
            self._opened[event_type] = self._open(event_type)
        return self._opened[event_type]

    def _open(self, event_type: str) -> ir.Table:
        known = event_schema(event_type)
        schema = ibis.Schema.from_pyarrow(known)
        files = self._lake.files(event_type)
        if files:
            # With the columns given, a file that was sealed before a field came reads it as null.
            facts = self._session.read.schema(PySparkSchema.from_ibis(schema)).parquet(*files)
        else:
            facts = self._session.createDataFrame(known.empty_table())
        return self._named(facts, schema)

    def run(self, expression: ir.Table) -> pa.Table:
        """Execute to Arrow. Parts of a union are jobs of their own: in one plan, the hundred
        attributes of a profile take Spark longer to plan than to compute."""
        schema = expression.schema()
        frames = [self._frame(part.to_expr()) for part in _parts(expression.op())]
        with ThreadPoolExecutor(JOBS_AT_ONCE) as pool:
            tables = list(pool.map(lambda frame: frame.toArrow(), frames))
        return pa.concat_tables([table.cast(schema.to_pyarrow()) for table in tables])

    def keep(self, expression: ir.Table) -> ir.Table:
        """A temporary view of the expression's rows, which the executors hold."""
        frames = [self._frame(part.to_expr()).cache() for part in _parts(expression.op())]
        with ThreadPoolExecutor(JOBS_AT_ONCE) as pool:
            list(pool.map(lambda frame: frame.count(), frames))
        return self._named(reduce(DataFrame.unionAll, frames), expression.schema())

    def close(self) -> None:
        self._connection.disconnect()

    def __enter__(self) -> SparkEngine:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _frame(self, expression: ir.Table) -> DataFrame:
        # A view brings the expression's memory tables along; compiling alone does not.
        name = gen_name("asked")
        self._connection.create_view(name, expression)
        return self._session.table(name)

    def _named(self, frame: DataFrame, schema: ibis.Schema) -> ir.Table:
        """A table of these rows. Spark's timestamps do not tell their zone; the schema does."""
        name = gen_name("facts")
        frame.createTempView(name)
        return self._connection.table(name).cast(schema)


def _session(master: str, java_home: Path) -> SparkSession:
    # pyspark takes the Java to start from the environment, and from nowhere else.
    os.environ["JAVA_HOME"] = str(java_home)
    alone = master.startswith("local") or urlsplit(master).hostname == LOOPBACK
    builder = SparkSession.builder.appName("lifecycle").master(master)
    return builder.config(map=SETTINGS | (ON_LOOPBACK if alone else {})).getOrCreate()


def _parts(node: ops.Relation) -> Iterator[ops.Relation]:
    """What a union of all rows puts together."""
    if isinstance(node, ops.Union) and not node.distinct:
        yield from _parts(node.left)
        yield from _parts(node.right)
    else:
        yield node
