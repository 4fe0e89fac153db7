"""What a folder or a file becomes in the registry, and when a model may replace the champion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from lifecycle.adapters.memory_models import MemoryModelRegistry
from lifecycle.errors import UsageError
from lifecycle.model_life import decide, propose, register
from lifecycle.model_training import against
from lifecycle.models import artefact
from lifecycle.models.artefact import Stored, Training
from lifecycle.models.figures import Figures
from lifecycle.models.life import Registered, hash_of
from lifecycle.models.metrics import Distribution
from lifecycle.models.scorecard import Scorecard
from lifecycle.risk.attrition_facts import FEATURES
from lifecycle.risk.attrition_score import Knot, Model, Term, write_model
from tests.support import DAY, at
from tests.unit.models.cards import card

NOW = at(DAY)


def stored(figures: Figures, **changes: Any) -> Stored[Scorecard]:
    """The hand-written card, or some of it, as a file has it."""
    whole = msgspec.structs.replace(card(figures), **changes)
    made = msgspec.json.decode(msgspec.json.encode(whole), type=Scorecard)
    facts = Training(120, 12, "bad", ("load",), None, None, None, None, "hash")
    spread = Distribution((500.0,), (0.5, 0.5))
    return Stored(made.version, made, facts, spread, {"test": None}, ("it knows too much",), {})


def put(registry: MemoryModelRegistry, path: Path) -> Registered:
    return register(registry, path, owner="maker", code_version="1", now=NOW)


def test_a_folder_without_a_report_is_registered_and_goes_no_further(
    tmp_path: Path, figures: Figures
) -> None:
    artefact.save_champion(tmp_path, stored(figures))
    registry = MemoryModelRegistry()
    model = put(registry, tmp_path)
    assert (model.model_type, model.status, model.lake, model.has_report) == (
        "CREDIT",
        "DEVELOPMENT",
        {},
        False,
    )
    assert model.metrics == {"test": None, "warnings": ("it knows too much",)}
    with pytest.raises(UsageError, match="no validation report"):
        propose(registry, model.model_version, "CHALLENGER", reason="r", maker="m", now=NOW)
    number = propose(registry, model.model_version, "RETIRED", reason="r", maker="m", now=NOW)
    assert decide(registry, number, "REJECT", checker="c", now=NOW)["status"] == "DEVELOPMENT"
    again = propose(registry, model.model_version, "RETIRED", reason="r", maker="m", now=NOW)
    assert decide(registry, again, "APPROVE", checker="c", now=NOW)["status"] == "RETIRED"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model_version": "x"}'])
def test_what_is_no_model_is_not_registered(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scorecard.json").write_bytes(content)
    with pytest.raises(UsageError, match="not a model of this version"):
        put(MemoryModelRegistry(), tmp_path)
    with pytest.raises(UsageError, match="There is no model at"):
        put(MemoryModelRegistry(), tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[", "cannot be read"), (b"[]", "cannot be read"), (b"{}", "of another model")],
)
def test_a_validation_that_is_none_is_refused(
    tmp_path: Path, figures: Figures, content: bytes, said: str
) -> None:
    artefact.save_champion(tmp_path, stored(figures))
    (tmp_path / "validation.json").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        put(MemoryModelRegistry(), tmp_path)


def test_an_attrition_model_is_a_file_with_its_report_beside_it(tmp_path: Path) -> None:
    term = Term(next(iter(FEATURES)), 1.0, 0.0, 1.0, 0.5, 0.2, 0.5)
    made = Model(-2.0, (term,), (Knot(-3.0, 0.1), Knot(0.0, 0.5)), {"rows": 9})
    path = tmp_path / "attrition.json"
    path.write_bytes(write_model(made))
    (tmp_path / "attrition.html").write_text("<p>validated</p>", "utf-8")
    registry = MemoryModelRegistry()
    model = put(registry, path)
    assert (model.model_version, model.model_type) == (made.version, "ATTRITION")
    assert model.artefact_hash == hash_of(path.read_bytes())
    for status in ("CHALLENGER", "CHAMPION"):
        number = propose(registry, made.version, status, reason="r", maker="m", now=NOW)  # type: ignore[arg-type]
        decide(registry, number, "APPROVE", checker="c", now=NOW)
    assert registry.champion("ATTRITION") == path.read_bytes()
    assert registry.champion("CREDIT") is None


def test_only_what_ranks_better_may_replace_the_champion(figures: Figures) -> None:
    """The whole card knows the load, on which defaults depend; a card of ages alone does not."""
    whole = stored(figures)
    (ages,) = [c for c in whole.model.characteristics if c.name == "age"]
    blind = stored(figures, characteristics=(ages,))
    draw = np.random.default_rng(3)
    loads = draw.choice([0.0, 1.0, 3.0], 400)
    test = pa.table({
        "load": loads,
        "home": ["own"] * 400,
        "age": draw.normal(size=400),
        "target": (draw.random(400) < loads / 4).astype("int8"),
    })
    better = against(whole, msgspec.json.encode(blind), test, figures)
    assert better["model_version"] == blind.model_version
    assert better["may_replace"]
    assert better["auc"] > better["champion_auc"]
    worse = against(blind, msgspec.json.encode(whole), test, figures)
    assert not worse["may_replace"]
    assert worse["difference"] == pytest.approx(-better["difference"])
