"""Points, PDs and reasons of a card that was written by hand; a row and an engine agree."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.errors import UsageError
from lifecycle.models.figures import Figures
from tests.unit.models.cards import ROWS, card

CASES = [
    # load, home, age, score, reasons with the points they cost
    (0.4, "own", 1, 640, []),
    (0.5, "own", 0, 590, [("load", 50)]),
    (2, "own", -0.1, 380, [("load", 210), ("age", 50)]),
    (None, None, None, 525, [("load", 50), ("home", 35), ("age", 30)]),
    (float("nan"), "", None, 525, [("load", 50), ("home", 35), ("age", 30)]),
    (0.4, "boat", 1, 480, [("home", 160)]),
    (9, "boat", -1, 300, [("load", 210), ("home", 160), ("age", 50)]),
    (Decimal("1.9"), True, False, 590, [("load", 50)]),
    (1, 1, 1, 550, [("load", 50), ("home", 40)]),
]


@pytest.mark.parametrize(("load", "home", "age", "score", "reasons"), CASES)
def test_points_add_up(load, home, age, score: int, reasons: list, figures: Figures) -> None:
    found = card(figures).score_row({"load": load, "home": home, "age": age, "more": 1})
    assert found.score == score
    assert [(r.code, r.points) for r in found.reasons] == reasons
    assert min(max(sum(found.points.values()), 300), 850) == score


def test_reasons_have_words_in_both_languages(figures: Figures) -> None:
    found = card(figures).score_row({"load": 9, "home": "boat", "age": 1})
    assert (found.reasons[0].zh, found.reasons[0].en) == ("负担重", "heavy load")
    assert (found.reasons[1].zh, found.reasons[1].en) == (
        "“home”的取值使评分降低",
        "the value of home lowers the score",
    )


@settings(max_examples=30)
@given(rows=st.lists(ROWS, min_size=1, max_size=30))
def test_a_row_and_an_engine_agree(rows: list[dict], figures: Figures) -> None:
    schema = pa.schema([("load", pa.float64()), ("home", pa.string()), ("age", pa.float64())])
    numbered = pa.Table.from_pylist(rows, schema).append_column("n", pa.array(range(len(rows))))
    own = card(figures)
    many = own.score(ibis.memtable(numbered), "n").order_by("n").to_pyarrow().to_pylist()
    for row, found in zip(rows, many, strict=True):
        alone = own.score_row(row)
        assert (found["score"], found["pd"], found["band"], found["grade"]) == alone[:1] + alone[
            1:4
        ]
        assert found["reasons"] == [reason.code for reason in alone.reasons]


@given(better=st.integers(300, 849))
def test_a_better_score_never_has_the_higher_pd(better: int, figures: Figures) -> None:
    own = card(figures)
    assert own.pd(better + 1) <= own.pd(better)
    assert own.ratings.grade(own.pd(better + 1)) <= own.ratings.grade(own.pd(better))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"load": 1, "age": 1}, "not there: home"),
        (
            {"load": "1", "home": "own", "age": 1},
            "load is '1', and the model was trained on numbers",
        ),
    ],
)
def test_a_row_it_cannot_score_is_refused(row: dict, said: str, figures: Figures) -> None:
    with pytest.raises(UsageError, match=said):
        card(figures).score_row(row)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"load": "float64", "home": "string"}, "not there: age"),
        ({"load": "string", "home": "string", "age": "int64"}, "load is of type string"),
        ({"load": "date", "home": "string", "age": "int64"}, "load is of type date"),
        ({"load": "int8", "home": "array<string>", "age": "int64"}, "home is of type array"),
    ],
)
def test_a_table_it_cannot_score_is_refused(schema: dict, said: str, figures: Figures) -> None:
    with pytest.raises(UsageError, match=said):
        card(figures).score(ibis.table(schema, name="rows"))


def test_columns_of_other_number_types_are_numbers(figures: Figures) -> None:
    rows = pa.table({
        "load": pa.array([Decimal("1.90"), None]),
        "home": pa.array([1, 2], pa.int32()),
        "age": pa.array([True, False]),
        "day": pa.array([dt.date(2026, 1, 1)] * 2),
    })
    found = card(figures).score(ibis.memtable(rows), "day").to_pyarrow()
    assert found["score"].to_pylist() == [550, 430]
    assert found.column_names == ["day", "pd", "score", "band", "grade", "reasons"]


def test_the_version_names_the_content(figures: Figures) -> None:
    import msgspec

    own = card(figures)
    changed = msgspec.structs.replace(own, intercept=2.5)
    assert own.version == card(figures).version != changed.version
