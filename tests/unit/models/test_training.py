"""A whole training: what is on the card, that it comes again, what is warned of."""

from __future__ import annotations

import dataclasses
import datetime as dt
import subprocess
import sys
from pathlib import Path

import ibis
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifecycle.errors import UsageError
from lifecycle.models import artefact, challenger, fitting
from lifecycle.models.figures import Figures
from lifecycle.models.table import sample
from lifecycle.models.training import Task, Trained, train

TASK = Task("bad", "id", "month", dt.date(2024, 10, 1), challenger=True)


@pytest.fixture(scope="module")
def quick(figures: Figures) -> Figures:
    """The figures in force with fewer resamples and a smaller search."""
    few = msgspec.structs.replace(figures.validation, resamples=20)
    small = msgspec.structs.replace(figures.boosting, leaves=(7,), leaf_rows=(20,), trees=200)
    return msgspec.structs.replace(figures, validation=few, boosting=small)


@pytest.fixture(scope="module")
def trained(loans: pa.Table, quick: Figures) -> Trained:
    return train(loans, TASK, quick)


def test_the_card_has_what_predicts_and_no_noise(trained: Trained) -> None:
    trends = {c.name: c.trend for c in trained.champion.model.characteristics}
    assert trends == {"load": "descending", "age": "peak", "home": "none"}


def test_points_follow_weights(trained: Trained) -> None:
    card = trained.champion.model
    for c in card.characteristics:
        assert c.coefficient > 0
        order = sorted(c.all_bins(), key=lambda b: b.woe)
        assert [b.points for b in order] == sorted(b.points for b in order)
        for b in c.bins:
            assert b.rows >= 0.05 * trained.champion.training.rows


def test_points_are_those_of_the_formula(trained: Trained) -> None:
    card = trained.champion.model
    many = len(card.characteristics)
    for c in card.characteristics:
        for b in c.all_bins():
            exact = (c.coefficient * b.woe + card.intercept / many) * card.scale.factor
            assert b.points == pytest.approx(exact + card.scale.offset / many, abs=0.501)


def test_rows_and_engine_agree_on_the_whole_table(trained: Trained, loans: pa.Table) -> None:
    card = trained.champion.model
    many = card.score(ibis.memtable(loans), "id").order_by("id").to_pyarrow().to_pylist()
    for row, found in zip(loans.to_pylist(), many, strict=True):
        alone = card.score_row(row)
        assert (found["score"], found["pd"], found["band"]) == (alone.score, alone.pd, alone.band)
        assert found["reasons"] == [reason.code for reason in alone.reasons]


def test_it_ranks_and_is_calibrated_out_of_time(trained: Trained) -> None:
    for stored in (trained.champion, trained.challenger):
        found = stored.metrics["test"]
        assert found["auc"] > 0.7
        assert 0.7 < found["calibration_slope"] < 1.4
        assert abs(found["calibration_in_the_large"]) < 0.4
        assert stored.metrics["development"]["calibration_slope"] == pytest.approx(1, abs=0.02)
    assert trained.comparison["part"] == "test"
    assert trained.comparison["champion_auc"] == pytest.approx(
        trained.champion.metrics["test"]["auc"]
    )


def test_the_facts_are_those_of_the_rows_before_the_test(trained: Trained, loans: pa.Table) -> None:
    facts = trained.champion.training
    early = loans.filter(pa.compute.less(loans["month"], pa.scalar(dt.date(2024, 10, 1))))
    assert (facts.rows, facts.bads) == (early.num_rows, pa.compute.sum(early["bad"]).as_py())
    assert (facts.first_date, facts.last_date) == ("2024-01-01", "2024-09-01")
    assert facts.columns == ("load", "age", "home", "noise")


def test_trees_keep_the_trend_of_the_card(trained: Trained, loans: pa.Table) -> None:
    own = trained.challenger.model
    assert {f.name: f.direction for f in own.features} == {
        "load": 1,
        "age": 0,
        "home": 0,
        "noise": 0,
    }
    row = loans.slice(0, 1)
    ladder = pa.concat_tables(
        row.set_column(row.column_names.index("load"), "load", pa.array([step / 10]))
        for step in range(-30, 31)
    )
    assert (np.diff(challenger.pds(own, trained.trees, ladder)) >= 0).all()


