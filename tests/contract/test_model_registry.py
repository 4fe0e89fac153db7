"""The registry of models: one suite, in memory and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from lifecycle.adapters.memory_models import MemoryModelRegistry
from lifecycle.adapters.model_registry import ModelRegistry as PostgresModelRegistry
from lifecycle.alerts.models import Drift, Reading, decide_drift
from lifecycle.alerts.rules import RuleSet
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.model_life import decide, propose
from lifecycle.models.life import ModelType, Move, Proposal, Registered, hash_of
from lifecycle.ports import ModelRegistry
from lifecycle.settings import Settings
from tests.support import DAY, at, query

NOW = at(DAY)
BACKENDS = ["memory", pytest.param("postgres", marks=pytest.mark.integration)]
Tamper = Callable[[str, bytes], None]


@pytest.fixture(params=BACKENDS)
def kept(request: pytest.FixtureRequest) -> Iterator[tuple[ModelRegistry, Tamper]]:
    """A registry, and a way to change an artefact behind its back."""
    if request.param == "memory":
        memory = MemoryModelRegistry()
        yield memory, memory.artefacts.__setitem__
        return
    settings: Settings = request.getfixturevalue("clean")
    store = PostgresModelRegistry(settings.database_url)

    def tamper(version: str, artefact: bytes) -> None:
        # Past the trigger, as only who owns the database can.
        with psycopg.connect(settings.database_url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "UPDATE model SET artefact = %s WHERE model_version = %s", (artefact, version)
            )

    yield store, tamper
    store.close()


@pytest.fixture
def registry(kept: tuple[ModelRegistry, Tamper]) -> ModelRegistry:
    return kept[0]


def model(name: str, kind: ModelType = "CREDIT", **changes: Any) -> Registered:
    known = Registered(
        model_version=name,
        model_type=kind,
        artefact_hash=hash_of(name.encode()),
        lake={"credit_training": 3},
        data_hash="data",
        code_version="1",
        metrics={"test": None},
        owner="maker",
        created_at=NOW,
        has_report=True,
    )
    return msgspec.structs.replace(known, **changes)


def put(registry: ModelRegistry, name: str, kind: ModelType = "CREDIT", **changes: Any) -> None:
    registry.register(model(name, kind, **changes), name.encode(), f"<p>{name}</p>")


def raise_to(registry: ModelRegistry, name: str, *statuses: Any) -> None:
    for status in statuses:
        number = propose(registry, name, status, reason="tested", maker="asker", now=NOW)
        decide(registry, number, "APPROVE", checker="checker", now=NOW)


def test_what_is_registered_is_there_as_it_was(registry: ModelRegistry) -> None:
    put(registry, "m1")
    assert registry.model("m1") == model("m1")
    assert registry.artefact("m1") == b"m1"
    assert registry.report("m1") == "<p>m1</p>"
    (change,) = registry.changes("m1")
    assert (change.before, change.after, change.actor) == (None, "DEVELOPMENT", "maker")
    with pytest.raises(AnswerIsNo, match="m1 is registered already"):
        put(registry, "m1")
    assert len(registry.changes("m1")) == 1


def test_what_nobody_registered_is_not_there(registry: ModelRegistry) -> None:
    for read in (registry.model, registry.artefact, registry.report):
        with pytest.raises(UsageError, match="There is no model m9"):
            read("m9")
    with pytest.raises(UsageError, match="There is no request 9"):
        registry.request(9)
    assert registry.champion("CREDIT") is None


def test_models_are_listed_newest_first(registry: ModelRegistry) -> None:
    put(registry, "m1")
    put(registry, "m2", created_at=NOW + dt.timedelta(hours=1))
    put(registry, "m3", "ATTRITION")
    raise_to(registry, "m1", "CHALLENGER")
    assert [m.model_version for m in registry.models()] == ["m2", "m1", "m3"]
    assert [m.model_version for m in registry.models("CREDIT")] == ["m2", "m1"]
    assert [m.model_version for m in registry.models("CREDIT", "CHALLENGER")] == ["m1"]


def test_a_champion_of_each_type_scores(registry: ModelRegistry) -> None:
    put(registry, "m1")
    put(registry, "m2", "ATTRITION")
    raise_to(registry, "m1", "CHALLENGER", "CHAMPION")
    raise_to(registry, "m2", "CHALLENGER", "CHAMPION")
    assert registry.champion("CREDIT") == b"m1"
    assert registry.champion("ATTRITION") == b"m2"
    assert [c.after for c in registry.changes("m1")] == ["DEVELOPMENT", "CHALLENGER", "CHAMPION"]
    assert registry.changes("m1")[2].actor == "checker"


def better_than(name: str) -> dict[str, Any]:
    found = {"model_version": name, "difference": 0.02, "p": 0.01, "may_replace": True}
    return {"against_champion": found}


def test_a_new_champion_retires_the_one_before(registry: ModelRegistry) -> None:
    put(registry, "m1")
    put(registry, "m2", metrics=better_than("m1"))
    raise_to(registry, "m1", "CHALLENGER", "CHAMPION")
    raise_to(registry, "m2", "CHALLENGER", "CHAMPION")
    assert registry.champion("CREDIT") == b"m2"
    assert registry.model("m1").status == "RETIRED"
    last = registry.changes("m1")[-1]
    assert (last.before, last.after, last.reason) == ("CHAMPION", "RETIRED", "replaced by m2")


def test_a_second_champion_beside_the_first_cannot_be(registry: ModelRegistry) -> None:
    """Whatever the caller believes: the registry holds it."""
    put(registry, "m1")
    put(registry, "m2")
    raise_to(registry, "m1", "CHALLENGER", "CHAMPION")
    raise_to(registry, "m2", "CHALLENGER")
    number = registry.ask(Proposal("m2", "CHAMPION", hash_of(b"m2"), "why", "asker", NOW))
    late = Move(registry.request(number), "CHALLENGER", "checker", None, NOW)
    with pytest.raises(UsageError, match="Another model became champion"):
        registry.move(late)
    assert registry.request(number).status == "WAITING"
    assert registry.champion("CREDIT") == b"m1"
    assert len(registry.changes("m2")) == 2


def test_one_proposal_of_a_model_waits_at_a_time(registry: ModelRegistry) -> None:
    put(registry, "m1")
    asked = Proposal("m1", "CHALLENGER", hash_of(b"m1"), "why", "asker", NOW)
    number = registry.ask(asked)
    with pytest.raises(UsageError, match="is waiting"):
        registry.ask(asked)
    registry.reject(number, "checker", NOW)
    decided = registry.request(number)
    assert (decided.status, decided.checker, decided.decided_at) == ("REJECTED", "checker", NOW)
    with pytest.raises(UsageError, match="decided by somebody else"):
        registry.reject(number, "checker", NOW)
    again = registry.ask(asked)
    assert [r.request_id for r in registry.requests()] == [again, number]
    assert [r.request_id for r in registry.requests("WAITING")] == [again]
    assert registry.model("m1").status == "DEVELOPMENT"


def test_an_artefact_that_was_changed_is_refused(kept: tuple[ModelRegistry, Tamper]) -> None:
    registry, tamper = kept
    put(registry, "m1")
    number = propose(registry, "m1", "CHALLENGER", reason="why", maker="asker", now=NOW)
    request = registry.request(number)
    tamper("m1", b"another")
    with pytest.raises(UsageError, match="not the one that was registered and proposed"):
        decide(registry, number, "APPROVE", checker="checker", now=NOW)
    with pytest.raises(UsageError, match="not the one that was registered and proposed"):
        registry.move(Move(request, "DEVELOPMENT", "checker", None, NOW))
    assert registry.model("m1").status == "DEVELOPMENT"
    assert registry.request(number).status == "WAITING"
    registry.reject(number, "checker", NOW)
    with pytest.raises(UsageError, match="not the one that was registered and proposed"):
        propose(registry, "m1", "CHALLENGER", reason="why", maker="asker", now=NOW)


def test_a_status_that_changed_meanwhile_is_refused(registry: ModelRegistry) -> None:
    put(registry, "m1")
    number = propose(registry, "m1", "CHALLENGER", reason="why", maker="asker", now=NOW)
    stale = Move(registry.request(number), "RETIRED", "checker", None, NOW)
    with pytest.raises(UsageError, match="m1 is no longer RETIRED"):
        registry.move(stale)
    assert registry.request(number).status == "WAITING"


def reading(day: dt.date, psi: float) -> Reading:
    return Reading(
        business_date=day,
        as_of=at(day),
        model_version="m1",
        scored=1000,
        psi=psi,
        csi={"dpd": 0.01},
        mean_pd=0.05,
        cohort=900,
        defaults=40,
        calibration_p=0.8,
        decisions=0,
        overrides=0,
    )


def test_readings_replace_those_of_their_night_and_raise_once(
    kept: tuple[ModelRegistry, Tamper], rule_set: RuleSet, request: pytest.FixtureRequest
) -> None:
    registry, _ = kept
    put(registry, "m1")
    calm, red = reading(DAY, 0.05), reading(DAY + dt.timedelta(days=1), 0.4)
    raised = decide_drift(Drift(calm, red), rule_set)
    assert raised is not None
    for _night in range(2):
        for seen, alert in ((calm, None), (red, raised)):
            registry.record(seen, "RED", alert, rules=rule_set, code_version="1", now=NOW)
    assert registry.readings("m1") == [red, calm]
    assert registry.readings("m1", red.business_date) == [calm]
    if isinstance(registry, PostgresModelRegistry):
        settings = request.getfixturevalue("scratch")
        assert query(settings, "SELECT origin, client_id, entity, owner FROM alert") == [
            ("MODEL", "", "model/m1", "MO")
        ]
        assert query(settings, "SELECT count(*) FROM outbox") == [(1,)]
    else:
        assert isinstance(registry, MemoryModelRegistry)
        assert list(registry.raised.values()) == [raised]


@pytest.mark.integration
def test_the_database_lets_nobody_rewrite_history(clean: Settings) -> None:
    registry = PostgresModelRegistry(clean.database_url)
    put(registry, "m1")
    registry.close()
    for statement in (
        "UPDATE model SET artefact = 'x'",
        "UPDATE model SET artefact_hash = 'x'",
        "DELETE FROM model",
        "UPDATE model_change SET reason = 'x'",
        "DELETE FROM model_change",
    ):
        with (
            psycopg.connect(clean.database_url) as connection,
            pytest.raises(psycopg.errors.RaiseException, match="never changed"),
        ):
            connection.execute(statement)
