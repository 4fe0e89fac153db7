"""What leakage guards build on: a future that is another one, and features as bytes."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import end_of
from lifecycle.events import Event
from lifecycle.models import metrics
from lifecycle.models.figures import figures_of
from lifecycle.models.fitting import _cross_validated, silent
from lifecycle.models.table import sample
from lifecycle.risk.credit_features import features
from lifecycle.risk.history import History, Subject
from tests.lakes import ZONE

DAYS_MAX = 300
"""How far an event of the other future may lie behind its own time."""


def sealed(path: Path, events: Iterable[Event]) -> Lake:
    """A lake of events, sealed at once."""
    lake = Lake(path)
    lake.append(list(enumerate(events, start=1)), seal_id=1, version=0)
    return lake


def feature_table(lake: Lake, subjects: Sequence[Subject], figures: Figures) -> pa.Table:
    """Every feature of every subject, by its id. Each row is known to come from before its instant."""
    with DuckDBEngine(lake) as engine:
        history = History(engine, subjects, ZONE)
        rows = engine.run(features(history, figures)).sort_by("subject_id")
        times = engine.run(history.source_times()).to_pylist()
    assert len(times) == rows.num_rows == len(subjects)
    for row in times:
        assert row["time"] is None or row["time"] < row["as_of"], row
        assert row["recordedtime"] is None or row["recordedtime"] <= row["as_of"], row
    return rows


def as_bytes(table: pa.Table) -> bytes:
    """The table to the last bit: floats that are merely close differ."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def another_future(
    events: Iterable[Event], subjects: Iterable[Subject], seed: int
) -> Iterator[Event]:
    """The same past, and after each client's date events that are gone, doubled, moved in time (never
    before that date), or of other amounts."""
    ends = {subject.client_id: end_of(subject.day, ZONE) for subject in subjects}
    chance = random.Random(seed)
    for event in events:
        end = ends.get(event.client_id)
        if end is None or event.time < end:
            yield event
        else:
            for number in range(chance.choice((0, 1, 1, 2))):
                yield _other(event, end, number, chance)


def _other(event: Event, end: dt.datetime, number: int, chance: random.Random) -> Event:
    time = end + dt.timedelta(seconds=chance.randrange(DAYS_MAX * 86_400))
    amounts = {
        name: str(round(Decimal(value) * Decimal(chance.uniform(0, 3)), 2))
        for name, value in _amounts(event.data).items()
    }
    data = msgspec.structs.replace(event.data, **amounts)
    return msgspec.structs.replace(
        event, id=f"{event.id}/{number}", time=time, recordedtime=time, data=data
    )


def _amounts(data: msgspec.Struct) -> Mapping[str, str]:
    found = {}
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, str) and "." in value:
            try:
                Decimal(value)
            except InvalidOperation:
                continue
            found[name] = value
    return found


def unseen_auc(table: pa.Table, rule_set: RuleSet) -> float:
    """AUC of each row by the card of the other folds, with every column on it, however little it says."""
    figures = figures_of(rule_set.parameters)
    every = replace(figures, binning=replace(figures.binning, iv=-1.0))
    known = sample(table, "bad", "subject_id")
    _penalty, odds = _cross_validated(known, every, silent)
    return metrics.auc(metrics.counts(odds, known.bad))
