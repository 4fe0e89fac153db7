"""How a credit model comes about: the labelled table, the fit, the judgement out of time, the report.

Each step stands alone and can be repeated; the table is a product of the lake, so that a model names the
version it was trained on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.model_life import REPORT, VALIDATION
from lifecycle.models import artefact, evaluation, metrics, report, scoring, training
from lifecycle.models.artefact import Stored
from lifecycle.models.figures import Figures as ModelFigures
from lifecycle.models.figures import figures_of
from lifecycle.models.fitting import Note, silent
from lifecycle.models.libraries import FITTING, need
from lifecycle.models.scorecard import Scorecard
from lifecycle.models.table import from_lake
from lifecycle.risk.arrears import DAY
from lifecycle.risk.classification import portfolio
from lifecycle.risk.credit_training import (
    LEARNT,
    ORDER,
    apart,
    described,
    horizon_of,
    labels,
    observation_dates,
    require_bads,
)
from lifecycle.risk.triggers import months_after

if TYPE_CHECKING:
    from lifecycle.nightly import Nightly

TABLE = "credit_training"
"""The product of the lake."""


class TrainingTable(NamedTuple):
    """A labelled table, and where it is kept."""

    rows: pa.Table
    as_of: dt.date
    """The newest night: what is known of outcomes is known until its end."""
    version: int
    """Of the product in the lake."""
    outcomes: dict[str, int]
    """How many clients at month-ends became what; those defaulted before or too young are not in it."""


def make_table(night: Nightly, first: dt.date | None, last: dt.date | None) -> TrainingTable:
    """Label and describe every client with live credit at the ends of months from `first` to `last`, or
    of those the rules name, and keep the rows in the lake. Raises UsageError for months whose outcome is
    not known, AnswerIsNo before the first night and where nobody had credit."""
    figures = night.rules.parameters
    as_of = night.store.served_date()
    if as_of is None:
        raise AnswerIsNo("No night was published yet: `lifecycle nightly --date DATE` makes one.")
    earliest, latest = window(as_of, figures)
    dates = observation_dates(first or earliest, last or latest, as_of, figures)
    held, _ = night.store.held()
    with night.open_engine() as engine:
        facts = Facts(engine, as_of, night.zone, held, night.store.corrected())
        told = list(labels(portfolio(facts, figures), dates, figures))
    if not any(label.outcome in LEARNT for label in told):
        raise AnswerIsNo(
            f"At no end of a month from {dates[0]} to {dates[-1]} a client had credit that was old enough "
            "and not in default: there is nothing to learn from yet."
        )
    rows = described(night.open_engine, told, night.zone, figures, held)
    version = _keep(night, rows, as_of)
    counts = Counter[str](label.outcome for label in told)
    return TrainingTable(from_lake(rows, TABLE, version), as_of, version, dict(counts))


def window(as_of: dt.date, figures: Figures) -> tuple[dt.date, dt.date]:
    """The months the rules learn from: the latest whose outcome is known on a date."""
    last = months_after(as_of, -horizon_of(figures).months)
    return months_after(last + DAY, -int(figures["credit_training"].value["months"])), last


def read_table(night: Nightly, as_of: dt.date, version: int) -> pa.Table:
    """The rows of a version. Raises UsageError when there is none."""
    rows = night.lake.read_version(TABLE, version, as_of).drop(["as_of"])
    # A lake keeps no order, and a model follows from the order of its rows.
    return from_lake(rows.sort_by(ORDER), TABLE, version)


class Judged(NamedTuple):
    """A trained model and how it did out of time."""

    champion: Stored[Scorecard]
    validation: dict[str, Any]


def train(
    table: pa.Table,
    folder: Path,
    champion: bytes | None,
    figures: Figures,
    test_from: dt.date | None = None,
    note: Note = silent,
) -> Judged:
    """Fit a scorecard and a challenger on the rows whose outcome was known when the test began, judge both
    and the `champion` of today on the rows of the test, and write folder and report. Raises AnswerIsNo
    for too few bads."""
    need(FITTING)
    own = figures_of(figures)
    starts = test_from or test_start(table, figures)
    learnt = apart(table, starts, figures)
    require_bads(learnt, starts, own.fit.bads)
    artefact.make(folder)
    task = training.Task("target", "id", "date", starts, challenger=True, group="client")
    trained = training.train(learnt, task, own, note)
    artefact.save_champion(folder, trained.champion)
    if trained.challenger:
        artefact.save_challenger(folder, trained.challenger, trained.trees)
    test = learnt.filter(
        pc.and_(pc.greater_equal(learnt["date"], pa.scalar(starts)), pc.is_valid(learnt["target"]))
    )
    note("writing the validation report")
    _report(folder, test, trained.champion, own)
    validation = {
        "model_version": trained.champion.model_version,
        "comparison": trained.comparison,
        "against_champion": against(trained.champion, champion, test, own) if champion else None,
    }
    (folder / VALIDATION).write_bytes(msgspec.json.format(msgspec.json.encode(validation)))
    return Judged(trained.champion, validation)


def test_start(table: pa.Table, figures: Figures) -> dt.date:
    """The first of the latest month-ends, which test."""
    dates: list[dt.date] = sorted(set(table["date"].to_pylist()))
    months = int(figures["credit_training"].value["test_months"])
    return dates[-min(months, len(dates))]


def against(
    model: Stored[Scorecard], champion: bytes, test: pa.Table, figures: ModelFigures
) -> dict[str, Any]:
    """A model against the champion on the same rows: difference of AUCs, and whether it may replace it."""
    known = artefact.scorecard_of(champion, "the champion")
    theirs, ours = (
        np.asarray(scoring.by_scorecard(card, test)["pd"]) for card in (known.model, model.model)
    )
    found = metrics.delong(theirs, ours, np.asarray(test["target"]))
    rule = figures.validation.replaces
    return {
        "model_version": known.model_version,
        "champion_auc": found.auc,
        "auc": found.other,
        **{name: getattr(found, name) for name in ("difference", "low", "high", "p")},
        "may_replace": found.difference >= rule.auc and found.p < rule.p,
    }


def _report(folder: Path, test: pa.Table, model: Stored[Scorecard], figures: ModelFigures) -> None:
    """The validation report of the test rows; what names clients is gone after it."""
    with TemporaryDirectory() as place:
        labelled, scored = Path(place) / "test.parquet", Path(place) / "scores.csv"
        pq.write_table(test, labelled)
        scoring.write(scoring.score(test, folder, "id").lines, scored)
        asked = evaluation.Question(scored, labelled, "target", "id", "date")
        judged = evaluation.evaluate(asked, figures, model)
        report.write(folder / REPORT, asked, judged, figures, model)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet. Raises UsageError when the file cannot be written."""
    if path.suffix != ".parquet":
        raise UsageError(f"{path} does not end with .parquet, and the table is written as such.")
    try:
        pq.write_table(table, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error


def _keep(night: Nightly, rows: pa.Table, as_of: dt.date) -> int:
    """The version of the lake's product that holds the rows. No backup and no night is under way then."""
    told = pa.repeat(pa.scalar(as_of), rows.num_rows)
    with night.store.alone():
        night.lake.replace(TABLE, rows.append_column("as_of", told), as_of)
        return night.lake.version(TABLE)
