"""quarantine list|show|release|discard|requests|approve|reject: mend what was kept out, four eyes."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, out, print_json
from lifecycle.errors import UsageError
from lifecycle.quarantine import Action, Answer

group = typer.Typer(no_args_is_help=True, help="Records that were kept out: see, mend, release.")

RecordId = Annotated[int, typer.Argument(help="The record's number.")]
RequestId = Annotated[int, typer.Argument(help="The request's number.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the record.")]
Who = Annotated[
    str, typer.Option("--actor", default_factory=getpass.getuser, help="Who; your log-in name.")
]


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="quarantine")


@group.command("list")
def list_records(
    reason: Annotated[str | None, typer.Option(help="Only this reason, e.g. SCHEMA.")] = None,
    stage: Annotated[str | None, typer.Option(help="raw or staged.")] = None,
    status: Annotated[str | None, typer.Option(help="HELD, RELEASED or DISCARDED.")] = None,
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1_000,
    as_json: AsJson = False,
) -> None:
    """What was kept out, newest first."""
    with app.quarantine(settings.load()) as store:
        rows = store.records(
            limit, reason=reason, stage=stage, status=status, client_id=client, topic=topic
        )
    if as_json:
        return print_json(rows)
    table = Table("id", "stage", "reason", "detail", "client", "where", "status", "request")
    for row in rows:
        table.add_row(
            str(row["quarantine_id"]),
            row["stage"],
            row["reason"],
            escape(row["detail"]),
            escape(row["client_id"] or ""),
            f"{row['topic']}/{row['partition']}/{row['kafka_offset']}",
            row["status"],
            str(row["request_id"] or ""),
        )
    out.print(table)
    out.print(f"{len(rows):,} records{' or more' if len(rows) == limit else ''}")


@group.command()
def show(record: RecordId, as_json: AsJson = False) -> None:
    """One record with its raw bytes, what was asked for it, and what it became."""
    with app.quarantine(settings.load()) as store:
        row = store.show(record)
    if as_json:
        return print_json(row)
    for name, value in row.items():
        if name not in ("requests", "released_as"):
            out.print(f"{name:15} {value}", highlight=False, markup=False)
    _print_requests(row["requests"])
    for fact in row["released_as"]:
        out.print(f"became fact {fact['position']} {fact['type']} {fact['event_id']}")


@group.command()
def release(
    record: RecordId,
    reason: Why,
    actor: Who,
    corrected: Annotated[
        Path | None,
        typer.Option(help="A file with the record as it should have been; without it, as it came."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask that a record be let in; a second person approves."""
    _ask(record, "RELEASE", _bytes_of(corrected), reason, actor, as_json)


@group.command()
def discard(record: RecordId, reason: Why, actor: Who, as_json: AsJson = False) -> None:
    """Ask that a record be given up; a second person approves."""
    _ask(record, "DISCARD", None, reason, actor, as_json)


@group.command()
def requests(
    status: Annotated[str | None, typer.Option(help="WAITING, APPROVED or REJECTED.")] = "WAITING",
    as_json: AsJson = False,
) -> None:
    """What people asked for."""
    with app.quarantine(settings.load()) as store:
        rows = store.requests(status)
    if as_json:
        return print_json(rows)
    _print_requests(rows)
    out.print(f"{len(rows):,} requests")


@group.command()
def approve(request: RequestId, actor: Who, as_json: AsJson = False) -> None:
    """Do what was asked; not by the person who asked."""
    _decide(request, "APPROVE", actor, as_json)


@group.command()
def reject(request: RequestId, actor: Who, as_json: AsJson = False) -> None:
    """Leave the record in quarantine; not by the person who asked."""
    _decide(request, "REJECT", actor, as_json)


def _bytes_of(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"The corrected record {path} cannot be read: {error.strerror}.") from None


def _ask(
    record: int, action: Action, corrected: bytes | None, reason: str, actor: str, as_json: bool
) -> None:
    request = app.ask_for_quarantined(
        settings.load(), record, action, corrected, reason=reason, maker=actor
    )
    if as_json:
        return print_json({"request_id": request, "quarantine_id": record, "action": action})
    out.print(
        f"Request {request} waits for a second person: in Airflow, or "
        f"`lifecycle quarantine approve {request}`."
    )


def _decide(request: int, answer: Answer, actor: str, as_json: bool) -> None:
    done = app.decide_quarantined(settings.load(), request, answer, checker=actor)
    if as_json:
        return print_json(done)
    out.print(
        f"Record {done['quarantine_id']} is {done['status']}"
        + (f"; {done['facts']} facts applied, {done['alerts']} alerts" if done["facts"] else "")
    )


def _print_requests(rows: list[dict[str, Any]]) -> None:
    table = Table("request", "record", "asks for", "reason", "by", "status", "decided by")
    for row in rows:
        table.add_row(
            str(row["request_id"]),
            str(row["quarantine_id"]),
            row["action"],
            escape(row["reason"]),
            escape(row["maker"]),
            row["status"],
            row["checker"] or "",
        )
    if rows:
        out.print(table)
