"""The gate: one suite, on Great Expectations and in memory. It fails closed."""

from __future__ import annotations

from typing import Any

import pytest

from expectations.gate import GreatExpectationsGate
from lifecycle.adapters.memory import MemoryGate
from lifecycle.events import InvalidEvent
from lifecycle.intake import raw_columns


@pytest.fixture(scope="module", params=["memory", "great_expectations"])
def gate(request: pytest.FixtureRequest) -> Any:
    return MemoryGate() if request.param == "memory" else GreatExpectationsGate()


def test_a_clean_batch_passes(gate: Any) -> None:
    verdict = gate.check("raw", raw_columns({}, 5), 5)
    assert verdict.success
    assert verdict.evaluated == verdict.expected


def test_bad_rows_are_named_with_their_check(gate: Any) -> None:
    refused = {1: InvalidEvent("SCHEMA", "x"), 3: InvalidEvent("UNPARSABLE", "y")}
    verdict = gate.check("raw", raw_columns(refused, 5), 5)
    assert not verdict.success
    assert verdict.quarantined().keys() == {1, 3}
    assert verdict.blocking == ()


def test_a_whole_batch_of_bad_rows_is_named(gate: Any) -> None:
    refused = {i: InvalidEvent("ENVELOPE", "x") for i in range(300)}
    assert len(gate.check("raw", raw_columns(refused, 300), 300).quarantined()) == 300


def test_an_empty_batch_is_closed(gate: Any) -> None:
    assert gate.check("raw", raw_columns({}, 0), 0).blocking


def test_a_wrong_row_count_is_closed(gate: Any) -> None:
    assert gate.check("raw", raw_columns({}, 5), 6).blocking


def test_great_expectations_closes_on_a_missing_column() -> None:
    columns = raw_columns({}, 5)
    del columns["ck_schema"]
    verdict = GreatExpectationsGate().check("raw", columns, 5)
    assert [f.reason for f in verdict.blocking] == ["NOT_EVALUATED"]


def test_great_expectations_closes_on_nulls() -> None:
    columns: dict[str, list[Any]] = dict(raw_columns({}, 5))
    columns["ck_schema"] = [None] * 5
    assert not GreatExpectationsGate().check("raw", columns, 5).success
