"""The lake keeps every field of a fact, also those the wire leaves out."""

from __future__ import annotations

from pathlib import Path

import pyarrow.dataset as ds

from lifecycle.adapters.lake import Lake
from lifecycle.events import decode
from tests.support import DAY, made, opened, outgoing


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
