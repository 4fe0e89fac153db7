"""train, score and evaluate as a person runs them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lifecycle.commands import application, models
from lifecycle.errors import UsageError
from lifecycle.models.figures import Figures

METRICS = {
    "auc",
    "gini",
    "ks",
    "pr_auc",
    "brier",
    "calibration_slope",
    "calibration_in_the_large",
    "capture_10",
    "psi",
    "n",
    "n_bad",
}


def run(*arguments: Any) -> str:
    done = CliRunner().invoke(application, [str(a) for a in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def answer(*arguments: Any) -> Any:
    return json.loads(run(*arguments, "--json"))


@pytest.fixture(scope="module")
def folder(
    loans: pa.Table, figures: Figures, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A trained model with a challenger; few resamples and one setting, for speed."""
    made = tmp_path_factory.mktemp("models")
    pq.write_table(loans, made / "loans.parquet")
    pc_csv.write_csv(loans, made / "loans.csv")
    few = msgspec.structs.replace(figures.validation, resamples=20)
    small = msgspec.structs.replace(figures.boosting, leaves=(7,), leaf_rows=(20,), trees=200)
    quick = msgspec.structs.replace(figures, validation=few, boosting=small)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "_figures", lambda: quick)
        said = answer("train", made / "loans.parquet", *TARGET, "--out", made / "m", "--challenger")
        (made / "said.json").write_text(json.dumps(said))
        yield made


TARGET = ("--target", "bad", "--id", "id", "--date", "month", "--test-from", "2024-10-01")


def test_train_says_what_it_made(folder: Path) -> None:
    said = json.loads((folder / "said.json").read_text())
    assert said["model_version"].startswith("scorecard-")
    assert said["challenger"]["model_version"].startswith("boosting-")
    assert {c["name"] for c in said["characteristics"]} == {"load", "age", "home"}
    assert said["metrics"]["test"].keys() >= METRICS
    assert said["metrics"]["development"].keys() >= METRICS
    assert said["comparison"]["part"] == "test"
    assert {p.name for p in (folder / "m").iterdir()} == {
        "scorecard.json",
        "challenger.json",
        "challenger.txt",
    }


def test_the_same_rows_as_csv_give_the_same_model_and_people_a_table(folder: Path) -> None:
    said = run("train", folder / "loans.csv", *TARGET, "--out", folder / "again")
    assert json.loads((folder / "said.json").read_text())["model_version"] in said
    for part in ("scorecard, development", "scorecard, test", "load", "points", "auc"):
        assert part in said


@pytest.mark.parametrize("which", ["champion", "challenger"])
def test_scores_are_a_file_that_can_be_evaluated(folder: Path, which: str) -> None:
    flag = ["--challenger"] if which == "challenger" else []
    out = folder / f"{which}.csv"
    said = answer(
        "score",
        folder / "loans.parquet",
        "--model",
        folder / "m",
        "--id",
        "id",
        "--out",
        out,
        *flag,
    )
    assert said["rows"] == 1_500
    lines = list(csv.DictReader(out.open(encoding="utf-8")))
    assert list(lines[0]) == ["id", "pd", "score", "band", "reasons"]
    assert lines[0]["id"] == "00000"
    assert all(300 <= int(line["score"]) <= 850 and 0 < float(line["pd"]) < 1 for line in lines)
    assert all(len(line["reasons"].split("; ")) <= 4 for line in lines)
    labels = ("--labels", folder / "loans.csv", "--target", "bad", "--id", "id")
    judged = answer("evaluate", out, *labels, "--model", folder / "m", *flag)
    assert judged.keys() >= METRICS
    assert judged["n"] == 1_500
    assert judged["auc"] > 0.7
    assert judged["psi"] < 0.1
    assert judged["intervals"].keys() == METRICS - {"n", "n_bad"}


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "the value of load lowers the score"), ("zh", "“load”的取值使评分降低")],
)
def test_reasons_are_said_in_both_languages(folder: Path, language: str, said: str) -> None:
    out = folder / f"{language}.csv"
    run(*("score", folder / "loans.csv", "--model", folder / "m", "--out", out, "--lang", language))
    assert said in out.read_text("utf-8")
    assert out.read_text("utf-8").splitlines()[1].startswith("1,")


