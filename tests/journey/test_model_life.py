"""A model's whole life on a simulated bank: from facts in a lake to the champion, and to what a night sees
of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.adapters.memory import MemoryGate
from lifecycle.adapters.memory_models import MemoryModelRegistry
from lifecycle.alerts.models import decide_drift
from lifecycle.alerts.rules import RuleSet, parse_rules
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.model_life import asked, decide, propose, register
from lifecycle.model_monitoring import watch
from lifecycle.model_training import make_table, read_table, train, write_table
from lifecycle.nightly import Nightly
from lifecycle.proof import Proof
from lifecycle.risk import credit_training
from lifecycle.scoring import Models
from lifecycle.sources.simulator import LENDING, SimulatorSource
from tests.lakes import ZONE, lake_of
from tests.support import at

FIRST, DAYS = dt.date(2022, 1, 1), 1_310
NIGHT = FIRST + dt.timedelta(days=DAYS - 1)
WATCHED = dt.date(2024, 7, 31)
"""A night of which a cohort of a year before is known, and borrowers are left."""
NOW = at(NIGHT)


class Served:
    """Of a night's store what the life of a model asks: the newest night, and that nothing is held."""

    def __init__(self, date: dt.date | None) -> None:
        self._date = date

    def served_date(self) -> dt.date | None:
        return self._date

    def held(self) -> tuple[frozenset[int], frozenset[str]]:
        return frozenset(), frozenset()

    def corrected(self) -> frozenset[int]:
        return frozenset()

    @contextmanager
    def alone(self) -> Iterator[None]:
        yield


