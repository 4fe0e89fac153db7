"""Scores joined with outcomes by id; grades against their PD."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifecycle.errors import UsageError
from lifecycle.models.evaluation import Question, at_least, by_grade, document, evaluate
from lifecycle.models.figures import Figures

SCORES = (
    "id,pd,score,band,reasons\n01,0.02,600,B,\n02,0.3,500,E,x\n03,0.004,660,A,\n04,0.3,500,E,x\n"
)
LABELS = {"id": ["03", "02", "01", "09", "04"], "bad": [0, 1, 0, 1, None]}


@pytest.fixture
def quick(figures: Figures) -> Figures:
    few = msgspec.structs.replace(figures.validation, resamples=5)
    return msgspec.structs.replace(figures, validation=few)


def question(folder: Path, scores: str = SCORES, labels=LABELS, **named) -> Question:
    (folder / "scores.csv").write_text(scores, "utf-8")
    pq.write_table(pa.table(labels), folder / "labels.parquet")
    named = {"target": "bad", "id": "id", **named}
    return Question(folder / "scores.csv", folder / "labels.parquet", **named)


def test_outcomes_are_found_by_id_whatever_the_order(tmp_path: Path, quick: Figures) -> None:
    judged = evaluate(question(tmp_path), quick)
    assert judged.pd.tolist() == [0.02, 0.3, 0.004]
    assert judged.bad.tolist() == [0, 1, 0]
    assert judged.places.tolist() == [2, 1, 0]
    assert judged.notes == (
        "1 scored rows have no outcome and are left out.",
        "2 rows of the labels have no score, outcome or date and are left out.",
    )


def test_without_ids_rows_are_numbered_from_one(tmp_path: Path, quick: Figures) -> None:
    numbered = SCORES.replace("\n0", "\n")
    judged = evaluate(question(tmp_path, numbered, {"bad": [0, 1, 1, 0]}, id=None), quick)
    assert judged.bad.tolist() == [0, 1, 1, 0]
    assert judged.notes == ()


def test_the_document_says_why_there_is_no_psi(tmp_path: Path, quick: Figures) -> None:
    found = document(evaluate(question(tmp_path), quick), quick)
    assert found["psi"] is None
    assert "--model" in found["psi_reason"]
    names = ("auc", "gini", "ks", "pr_auc", "brier", "calibration_slope")
    for name in (*names, "calibration_in_the_large", "capture_10", "n", "n_bad"):
        assert isinstance(found[name], float | int), name


def test_grades_count_rows_and_bads(tmp_path: Path, quick: Figures) -> None:
    grades = by_grade(evaluate(question(tmp_path), quick), quick)
    assert [(g.grade, g.upper, g.n, g.n_bad) for g in grades] == [
        (3, 0.005, 1, 0),
        (6, 0.04, 1, 0),
        (10, 1.0, 1, 1),
    ]


@pytest.mark.parametrize(
    ("k", "n", "p", "chance"),
    [
        (0, 5, 0.2, 1.0),
        (5, 5, 0.2, 0.2**5),
        (1, 3, 0.5, 7 / 8),
        (2, 3, 0.5, 0.5),
        (40, 1_000, 0.01, 0),
    ],
)
def test_the_chance_of_so_many(k: int, n: int, p: float, chance: float) -> None:
    assert math.isclose(at_least(k, n, p), chance, rel_tol=1e-9, abs_tol=1e-9)


REFUSED = [
    ({"scores": "id,score\n1,2\n"}, "no column pd"),
    ({"scores": "id,pd,score\n1,,2\n"}, "rows without pd"),
    ({"scores": "id,pd,score\n1,1.5,2\n"}, "not between 0 and 1"),
    ({"scores": "id,pd,score\n1,high,2\n"}, "is no number"),
    ({"scores": SCORES + "01,0.02,600,B,\n"}, "has the id 01 more than once"),
    ({"labels": {"id": ["01", "01"], "bad": [0, 1]}}, "has the id 01 more than once"),
    ({"labels": {"id": ["x", "y"], "bad": [0, 1]}}, "No id of"),
    ({"labels": {"id": ["01", None], "bad": [0, 1]}}, "1 rows have no id"),
    ({"labels": {"id": ["01", "02"], "bad": [0, 0]}}, "Every row is good"),
    ({"target": "worse"}, "no column worse"),
    ({"date": "day"}, "no column day"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_cannot_be_joined_is_one_sentence(
    change: dict, said: str, tmp_path: Path, quick: Figures
) -> None:
    with pytest.raises(UsageError, match=said):
        evaluate(question(tmp_path, **change), quick)
