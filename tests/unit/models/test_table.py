"""Tables of any origin: what is read as what, what is left out, what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifecycle.errors import UsageError
from lifecycle.models.table import conform, outcome, read, sample

ROWS = 40
BAD = [0, 1] * (ROWS // 2)


def labelled(**columns) -> pa.Table:
    return pa.table({"x": [float(n % 7) for n in range(ROWS)], "bad": BAD} | columns)


@pytest.mark.parametrize(
    ("column", "kind", "first"),
    [
        (pa.array([1, 2] * 20), "number", 1.0),
        (pa.array([True, False] * 20), "number", 1.0),
        (pa.array(["b", "a"] * 19 + ["b", "b"]), "category", 1),
        (pa.array(["b", None] * 19 + ["a", ""]), "category", 1),
        (pa.array(["b", "a", "a", "a"] * 10).dictionary_encode(), "category", 1),
        (pa.array([dt.timedelta(1)] * ROWS), None, None),
        (pa.array([dt.date(2026, 1, 1)] * ROWS), None, None),
        (pa.array([dt.datetime(2026, 1, 1)] * ROWS), None, None),  # noqa: DTZ001
        (pa.array([[1]] * ROWS), None, None),
    ],
)
def test_what_a_column_is(column, kind: str | None, first) -> None:
    # Not the target's own pattern, which would be left out as its copy.
    shifted = pa.concat_arrays([column[1:], column[:1]]) if kind == "number" else column
    found = sample(labelled(c=shifted, bad=[0, 0, 1, 1] * 10), "bad")
    if kind is None:
        assert any("Column c is left out: it is of type" in note for note in found.notes)
        assert "c" not in found.columns
        return
    assert found.columns["c"].kind == kind
    values = found.columns["c"].values
    assert (values[-1] if kind == "number" else values[0]) == first


LEFT_OUT = [
    ([None] * ROWS, "is empty"),
    ([3] * ROWS, "has one value only"),
    (BAD, "is the target under another name"),
    ([1 - b for b in BAD], "is the target under another name"),
    (["good", "bad"] * (ROWS // 2), "is the target under another name"),
    (list(range(ROWS)), "counts the rows"),
    (list(range(1, ROWS + 1)), "counts the rows"),
]


@pytest.mark.parametrize(("values", "said"), LEFT_OUT)
def test_what_says_nothing_is_left_out_and_named(values: list, said: str) -> None:
    found = sample(labelled(c=values), "bad")
    assert list(found.columns) == ["x"]
    assert [note for note in found.notes if f"Column c is left out: it {said}" in note]


@pytest.mark.parametrize(("words", "named"), [(1, True), (4, True), (5, False), (0, False)])
def test_a_word_among_numbers_is_named(words: int, named: bool) -> None:
    values = ["n/k"] * words + [f"{n}.5" for n in range(ROWS - words)]
    found = sample(labelled(c=values), "bad")
    assert found.columns["c"].kind == "category"
    assert any("where it says 'n/k'" in note for note in found.notes) is named


def test_infinite_values_are_kept_and_named() -> None:
    found = sample(labelled(c=[float("inf"), float("-inf"), *range(2, ROWS)]), "bad")
    assert np.isinf(found.columns["c"].values[:2]).all()
    assert found.notes == ("Column c has 2 infinite values; they fall into its outer bins.",)


def test_rows_without_outcome_or_date_are_left_out_and_counted() -> None:
    days = [None, *(f"2026-01-{n % 28 + 1:02}" for n in range(1, ROWS))]
    found = sample(labelled(bad=[0, None, *BAD[2:]], day=days), "bad", date="day")
    assert len(found) == ROWS - 2
    assert found.rows.tolist() == list(range(2, ROWS))
    assert str(found.dates[0]) == "2026-01-03"
    assert sorted(found.notes) == [
        "1 rows have no bad and are left out.",
        "1 rows have no day and are left out.",
    ]


REFUSED = [
    ({"bad": [0] * ROWS}, {}, "Every row is good in column bad"),
    ({"bad": [1] * ROWS}, {}, "Every row is bad in column bad"),
    ({"bad": [0, 2] * 20}, {}, "values such as 2"),
    ({"bad": ["no", "yes"] * 20}, {}, "values such as no"),
    ({"bad": [None] * ROWS}, {}, "No row has a value in column bad"),
    ({}, {"target": "worse"}, "no column worse; its columns are x, bad"),
    ({}, {"id": "key"}, "no column key"),
    ({"x": [None] * ROWS}, {}, "no column that could predict"),
    ({"day": ["soon"] * ROWS}, {"date": "day"}, "no date"),
    ({"day": [1.5] * ROWS}, {"date": "day"}, "Column day is of type double and no date"),
]


@pytest.mark.parametrize(("columns", "named", "said"), REFUSED)
def test_a_table_without_use_is_one_sentence(columns: dict, named: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        sample(labelled(**columns), **{"target": "bad", **named})


@pytest.mark.parametrize(
    "values", [BAD, [bool(b) for b in BAD], [str(b) for b in BAD], [b * 1.0 for b in BAD]]
)
def test_an_outcome_may_be_written_in_many_ways(values: list) -> None:
    assert outcome(pa.chunked_array([values]), "bad").tolist() == BAD


def test_a_csv_file_is_typed_by_all_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = ["id,x,y,bad", *("007,1,,0" for _ in range(100_000)), "008,NA,0.5,1", "009,2.5,,1"]
    path.write_text("\n".join(lines))
    found = read(path, ("id",))
    assert found.schema.field("x").type == pa.float64()
    assert found.slice(100_000).to_pylist() == [
        {"id": "008", "x": None, "y": 0.5, "bad": 1},
        {"id": "009", "x": 2.5, "y": None, "bad": 1},
    ]


FILES = [
    ("a.csv", b"", "is empty"),
    ("a.csv", b"x;bad\n1;0\n", "separated by semicolons"),
    ("a.csv", b"x,bad\n", "has no rows"),
    ("a.csv", b"x,bad\n1\n", "cannot be read as .csv"),
    ("a.csv", b"x,x\n1,2\n", "several columns named x"),
    ("a.csv", b"x\n\xff\xfe\n", "is not UTF-8"),
    ("a.csv", "年龄\n1\n".encode("gbk"), "is not UTF-8"),
    ("a.parquet", b"PAR1", "cannot be read as .parquet"),
    ("a.xlsx", b"PK", "neither .csv nor .parquet"),
]


@pytest.mark.parametrize(("name", "content", "said"), FILES)
def test_a_file_that_is_no_table_is_named(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as refused:
        read(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        read(tmp_path / "none.parquet")


def test_text_that_is_written_as_a_number_is_one(tmp_path: Path) -> None:
    table = pa.table({"x": ["1", "2.5", "NA", None], "g": [1, 2, 3, None]})
    pq.write_table(table, tmp_path / "t.parquet")
    found = conform(read(tmp_path / "t.parquet"), {"x": "number", "g": "category"})
    assert found["x"].to_pylist() == [1.0, 2.5, None, None]
    assert found["g"].to_pylist() == ["1", "2", "3", None]


def test_text_among_numbers_is_named_with_its_row() -> None:
    with pytest.raises(UsageError, match="Column x has the text 'much' in row 2"):
        conform(pa.table({"x": ["1", "much"]}), {"x": "number"})
