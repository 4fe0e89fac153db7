"""Leakage guards of the credit features, on a simulated bank: nothing a subject's date does not know
can move a feature, and what goes around that is refused. Those on real loans are in
tests/integration/test_leakage_of_berka.py."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ibis import _

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.attribute import Figures
from lifecycle.errors import UsageError
from lifecycle.events import Event, decoded
from lifecycle.risk.credit_features import FEATURES, Feature, features
from lifecycle.risk.history import POSTED, History, Subject
from lifecycle.sources.simulator import SimulatorSource
from tests.lakes import ZONE
from tests.leakage import another_future, as_bytes, feature_table, sealed, unseen_auc

FIRST, DAYS = dt.date(2026, 1, 1), 150
CLIENTS = 50


@pytest.fixture(scope="module")
def events() -> list[Event]:
    bank = SimulatorSource(seed=1, clients=CLIENTS, first_day=FIRST, days=DAYS, timezone=ZONE)
    return list(map(decoded, bank.events(None, None)))


@pytest.fixture(scope="module")
def subjects(events: list[Event]) -> list[Subject]:
    """Every client, each on a date of its own within the bank's life."""
    clients = sorted({event.client_id for event in events})
    return [
        Subject(client, client, FIRST + dt.timedelta(days=60 + number % 60))
        for number, client in enumerate(clients)
    ]