def test_reasons_of_trees_are_what_raises_the_pd(trained: Trained, loans: pa.Table) -> None:
    own = trained.challenger.model
    scored = list(challenger.score(own, trained.trees, loans))
    assert [one.pd for one in scored] == pytest.approx(
        challenger.pds(own, trained.trees, loans).tolist(), rel=1e-4
    )
    worst = max(scored, key=lambda one: one.pd)
    assert worst.reasons
    assert all(reason.points > 0 for reason in worst.reasons)


def test_the_same_table_gives_the_same_models_in_another_process(
    trained: Trained, loans: pa.Table, quick: Figures, tmp_path: Path
) -> None:
    pq.write_table(loans, tmp_path / "loans.parquet")
    (tmp_path / "figures.json").write_bytes(msgspec.json.encode(quick))
    code = (
        "import datetime as dt, msgspec; from pathlib import Path;"
        "from lifecycle.models.figures import Figures;"
        "from lifecycle.models.table import read;"
        "from lifecycle.models.training import Task, train;"
        f"figures = msgspec.json.decode(Path({str(tmp_path / 'figures.json')!r}).read_bytes(), type=Figures);"
        "task = Task('bad', 'id', 'month', dt.date(2024, 10, 1), challenger=True);"
        f"made = train(read(Path({str(tmp_path / 'loans.parquet')!r})), task, figures);"
        "print(made.champion.model_version, made.challenger.model_version)"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = [trained.champion.model_version, trained.challenger.model_version]
    assert again.stdout.split() == names


def test_a_prior_moves_pds_and_no_points(trained: Trained, loans: pa.Table, quick: Figures) -> None:
    shifted = train(loans, dataclasses.replace(TASK, prior=0.05, challenger=False), quick).champion
    own = trained.champion
    assert shifted.model.characteristics == own.model.characteristics
    assert shifted.model_version != own.model_version
    assert shifted.metrics["test"]["auc"] == own.metrics["test"]["auc"]
    assert shifted.metrics["development"]["mean_pd"] < own.metrics["development"]["mean_pd"] / 2


def test_a_shorter_time_takes_its_share_of_the_pd_and_no_points(
    trained: Trained, loans: pa.Table, quick: Figures
) -> None:
    task = dataclasses.replace(TASK, share=0.5, challenger=False)
    shorter, own = train(loans, task, quick).champion, trained.champion
    assert shorter.model.characteristics == own.model.characteristics
    half = own.metrics["development"]["mean_pd"] / 2
    assert shorter.metrics["development"]["mean_pd"] == pytest.approx(half, rel=1e-3)
    assert any("PDs are those of a bad rate" in said for said in shorter.warnings)
    assert not any("PDs are those of a bad rate" in said for said in own.warnings)


def test_a_model_is_read_as_it_was_written(trained: Trained, tmp_path: Path) -> None:
    artefact.save_champion(tmp_path, trained.champion)
    artefact.save_challenger(tmp_path, trained.challenger, trained.trees)
    encode = msgspec.json.encode
    assert encode(artefact.champion(tmp_path)) == encode(trained.champion)
    stored, trees = artefact.challenger(tmp_path)
    assert encode(stored) == encode(trained.challenger)
    assert trees == trained.trees
    artefact.save_champion(tmp_path, trained.champion)
    with pytest.raises(UsageError, match="Train with --challenger"):
        artefact.challenger(tmp_path)


CHANGES = [
    (artefact.CHAMPION, '"points": 1', '"points": 9', "changed by hand"),
    (artefact.CHAMPION, '"characteristics"', '"columns_of_it"', "not a model of this version"),
    (artefact.CHAMPION, "{", "", "not a model of this version"),
    (artefact.TREES, "Tree=0", "Tree=1", "not its own"),
]


@pytest.mark.parametrize(("file", "old", "new", "said"), CHANGES)
def test_a_changed_model_is_refused(
    file: str, old: str, new: str, said: str, trained: Trained, loans: pa.Table, tmp_path: Path
) -> None:
    artefact.save_champion(tmp_path, trained.champion)
    artefact.save_challenger(tmp_path, trained.challenger, trained.trees)
    text = (tmp_path / file).read_text("utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(UsageError, match=said):
        _use_both(tmp_path, loans)


def _use_both(folder: Path, rows: pa.Table) -> None:
    artefact.champion(folder)
    stored, trees = artefact.challenger(folder)
    challenger.pds(stored.model, trees, rows)


def test_leaks_are_named(loans: pa.Table, quick: Figures) -> None:
    draw = np.random.default_rng(1)
    bad = np.asarray(loans["bad"])
    knows = bad + draw.normal(0, 0.3, len(bad))
    leaky = loans.append_column("knows", pa.array(knows))
    found = train(leaky, Task("bad", "id", "month"), quick).champion.warnings
    assert any("Column knows alone has an AUC of 0.99" in text for text in found)
    assert any("on the development rows is above 0.97" in text for text in found)
    assert any("Column load has an information value" in text for text in found)


def test_rows_of_one_id_are_in_one_fold(loans: pa.Table, figures: Figures) -> None:
    ids = pa.array([f"{n // 3}" for n in range(loans.num_rows)])
    several = sample(loans.set_column(0, "id", ids), "bad", "id", "month")
    assert any("have an id that came before" in note for note in several.notes)
    for seen, held in fitting.folds(several, figures.fit):
        assert set(several.groups[seen]).isdisjoint(several.groups[held])


def test_rows_of_one_group_are_in_one_fold_and_the_group_predicts_nothing(
    loans: pa.Table, figures: Figures
) -> None:
    groups = pa.array([f"C{n // 3}" for n in range(loans.num_rows)])
    several = sample(loans.append_column("client", groups), "bad", "id", "month", "client")
    assert several.notes == sample(loans, "bad", "id", "month").notes
    assert "client" not in several.columns
    for seen, held in fitting.folds(several, figures.fit):
        assert set(several.groups[seen]).isdisjoint(several.groups[held])


@pytest.mark.parametrize(("outcome", "word"), [(1, "bad"), (0, "good")])
def test_an_outcome_of_few_ids_is_refused(
    outcome: int, word: str, loans: pa.Table, figures: Figures
) -> None:
    bad = loans["bad"].to_pylist()
    ids = pa.array(["same" if own == outcome else f"{n}" for n, own in enumerate(bad)])
    with pytest.raises(UsageError, match=f"All {word} rows are of 1 different ids"):
        train(loans.set_column(0, "id", ids), Task("bad", "id", "month"), figures)


REFUSED = [
    (Task("bad", test_from=dt.date(2024, 1, 1)), "--date"),
    (Task("bad", date="month", test_from=dt.date(2030, 1, 1)), "no split at 2030-01-01"),
    (Task("bad", date="month", test_from=dt.date(2024, 1, 1)), "no split at 2024-01-01"),
    (Task("bad", prior=1.0), "A bad rate of 1.0 cannot be"),
    (Task("bad", id="bad"), "must be different columns"),
    (Task("bad", date="load"), "Column load"),
]


@pytest.mark.parametrize(("task", "said"), REFUSED)
def test_a_task_that_cannot_be_is_refused(
    task: Task, said: str, loans: pa.Table, figures: Figures
) -> None:
    with pytest.raises(UsageError, match=said):
        train(loans, task, figures)


def test_a_test_of_one_outcome_has_no_metrics_and_says_so(loans: pa.Table, quick: Figures) -> None:
    late = np.asarray(loans["month"]) >= np.datetime64("2024-10-01")
    bad = pa.array(np.where(late, 0, np.asarray(loans["bad"])))
    calm = loans.set_column(loans.column_names.index("bad"), "bad", bad)
    found = train(calm, TASK, quick)
    assert found.champion.metrics["test"] is None
    assert found.comparison["part"] == "development"
    assert any("one outcome only" in text for text in found.champion.warnings)


@pytest.mark.parametrize(
    ("bads", "said"), [(19, "Only 19 of"), (1_490, "Only 10 of 1,500 rows are good")]
)
def test_too_few_of_one_outcome_are_not_fitted(
    bads: int, said: str, loans: pa.Table, figures: Figures
) -> None:
    few = pa.array([1] * bads + [0] * (loans.num_rows - bads))
    table = loans.set_column(loans.column_names.index("bad"), "bad", few)
    with pytest.raises(UsageError, match=said):
        train(table, Task("bad", "id", "month"), figures)


def test_nothing_that_predicts_is_one_sentence(loans: pa.Table, figures: Figures) -> None:
    with pytest.raises(UsageError, match="No column has an information value"):
        train(loans.select(["noise", "bad"]), Task("bad"), figures)
