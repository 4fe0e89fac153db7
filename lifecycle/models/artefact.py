"""A model folder: scorecard.json, and of a challenger challenger.json and challenger.txt.

What is hashed is what scores. Beside it stand the facts of the training data, the metrics and the
versions of libraries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from lifecycle.errors import UsageError
from lifecycle.models.challenger import Challenger
from lifecycle.models.metrics import Distribution
from lifecycle.models.scorecard import Scorecard

M = TypeVar("M", Scorecard, Challenger)


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts of the rows a model was fitted on."""

    rows: int
    bads: int
    target: str
    columns: tuple[str, ...]
    """All that could have been used."""
    first_date: str | None
    last_date: str | None
    test_from: str | None
    prior: float | None
    """The bad rate that PDs were shifted to."""
    data_hash: str
    """SHA-256 of these rows, their outcome and their columns."""
    lake: dict[str, int] = {}
    """Product of the lake that the rows were read from -> its version; empty for a table of elsewhere."""


class Stored(msgspec.Struct, Generic[M], frozen=True, forbid_unknown_fields=True):
    """A model as it lies in a file."""

    model_version: str
    model: M
    training: Training
    development: Distribution
    """How scores of the training rows were spread: a card's own ones, a challenger's in the folds."""
    metrics: dict[str, Any]
    warnings: tuple[str, ...]
    libraries: dict[str, str]


CHAMPION, CHALLENGER, TREES = "scorecard.json", "challenger.json", "challenger.txt"


def make(folder: Path) -> None:
    """Make a model folder before minutes go into the model. Raises UsageError when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made ({error.strerror}).") from error


def save_champion(folder: Path, stored: Stored[Scorecard]) -> None:
    """Write a scorecard; a challenger of an earlier training goes."""
    for name in (CHALLENGER, TREES):
        (folder / name).unlink(missing_ok=True)
    _write(folder / CHAMPION, _json(stored))


def save_challenger(folder: Path, stored: Stored[Challenger], trees: str) -> None:
    """Write a challenger beside its champion."""
    _write(folder / TREES, trees.encode())
    _write(folder / CHALLENGER, _json(stored))


def champion(folder: Path) -> Stored[Scorecard]:
    """Read a scorecard. Raises UsageError when there is none, or it is not what its name says."""
    return _checked(folder / CHAMPION, Stored[Scorecard])


def challenger(folder: Path) -> tuple[Stored[Challenger], str]:
    """Read a challenger and its trees. Raises UsageError as `champion` does."""
    stored = _checked(folder / CHALLENGER, Stored[Challenger], " Train with --challenger.")
    return stored, read(folder / TREES).decode()


def _json(stored: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(stored), indent=1) + b"\n"


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error


def read(path: Path, hint: str = "") -> bytes:
    """The bytes of a model's file. Raises UsageError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"There is no model at {path} ({error.strerror}).{hint}") from error


def scorecard_of(content: bytes, where: str) -> Stored[Scorecard]:
    """A scorecard from the bytes of its file, as the registry keeps them. Raises UsageError as `champion`
    does; `where` says where they are from."""
    return _decoded(content, where, Stored[Scorecard])


def _checked(path: Path, kind: type[Stored[M]], hint: str = "") -> Stored[M]:
    return _decoded(read(path, hint), str(path), kind)


def _decoded(content: bytes, where: str, kind: type[Stored[M]]) -> Stored[M]:
    try:
        stored = msgspec.json.decode(content, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError(f"{where} is not a model of this version ({error}).") from error
    if stored.model.version != stored.model_version:
        raise UsageError(
            f"{where} calls itself {stored.model_version}, and its content is "
            f"{stored.model.version}: it was changed by hand. Train it again."
        )
    return stored