def night_of(lake: Lake, rules: RuleSet, date: dt.date | None = NIGHT) -> Nightly:
    store: Any = Served(date)

    def prove(day: dt.date) -> Proof:
        raise AssertionError(f"nothing of a model proves {day}")

    return Nightly(
        store=store,
        lake=lake,
        open_engine=lambda: DuckDBEngine(lake),
        gate=MemoryGate(),
        rules=rules,
        models=Models,
        zone=ZONE,
        prove=prove,
        now=lambda: NOW,
        code_version="test",
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    source = SimulatorSource(
        seed=5, clients=100, first_day=FIRST, days=DAYS, timezone=ZONE, stories=LENDING
    )
    return lake_of(tmp_path_factory.mktemp("bank") / "lake", source.events(None, None))


@pytest.fixture(scope="module")
def trained(lake: Lake, rule_set: RuleSet, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The table, the model's folder and what was judged, as `lifecycle models train` makes them."""
    night, folder = night_of(lake, rule_set), tmp_path_factory.mktemp("model") / "model"
    made = make_table(night, None, None)
    kept = read_table(night, made.as_of, made.version)
    judged = train(kept, folder, None, rule_set.parameters)
    return made, kept, folder, judged


def test_the_table_is_kept_in_the_lake_and_in_a_file(trained: Any, tmp_path: Path) -> None:
    made, kept, _, _ = trained
    assert made.outcomes["BAD"] > 100 < made.outcomes["GOOD"]
    assert made.outcomes["INDETERMINATE"] > 0
    assert made.rows.equals(kept)
    write_table(made.rows, tmp_path / "table.parquet")
    assert pq.read_table(tmp_path / "table.parquet").schema.metadata == kept.schema.metadata
    with pytest.raises(UsageError, match=r"does not end with \.parquet"):
        write_table(made.rows, tmp_path / "table.csv")


def test_the_table_is_the_same_however_many_clients_are_held_together(
    lake: Lake, rule_set: RuleSet, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, kept, _, _ = trained
    monkeypatch.setattr(credit_training, "CLIENTS_AT_ONCE", 700)
    again = make_table(night_of(lake, rule_set), None, None)
    assert again.version == made.version + 1
    assert again.rows.equals(kept)
    assert read_table(night_of(lake, rule_set), made.as_of, made.version).equals(kept)


def test_a_version_that_is_not_there(lake: Lake, rule_set: RuleSet, trained: Any) -> None:
    with pytest.raises(UsageError, match="no version 9 of credit_training"):
        read_table(night_of(lake, rule_set), NIGHT, 9)


def test_the_model_knows_more_than_chance_out_of_time(trained: Any) -> None:
    made, _, folder, judged = trained
    stored = judged.champion
    assert stored.training.lake == {"credit_training": made.version}
    assert stored.metrics["test"]["intervals"]["auc"][0] > 0.5
    assert stored.training.last_date < stored.training.test_from
    report = (folder / "report.html").read_text("utf-8")
    assert stored.model_version in report
    assert "SIM-" not in report, "a report names no client"


def test_without_a_night_or_with_few_bads_nothing_is_trained(
    lake: Lake, rule_set: RuleSet, trained: Any, tmp_path: Path
) -> None:
    with pytest.raises(AnswerIsNo, match="No night was published yet"):
        make_table(night_of(lake, rule_set, None), None, None)
    with pytest.raises(AnswerIsNo, match="nothing to learn from yet"):
        make_table(night_of(lake, rule_set, FIRST + dt.timedelta(days=400)), None, None)
    made = make_table(night_of(lake, rule_set, FIRST + dt.timedelta(days=800)), None, None)
    with pytest.raises(AnswerIsNo, match="so none was trained"):
        train(made.rows, tmp_path / "model", None, rule_set.parameters)
    assert not (tmp_path / "model").exists()


def test_from_the_folder_to_the_champion_and_what_a_night_sees_of_it(
    lake: Lake, rule_set: RuleSet, trained: Any
) -> None:
    _, table, folder, judged = trained
    night, registry = night_of(lake, rule_set), MemoryModelRegistry()
    assert watch(night, registry, NIGHT) is None, "no champion yet"

    model = register(registry, folder, owner="maker", code_version="test", now=NOW)
    version = model.model_version
    with pytest.raises(AnswerIsNo, match="is registered already"):
        register(registry, folder, owner="maker", code_version="test", now=NOW)
    for status in ("CHALLENGER", "CHAMPION"):
        number = propose(registry, version, status, reason="first", maker="asker", now=NOW)  # type: ignore[arg-type]
        assert model.artefact_hash in asked(registry, number)["body"]
        with pytest.raises(UsageError, match="another person"):
            decide(registry, number, "APPROVE", checker="maker", now=NOW)
        done = decide(registry, number, "APPROVE", checker="checker", now=NOW)
        assert done["status"] == status
    content = registry.champion("CREDIT")
    assert content == (folder / "scorecard.json").read_bytes()

    # Few clients are enough here: the bank is small.
    parts = json.loads(rule_set.content)
    parts["parameters"]["model_monitoring"]["value"]["clients"] = 10
    rules = parse_rules(json.dumps(parts))
    night = night_of(lake, rules)
    watched = watch(night, registry, WATCHED)
    assert watched is not None
    assert watched.reading.scored >= 20
    assert watched.light == "RED", "those who stopped paying are gone since development"
    assert watched.raised is not None
    assert watched.raised.alert.entity == f"model/{version}"
    assert set(watched.reading.csi) == {c.name for c in judged.champion.model.characteristics}
    assert watched.reading.cohort > watched.reading.defaults > 0
    assert registry.readings(version) == [watched.reading]
    again = watch(night, registry, WATCHED)
    assert again == watched, "a repeat sees the same, and keeps one reading"
    assert len(registry.readings(version)) == 1
    for raised in registry.raised.values():
        assert decide_drift(raised.drift, rules) == raised

    # The same rows against the champion they made: nothing to choose, so nothing is replaced.
    rival = train(table, folder, content, rule_set.parameters)
    assert rival.champion.model_version == version, "the same table gives the same model"
    against = rival.validation["against_champion"]
    assert (against["model_version"], against["difference"]) == (version, 0)
    assert not against["may_replace"]
