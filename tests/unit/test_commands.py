"""The command line as a whole: every command says what it does and takes --json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from lifecycle.commands import application


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
