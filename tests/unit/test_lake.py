"""The lake keeps every field of a fact, also those the wire leaves out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake, event_schema
from lifecycle.events import decode
from tests.support import DAY, event, made, opened, outgoing, posted


def test_a_field_at_its_default_is_in_the_lake(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    facts = [outgoing(made("P1", DAY)), outgoing(opened())]
    for position, fact in enumerate(facts):
        assert b'"penalty"' not in fact.value, "the wire leaves it out"
        event = decode(fact.value, fact.key.encode(), fact.topic, 0, position)
        lake.append([(position, event)], seal_id=1, version=position)
        (row,) = ds.dataset(lake.files(event.type)).to_table().to_pylist()
        if "allocation" in row:
            parts = ("principal", "interest", "penalty", "fees")
            assert row["allocation"] == {p: getattr(event.data.allocation, p) for p in parts}
        else:
            assert row["parties"] == [{"client_id": "C1", "role": "OWNER"}]


def test_a_table_takes_the_fields_its_type_got_later(tmp_path: Path) -> None:
    fact = event(posted())
    schema = event_schema(fact.type)
    older = pa.schema([field for field in schema if field.name != "merchant_details"])
    write_deltalake(str(tmp_path / fact.type), older.empty_table())
    Lake(tmp_path).append([(1, fact)], seal_id=1, version=1)
    assert (
        "merchant_details" in DeltaTable(str(tmp_path / fact.type)).to_pyarrow_table().schema.names
    )


def test_a_field_that_no_sealed_fact_has_yet_reads_as_null(tmp_path: Path) -> None:
    fact = event(posted())
    lake = Lake(tmp_path)
    lake.append([(1, fact)], seal_id=1, version=1)
    older = DeltaTable(str(tmp_path / fact.type)).to_pyarrow_table().drop(["merchant_details"])
    write_deltalake(str(tmp_path / fact.type), older, mode="overwrite", schema_mode="overwrite")
    with DuckDBEngine(lake) as engine:
        facts = engine.table(fact.type)
        assert set(event_schema(fact.type).names) == set(facts.columns)
        assert engine.run(facts.select("merchant_details")).to_pylist() == [
            {"merchant_details": None}
        ]
