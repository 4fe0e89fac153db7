"""Score a whole table with a champion or a challenger: id, pd, score, band, reasons."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.errors import UsageError
from lifecycle.models import artefact
from lifecycle.models.figures import Text
from lifecycle.models.scorecard import Scorecard
from lifecycle.models.table import conform, identities, require

_ROW = "lifecycle_row"
COLUMNS = ("id", "pd", "score", "band", "reasons")


class Line(NamedTuple):
    """One line of a file of scores."""

    id: str
    pd: float
    score: int
    band: str
    reasons: str
    """Names of columns, or texts, the costliest first."""


class Scores(NamedTuple):
    """Lines in the order of the table, which are made as they are read."""

    model_version: str
    lines: Iterator[Line]
    warnings: tuple[str, ...]


def score(
    table: pa.Table,
    folder: Path,
    id: str | None,
    *,
    challenger: bool = False,
    language: str | None = None,
) -> Scores:
    """Score a table with a model's champion, or with its challenger. Raises UsageError when there is
    none, or the table is not one that it can score."""
    own = ids(table, id)
    if challenger:
        return _by_challenger(own, table, folder, language)
    stored = artefact.champion(folder)
    card = stored.model
    scored = by_scorecard(card, table)
    texts = {c.name: _said(c.name, c.text, language) for c in card.characteristics}
    rows = zip(*(scored[name].to_pylist() for name in COLUMNS[1:]), strict=True)
    lines = (
        Line(key, pd, points, band, "; ".join(texts[name] for name in reasons))
        for key, (pd, points, band, reasons) in zip(own, rows, strict=True)
    )
    return Scores(stored.model_version, lines, tuple(unseen(card, table)))


def _by_challenger(
    own: Sequence[str], table: pa.Table, folder: Path, language: str | None
) -> Scores:
    from lifecycle.models import challenger as boosting

    stored, trees = artefact.challenger(folder)
    texts = {f.name: _said(f.name, f.text, language) for f in stored.model.features}
    lines = (
        Line(key, row.pd, row.score, row.band, "; ".join(texts[r.code] for r in row.reasons))
        for key, row in zip(own, boosting.score(stored.model, trees, table), strict=True)
    )
    return Scores(stored.model_version, lines, ())


def _said(name: str, text: Text, language: str | None) -> str:
    return {"en": text.en, "zh": text.zh}.get(language or "", name)


def by_scorecard(card: Scorecard, table: pa.Table) -> pa.Table:
    """pd, score, band, grade and reasons of each row, in order; text that is written as a number is
    one. Raises UsageError when a column is not there or of another kind."""
    conformed = conform(table, {c.name: c.kind for c in card.characteristics})
    numbered = conformed.append_column(_ROW, pa.array(range(table.num_rows), pa.int64()))
    scored = card.score(ibis.memtable(numbered), _ROW)
    return scored.order_by(_ROW).drop(_ROW).to_pyarrow()


def ids(table: pa.Table, id: str | None) -> Sequence[str]:
    """Ids as text; row numbers from 1 where no column is named. Raises UsageError for an empty one."""
    if id is None:
        return [str(n) for n in range(1, table.num_rows + 1)]
    require(table, id)
    if empty := table[id].null_count:
        raise UsageError(f"{empty:,} rows have no {id}: every row needs one to be told apart.")
    return list(identities(table[id]))


def unseen(card: Scorecard, table: pa.Table) -> Iterator[str]:
    """What was not there in training, in words."""
    for c in card.characteristics:
        if c.kind == "category":
            words = table[c.name].cast("string")
            named = pa.array([value for b in c.bins for value in b.values], pa.string())
            other = pc.and_(pc.is_valid(words), pc.invert(pc.is_in(words, named)))
            if count := pc.sum(other).as_py():
                yield (
                    f"{count:,} rows have a {c.name} that was rare or unseen in training: they get the "
                    "points of the rest."
                )
        elif not c.missing.rows and (count := table[c.name].null_count):
            yield (
                f"{count:,} rows have no {c.name}, and in training all had one: they get neutral points."
            )


def write(lines: Iterable[Line], path: Path) -> None:
    """Write scores as CSV. Raises UsageError when the file cannot be written."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(lines)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error
