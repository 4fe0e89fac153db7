"""The command line as a whole: every command says what it does and takes --json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from lifecycle.commands import application, watch


def commands() -> Iterator[tuple[str, Any]]:
    """(name, click command) of every leaf of the command tree."""
    todo: list[tuple[str, Any]] = [("lifecycle", typer.main.get_command(application))]
    while todo:
        name, command = todo.pop()
        children = getattr(command, "commands", None)
        if children is None:
            yield name, command
        else:
            todo += [(f"{name} {child}", found) for child, found in children.items()]


@pytest.mark.parametrize(("name", "command"), sorted(commands(), key=lambda item: item[0]))
def test_every_command_has_help_and_json(name: str, command: Any) -> None:
    assert command.help
    assert any("--json" in option.opts for option in command.params), name


@pytest.mark.parametrize(
    ("equal", "said"), [(True, "proof equal"), (False, "proof DIFFERENT"), (None, "not proved")]
)
def test_a_night_that_was_never_proved_is_not_called_different(
    equal: bool | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = {name: [] for name in ("stopped", "parked", "gaps", "quarantine", "backfills")}
    night = {"business_date": "2026-03-01", "status": "BLOCKED", "equal": equal}
    watch._print(empty | {"parts": {}, "reconciliation": {}, "urls": {}, "nightly": night})
    assert f"night    2026-03-01 BLOCKED, {said}" in capsys.readouterr().out