def test_the_report_is_one_file_with_everything_in_it(folder: Path) -> None:
    out, page = folder / "report.csv", folder / "report.html"
    run("score", folder / "loans.csv", "--model", folder / "m", "--id", "id", "--out", out)
    labels = ("--labels", folder / "loans.csv", "--target", "bad", "--id", "id", "--date", "month")
    run("evaluate", out, *labels, "--model", folder / "m", "--report", page)
    text = page.read_text("utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    names = ("roc", "ks", "capture", "spread", "calibration", "time", "woe", "waterfall")
    for name in names:
        assert f'<img alt="{name}" src="data:image/png;base64,' in text, name
    for said in (
        "Limits",
        "Some rows are from before 2024-10-01",
        "hash of the training data",
        "理由",
    ):
        assert said in text


def test_a_report_needs_no_model_and_no_columns(folder: Path) -> None:
    out, page = folder / "plain.csv", folder / "plain.html"
    run("score", folder / "loans.csv", "--model", folder / "m", "--id", "id", "--out", out)
    labels = folder / "labels.csv"
    labels.write_text("id,bad\n" + "".join(f"{n:05},{n % 3 % 2}\n" for n in range(1_500)))
    known = ("--labels", labels, "--target", "bad", "--id", "id", "--report", page)
    run("evaluate", out, *known)
    assert "name the model with --model" in page.read_text("utf-8")
    run("evaluate", out, *known, "--model", folder / "m")
    assert "The labels do not have the model" in page.read_text("utf-8")
    run("evaluate", out, *known, "--model", folder / "m", "--challenger")
    assert "Validation of boosting-" in page.read_text("utf-8")


def test_markup_in_a_table_is_text_in_the_report(folder: Path, loans: pa.Table) -> None:
    hostile = folder / "hostile.parquet"
    names = ["<script>x</script>" if name == "home" else name for name in loans.column_names]
    pq.write_table(loans.rename_columns(names), hostile)
    run("train", hostile, *TARGET, "--out", folder / "h")
    run("score", hostile, "--model", folder / "h", "--id", "id", "--out", folder / "h.csv")
    page = folder / "h.html"
    labels = ("--labels", hostile, "--target", "bad", "--id", "id", "--model", folder / "h")
    run("evaluate", folder / "h.csv", *labels, "--report", page)
    assert "<script>" not in page.read_text("utf-8")
    assert "&lt;script&gt;" in page.read_text("utf-8")


def test_unseen_values_are_scored_and_said(folder: Path) -> None:
    rows = pa.table({"load": ["0.5", None], "age": [None, 1.0], "home": ["castle", "boat"]})
    pq.write_table(rows, folder / "new.parquet")
    said = answer(
        "score", folder / "new.parquet", "--model", folder / "m", "--out", folder / "new.csv"
    )
    assert said["warnings"] == [
        "1 rows have no age, and in training all had one: they get neutral points.",
        "2 rows have a home that was rare or unseen in training: they get the points of the rest.",
    ]


SCORED = ("score", "loans.parquet", "--model", "m", "--out", "x.csv")
BAD = [
    (("train", "none.csv", "--target", "bad", "--out", "x"), "There is no file"),
    (("train", "loans.csv", "--target", "worse", "--out", "x"), "no column worse"),
    (("train", "loans.csv", "--out", "x"), "Say which column is the outcome"),
    (("train", "loans.csv", "--target", "bad", "--out", "loans.csv"), "cannot be made"),
    (
        ("train", "loans.csv", "--target", "bad", "--out", "x", "--test-from", "soon"),
        "is not a date",
    ),
    ((*SCORED, "--id", "key"), "no column key"),
    ((*SCORED, "--lang", "fr"), "none of en, zh"),
    (("score", "loans.parquet", "--model", "none", "--out", "x.csv"), "There is no model"),
    (("score", "loans.parquet", "--model", "m", "--out", "none/x.csv"), "cannot be written"),
    (("evaluate", "loans.csv", "--labels", "loans.csv", "--target", "bad"), "no column pd"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD)
def test_a_mistake_is_one_sentence(
    arguments: tuple[str, ...], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match=said) as refused:
        run(*arguments)
    assert "\n" not in str(refused.value)


def test_what_is_not_installed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "FITTING", ("a_library_that_is_not_here",))
    with pytest.raises(UsageError, match=r"install lifecycle\[models\]"):
        run("train", folder / "loans.csv", "--target", "bad", "--out", folder / "x")
