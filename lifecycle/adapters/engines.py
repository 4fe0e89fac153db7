"""The bulk engine: Ibis expressions over the lake, run by DuckDB in process."""

from __future__ import annotations

import gc
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.util import gen_name

from lifecycle.adapters.lake import Lake, event_schema


class DuckDBEngine:
    """Opens event tables of the lake as Ibis tables, and runs expressions to Arrow."""

    def __init__(self, lake: Lake) -> None:
        # Ibis builds an expression from a hundred thousand small objects that all stay: looking for
        # garbage among them as often as Python does by itself takes a quarter of a small night.
        gc.set_threshold(50_000, 20, 100)
        self._lake = lake
        # Nothing may be downloaded at run time: what the wheel bundles is enough.
        self._connection = ibis.duckdb.connect(autoinstall_known_extensions=False)
        self._opened: dict[str, ir.Table] = {}

    def table(self, event_type: str) -> ir.Table:
        """All sealed facts of one type; an empty table when there are none."""
        if event_type not in self._opened:
            self._opened[event_type] = self._open(event_type)
        return self._opened[event_type]

    def _open(self, event_type: str) -> ir.Table:
        known = ibis.memtable(event_schema(event_type).empty_table())
        files = self._lake.files(event_type)
        if not files:
            return known
        name = event_type.replace(".", "_")
        facts = self._connection.read_parquet(files, table_name=name, union_by_name=True)
        # No file has a field yet that the type got after its last fact was sealed.
        later = {n: ibis.null(kind) for n, kind in known.schema().items() if n not in facts.columns}
        return facts.mutate(**later)

    def run(self, expression: ir.Table) -> pa.Table:
        """Execute to Arrow."""
        return expression.to_pyarrow()

    def keep(self, expression: ir.Table) -> ir.Table:
        """A temporary table of the expression's rows."""
        return self._connection.create_table(gen_name("kept"), expression, temp=True)

    def close(self) -> None:
        self._connection.disconnect()

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