@pytest.fixture(scope="module")
def lake(events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return sealed(tmp_path_factory.mktemp("leakage") / "lake", events)


@pytest.fixture(scope="module")
def rows(lake: Lake, subjects: list[Subject], rule_set: RuleSet) -> pa.Table:
    return feature_table(lake, subjects, rule_set.parameters)


def test_each_row_comes_from_before_its_instant_and_from_something(
    lake: Lake, subjects: list[Subject], rule_set: RuleSet
) -> None:
    """`feature_table` holds the clocks of every row in every test here; of most rows there are facts."""
    with DuckDBEngine(lake) as engine:
        history = History(engine, subjects, ZONE)
        features(history, rule_set.parameters)
        times = engine.run(history.source_times()).to_pylist()
    known = [row for row in times if row["time"]]
    assert len(known) > len(subjects) * 0.8
    assert all(row["time"] < row["as_of"] and row["recordedtime"] <= row["as_of"] for row in known)
    assert any((row["as_of"] - row["time"]) < dt.timedelta(days=1) for row in known)


@pytest.mark.parametrize("seed", range(3))
def test_another_future_leaves_every_feature_as_it_is(
    seed: int,
    events: list[Event],
    subjects: list[Subject],
    rows: pa.Table,
    rule_set: RuleSet,
    tmp_path: Path,
) -> None:
    other = list(another_future(events, subjects, seed))
    assert other != events
    found = feature_table(sealed(tmp_path / "lake", other), subjects, rule_set.parameters)
    assert as_bytes(found) == as_bytes(rows)


def test_another_past_does_not(
    events: list[Event], subjects: list[Subject], rows: pa.Table, rule_set: RuleSet, tmp_path: Path
) -> None:
    """The guard can fail: the same changes reach the features of a later date."""
    other = another_future(events, [s._replace(day=FIRST) for s in subjects], seed=0)
    found = feature_table(sealed(tmp_path / "lake", other), subjects, rule_set.parameters)
    same = {name for name in FEATURES if found[name].equals(rows[name])}
    assert len(same) < len(FEATURES) / 2


def test_the_same_date_twice_is_the_same(
    lake: Lake, subjects: list[Subject], rows: pa.Table, rule_set: RuleSet
) -> None:
    found = feature_table(lake, list(reversed(subjects)), rule_set.parameters)
    assert as_bytes(found) == as_bytes(rows)


def test_many_subjects_at_once_are_what_each_is_alone(
    lake: Lake, subjects: list[Subject], rows: pa.Table, rule_set: RuleSet
) -> None:
    for subject in subjects[::17]:
        alone = feature_table(lake, [subject], rule_set.parameters)
        assert alone.to_pylist() == rows.filter(_is(rows, subject)).to_pylist()


def test_a_client_on_many_dates_is_what_it_is_on_each(
    lake: Lake, subjects: list[Subject], rows: pa.Table, rule_set: RuleSet
) -> None:
    """Months of one client in one history do not see each other's facts."""
    later = [
        subject._replace(
            subject_id=f"{subject.subject_id}+{more}", day=subject.day + dt.timedelta(days=more)
        )
        for subject, more in itertools.product(subjects, (10, 20, 30))
    ]
    found = feature_table(lake, [*subjects, *later], rule_set.parameters)
    own = {subject.subject_id for subject in subjects}
    kept = found.filter(pa.array(name in own for name in found["subject_id"].to_pylist()))
    assert as_bytes(kept) == as_bytes(rows)


def test_a_lake_that_grew_night_by_night_gives_what_one_sealed_at_once_gives(
    events: list[Event], subjects: list[Subject], rows: pa.Table, rule_set: RuleSet, tmp_path: Path
) -> None:
    grown = Lake(tmp_path / "lake")
    numbered = enumerate(events, start=1)
    nights = itertools.groupby(numbered, lambda pair: (pair[1].business_date - FIRST).days // 10)
    for version, (_night, facts) in enumerate(nights):
        grown.append(list(facts), seal_id=version, version=version)
    assert version > DAYS // 10 - 2
    assert as_bytes(feature_table(grown, subjects, rule_set.parameters)) == as_bytes(rows)


@pytest.fixture(scope="module")
def dated(lake: Lake, subjects: list[Subject], rule_set: RuleSet) -> pa.Table:
    """Every client on six dates."""
    later = [
        subject._replace(
            subject_id=f"{subject.client_id}+{more}", day=subject.day + dt.timedelta(days=more)
        )
        for subject, more in itertools.product(subjects, range(0, 30, 5))
    ]
    return feature_table(lake, later, rule_set.parameters)


def test_labels_at_random_are_not_learnt(dated: pa.Table, rule_set: RuleSet) -> None:
    """Rows that were not fitted are ranked by chance."""
    aucs = []
    for seed in range(4):
        bad = pa.array((np.random.default_rng(seed).random(dated.num_rows) < 0.2).astype("int8"))
        aucs.append(unseen_auc(dated.append_column("bad", bad), rule_set))
    assert abs(np.mean(aucs) - 0.5) < 0.06
    assert max(aucs) < 0.62


def test_a_label_that_features_tell_is_learnt(dated: pa.Table, rule_set: RuleSet) -> None:
    """The guard can fail."""
    bad = pc.less(dated["balance_cv_180d"], 0.25).fill_null(False).cast("int8")
    auc = unseen_auc(dated.append_column("bad", bad), rule_set)
    assert auc > 0.9


def _is(rows: pa.Table, subject: Subject) -> pa.Array:
    return pa.array(name == subject.subject_id for name in rows["subject_id"].to_pylist())


# --- the canary: payments after the loan ----------------------------------------------------------


def _paid(history: History, entries: ir.Table) -> ir.Table:
    own = entries.filter(_.purpose == "LOAN").join(
        history.subjects, entries.client == history.subjects.of_client
    )
    return own.group_by("subject_id").agg(value=_.count())


def _canary(engine: DuckDBEngine) -> Callable[[History, Figures], ir.Table]:
    """Instalments paid, whenever that was: it knows how the loan went."""
    return lambda history, figures: _paid(history, engine.table(POSTED))


def _kept_canary(engine: DuckDBEngine) -> Callable[[History, Figures], ir.Table]:
    """The same, hidden behind a table that is computed once."""
    return lambda history, figures: history.once("paid", lambda: _canary(engine)(history, figures))


def _copied_canary(engine: DuckDBEngine) -> Callable[[History, Figures], ir.Table]:
    """The same, from a copy beside the lake."""
    return lambda history, figures: _paid(history, engine.keep(engine.table(POSTED)))


@pytest.mark.parametrize("canary", [_canary, _kept_canary, _copied_canary])
def test_a_feature_that_sees_payments_after_the_date_is_refused(
    canary: Callable[[DuckDBEngine], Callable[[History, Figures], ir.Table]],
    lake: Lake,
    subjects: list[Subject],
    rule_set: RuleSet,
) -> None:
    with DuckDBEngine(lake) as engine:
        history = History(engine, subjects, ZONE)
        # It would have had a lot to say.
        seen = engine.run(_paid(history, engine.table(POSTED)))
        known = engine.run(history.facts(POSTED).filter(_.purpose == "LOAN"))
        assert sum(seen["value"].to_pylist()) > known.num_rows > 0
        feature = Feature("loan_payments", "R02", canary(engine))
        with pytest.raises(UsageError, match=r"around its history.*history\.facts\(\)"):
            features(history, rule_set.parameters, {**FEATURES, feature.name: feature})


def test_the_same_feature_from_the_history_is_taken(
    lake: Lake, subjects: list[Subject], rule_set: RuleSet
) -> None:
    def paid(history: History, figures: Figures) -> ir.Table:
        paying = history.facts(POSTED).filter(_.purpose == "LOAN")
        return paying.group_by("subject_id").agg(value=_.count())

    with DuckDBEngine(lake) as engine:
        history = History(engine, subjects, ZONE)
        chosen = {"paid": Feature("paid", "R02", paid)}
        found = engine.run(features(history, rule_set.parameters, chosen))
    assert found.column_names == ["subject_id", "paid"]
    assert any(found["paid"].to_pylist())
