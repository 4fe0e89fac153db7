"""The lake keeps every field of a fact, also those the wire leaves out."""

from __future__ import annotations

import datetime as dt
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


def of_day(day: dt.date, *clients: str) -> pa.Table:
    days = pa.array([day] * len(clients), pa.date32())
    return pa.table({"client_id": list(clients), "name": list(clients), "as_of": days})


def test_a_draft_is_in_the_lake_when_it_is_kept_and_not_before(tmp_path: Path) -> None:
    lake, day = Lake(tmp_path), dt.date(2026, 3, 1)
    lake.replace("product", of_day(day, "old"), day)
    other = day + dt.timedelta(days=1)
    lake.replace("product", of_day(other, "other"), other)
    with lake.draft("product", day) as dropped:
        dropped.add(of_day(day, "never"))
    with lake.draft("product", day) as draft:
        draft.add(of_day(day, "A", "B"))
        draft.add(of_day(day, "C"))
        assert lake.read("product", day)["client_id"].to_pylist() == ["old"]
        draft.keep()
    # The writer keeps no order of parts.
    assert sorted(lake.read("product", day)["client_id"].to_pylist()) == ["A", "B", "C"]
    assert lake.read("product", day, ["name"]).column_names == ["name"]
    parts = pa.concat_tables(lake.parts("product", day))
    assert sorted(parts["client_id"].to_pylist()) == ["A", "B", "C"]
    assert lake.read("product", other)["client_id"].to_pylist() == ["other"]
    assert [path.name for path in tmp_path.iterdir()] == ["product"], "no draft stays behind"


def test_attributes_are_read_by_name(tmp_path: Path) -> None:
    lake, day = Lake(tmp_path), dt.date(2026, 3, 1)
    assert lake.attributes(day, ["age"]) is None
    rows = pa.table({
        "client_id": ["A", "A"],
        "name": ["age", "aum"],
        "value": ["40", None],
        "null_reason": [None, "UNKNOWN"],
        "sources": [["e1"], []],
        "as_of": pa.array([day] * 2, pa.date32()),
    })
    lake.replace("client_profile", rows, day)
    found = lake.attributes(day, ["age"])
    assert found is not None
    assert found.to_pylist() == [
        {"client_id": "A", "name": "age", "value": "40", "null_reason": None}
    ]
    every = lake.attributes(day)
    assert every is not None
    assert every.num_rows == 2
    assert lake.attributes(day + dt.timedelta(days=1)) is None
