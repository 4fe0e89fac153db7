"""Register, propose, decide: what people and DAGs do with a model, over the registry."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec

from lifecycle.errors import UsageError
from lifecycle.models import artefact
from lifecycle.models.life import (
    Answer,
    ModelType,
    Move,
    Proposal,
    Registered,
    Status,
    check_artefact,
    check_decision,
    check_proposal,
    hash_of,
    question,
)
from lifecycle.ports import ModelRegistry
from lifecycle.risk.attrition_facts import FEATURES
from lifecycle.risk.attrition_score import read_model

REPORT, VALIDATION = "report.html", "validation.json"
"""What `model_training.train` writes beside the artefact."""


def register(
    registry: ModelRegistry, path: Path, *, owner: str, code_version: str, now: dt.datetime
) -> Registered:
    """Register the scorecard of a model folder, or the attrition model of a file, as DEVELOPMENT. Raises
    UsageError when it is neither, and AnswerIsNo when it is known."""
    return (_scorecard if path.is_dir() else _attrition)(registry, path, owner, code_version, now)


def _scorecard(
    registry: ModelRegistry, folder: Path, owner: str, code_version: str, now: dt.datetime
) -> Registered:
    content = artefact.read(folder / artefact.CHAMPION)
    stored = artefact.scorecard_of(content, str(folder))
    report = _text(folder / REPORT)
    model = Registered(
        model_version=stored.model_version,
        model_type="CREDIT",
        artefact_hash=hash_of(content),
        lake=stored.training.lake,
        data_hash=stored.training.data_hash,
        code_version=code_version,
        metrics=stored.metrics
        | _validation(folder, stored.model_version)
        | {"warnings": stored.warnings},
        owner=owner,
        created_at=now,
        has_report=report is not None,
    )
    registry.register(model, content, report)
    return model


def _attrition(
    registry: ModelRegistry, path: Path, owner: str, code_version: str, now: dt.datetime
) -> Registered:
    content = artefact.read(path)
    made = read_model(content, str(path), FEATURES)
    report = _text(path.with_suffix(".html"))
    model = Registered(
        model_version=made.version,
        model_type="ATTRITION",
        artefact_hash=hash_of(content),
        lake={},
        data_hash=None,
        code_version=code_version,
        metrics={"fitted_on": made.fitted_on},
        owner=owner,
        created_at=now,
        has_report=report is not None,
    )
    registry.register(model, content, report)
    return model


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The report {path} cannot be read as text: {error}.") from error


def _validation(folder: Path, model_version: str) -> dict[str, Any]:
    """What was measured beside the model itself. Raises UsageError when it cannot be read, or is of
    another model."""
    path = folder / VALIDATION
    if not path.is_file():
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} cannot be read ({error}): train the model again.") from error
    if found.pop("model_version", None) != model_version:
        raise UsageError(f"{path} is of another model than {model_version}: train it again.")
    return found


def champion_of(registry: ModelRegistry, model_type: ModelType) -> Registered | None:
    """The champion of a type as the registry knows it."""
    return next(iter(registry.models(model_type, "CHAMPION")), None)


def propose(
    registry: ModelRegistry,
    model_version: str,
    after: Status,
    *,
    reason: str,
    maker: str,
    now: dt.datetime,
) -> int:
    """Ask a second person to move a model; the request's number. Raises UsageError for a move that may
    not be."""
    model = registry.model(model_version)
    check_proposal(model, after, reason, champion_of(registry, model.model_type))
    proposal = Proposal(model_version, after, model.artefact_hash, reason, maker, now)
    check_artefact(proposal, registry.artefact(model_version))
    return registry.ask(proposal)


def asked(registry: ModelRegistry, request_id: int) -> dict[str, str]:
    """What the second person is asked: {subject, body}."""
    request = registry.request(request_id)
    model = registry.model(request.model_version)
    return question(request, model, champion_of(registry, model.model_type))


def decide(
    registry: ModelRegistry, request_id: int, answer: Answer, *, checker: str, now: dt.datetime
) -> dict[str, Any]:
    """A second person's answer, carried out: {model_version, status, replaced}. Raises UsageError when
    it is not a second person, or the model or its champion is no longer what was proposed."""
    request = registry.request(request_id)
    model = registry.model(request.model_version)
    check_decision(request, model, checker)
    if answer == "REJECT":
        registry.reject(request_id, checker, now)
        return {"model_version": model.model_version, "status": model.status, "replaced": None}
    check_artefact(request, registry.artefact(model.model_version))
    champion = champion_of(registry, model.model_type)
    check_proposal(model, request.after, request.reason, champion)
    goes = champion.model_version if champion and request.after == "CHAMPION" else None
    registry.move(Move(request, model.status, checker, goes, now))
    return {"model_version": model.model_version, "status": request.after, "replaced": goes}
