"""offsets show|resume|set: where the consumers stand, and what people decide about it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, log_in_name, new_table, out, print_json
from lifecycle.errors import UsageError

group = typer.Typer(
    no_args_is_help=True, help="Offset rows: where the consumers stand, partition by partition."
)

Topic = Annotated[str, typer.Argument(help="e.g. bank.account.v1")]
Partition = Annotated[str, typer.Argument(help="Its number, or all.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with your log-in of the system.")]


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="offsets")


@group.command()
def show(as_json: AsJson = False) -> None:
    """Stored offset, what the broker keeps, and what is lost or impossible, per partition."""
    rows = app.offsets(settings.load())
    if as_json:
        return print_json(rows)
    table = new_table(
        "topic", "partition", "kept from", "next", "end", "lag", "stopped or impossible"
    )
    for row in rows:
        table.add_row(
            row["topic"],
            *(
                str(row[name])
                for name in ("partition", "log_start", "next_offset", "log_end", "lag")
            ),
            row["problem"] or row["stopped_reason"] or "",
        )
    out.print(table)


@group.command()
def resume(topic: Topic, partition: Partition, reason: Why, as_json: AsJson = False) -> None:
    """Read a stopped partition, or all that are stopped, on from where they stand."""
    _decide(topic, partition, None, reason, as_json)


@group.command("set")
def set_offset(
    topic: Topic,
    partition: Partition,
    offset: Annotated[
        str, typer.Argument(help="The next offset to read, or beginning: the first one kept.")
    ],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Read on from another offset: what is skipped is lost, what is repeated is recognised."""
    _decide(topic, partition, offset, reason, as_json)


def _decide(topic: str, partition: str, offset: str | None, reason: str, as_json: bool) -> None:
    all_ = partition == "all"
    number = None if all_ else _number("PARTITION", partition, "all")
    done = app.decide_offsets(
        settings.load(), topic, number, _offset(offset), actor=log_in_name(), reason=reason
    )
    if as_json:
        return print_json(done if all_ else done[0])
    for row in done:
        out.print(f"{topic} partition {row['partition']} is read on from offset {row['to']:,}")


def _offset(text: str | None) -> int | Literal["beginning"] | None:
    if text is None:
        return None
    return "beginning" if text == "beginning" else _number("OFFSET", text, "beginning")


def _number(name: str, text: str, word: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{name} is {text!r}: say a number, or {word}.")
    return int(text)
