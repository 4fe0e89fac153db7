"""The command line as a whole: every command says what it does and takes --json."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console

from lifecycle import cli, platform, settings
from lifecycle.commands import application, console, watch
from lifecycle.commands.console import new_table, plain, printable


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


def test_nothing_is_cut_off_or_broken_where_nobody_looks_at_a_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    out = console._console(stderr=False)
    table = new_table("id", "detail")
    identity = "0ba3a9e8-3b6b-5af5-954b-3d46c4666a13"
    table.add_row(identity, "x" * 300)
    with out.capture() as shown:
        out.print(table)
        out.print("/a/long/folder " * 20)
    assert f"{identity} │ {'x' * 300}" in shown.get()
    assert "/a/long/folder " * 20 in shown.get()
    narrow = Console(width=40)
    with narrow.capture() as shown:
        narrow.print(table)
    assert "…" not in shown.get()
    assert shown.get().count("x") == 300


def test_what_others_wrote_does_nothing_to_a_terminal() -> None:
    assert printable('{"名": "\x1b[31m"}'.encode()) == '{"名": "\\x1b[31m"}'
    assert printable(b"\xff{}") == "\\xff{}"
    assert printable("a\nb") == "a\\nb"
    assert plain("[red]x") == "\\[red]x"


def test_an_argument_that_is_no_text_gets_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["lifecycle", "client", "\udcff"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_a_part_that_ends_again_and_again_is_told_by_its_log(tmp_path: Path) -> None:
    configured = settings.load({"LIFECYCLE_HOME": str(tmp_path)})
    well, down, ending = (
        {"healthy": healthy, "restarts": restarts, "detail": "starting"}
        for healthy, restarts in ((True, 0), (False, 0), (False, 3))
    )
    said = watch._what_is_ill({"broker": well, "mail": down, "consumer": ending}, configured)
    assert said.startswith("Not healthy: mail, consumer: `lifecycle up` starts what is down")
    assert str(tmp_path / "run" / "consumer.log") in said
    assert "mail.log" not in said
    assert "log" not in watch._what_is_ill({"broker": well, "mail": down}, configured)
    assert "Not healthy: mail" in watch._what_is_ill({"mail": down}, configured)
    gone = down | {"detail": platform.DOWN}
    assert "Nothing is running" in watch._what_is_ill({"broker": gone}, configured)
    assert "Nothing is running" in watch._what_is_ill({}, configured)
