"""quarantine list|show|release|discard|requests|approve|reject: mend what was kept out, four eyes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.commands.console import (
    AsJson,
    day,
    log_in_name,
    new_table,
    one_of,
    out,
    plain,
    print_json,
    printable,
)
from lifecycle.errors import UsageError
from lifecycle.quarantine import REQUEST_STATUSES, STAGES, STATUSES, Action, Answer
from lifecycle.reasons import worded
from lifecycle.settings import Settings

group = typer.Typer(no_args_is_help=True, help="Records that were kept out: see, mend, release.")

RecordId = Annotated[int, typer.Argument(help="The record's number.")]
RequestId = Annotated[int, typer.Argument(help="The request's number.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the record.")]


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="quarantine")


@group.command("list")
def list_records(
    reason: Annotated[str | None, typer.Option(help="Only this reason, e.g. SCHEMA.")] = None,
    stage: Annotated[str | None, typer.Option(help="raw or staged.")] = None,
    status: Annotated[str | None, typer.Option(help="HELD, RELEASED or DISCARDED.")] = None,
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    expectation: Annotated[
        str | None, typer.Option(help="Only what failed this expectation, e.g. raw-07.")
    ] = None,
    event: Annotated[str | None, typer.Option(help="Only this event id.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Kept out on this day or later, YYYY-MM-DD.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Kept out on this day or earlier, YYYY-MM-DD.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1_000,
    as_json: AsJson = False,
) -> None:
    """What was kept out, newest first; `show` has the whole record."""
    configured = settings.load()
    filters = {
        "reason": reason,
        "stage": one_of("--stage", stage, STAGES),
        "status": one_of("--status", status, STATUSES),
        "client_id": client,
        "topic": topic,
        "expectation": expectation,
        "event_id": event,
    }
    first, before = _midnight(configured, since), _midnight(configured, until, 1)
    with app.quarantine(configured) as store:
        rows = store.records(limit, since=first, before=before, **filters)
    if as_json:
        return print_json(rows)
    table = new_table("id", "stage", "reason", "detail", "client", "where", "status", "request")
    for row in rows:
        table.add_row(
            str(row["quarantine_id"]),
            row["stage"],
            row["reason"],
            plain(row["detail"]),
            plain(row["client_id"] or ""),
            f"{row['topic']}/{row['partition']}/{row['kafka_offset']}",
            row["status"],
            str(row["request_id"] or ""),
        )
    out.print(table)
    for code in sorted({row["reason"] for row in rows}):
        why = worded(code)
        out.print(f"{code}: {why.zh} / {why.en}", highlight=False)
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
            text = printable(value) if isinstance(value, str | bytes) else value
            # Not wrapped: the record is copied from here to be mended.
            out.print(f"{name:15} {text}", highlight=False, markup=False, soft_wrap=True)
    _print_requests(row["requests"])
    for fact in row["released_as"]:
        out.print(f"became fact {fact['position']} {fact['type']} {fact['event_id']}")


@group.command()
def release(
    record: RecordId,
    reason: Why,
    corrected: Annotated[
        Path | None,
        typer.Option(help="A file with the record as it should have been; without it, as it came."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask that a record be let in; a second person approves."""
    _ask(record, "RELEASE", _bytes_of(corrected), reason, as_json)


@group.command()
def discard(record: RecordId, reason: Why, as_json: AsJson = False) -> None:
    """Ask that a record be given up; a second person approves."""
    _ask(record, "DISCARD", None, reason, as_json)


@group.command()
def requests(
    status: Annotated[str, typer.Option(help="WAITING, APPROVED, REJECTED or all.")] = "WAITING",
    as_json: AsJson = False,
) -> None:
    """What people asked for."""
    wanted = one_of("--status", status, (*REQUEST_STATUSES, "all"))
    with app.quarantine(settings.load()) as store:
        rows = store.requests(None if wanted == "all" else wanted)
    if as_json:
        return print_json(rows)
    _print_requests(rows)
    out.print(f"{len(rows):,} requests")


@group.command()
def approve(request: RequestId, as_json: AsJson = False) -> None:
    """Do what was asked; not by the person who asked. Who you are is your log-in of the system."""
    _decide(request, "APPROVE", as_json)


@group.command()
def reject(request: RequestId, as_json: AsJson = False) -> None:
    """Leave the record in quarantine; not by the person who asked."""
    _decide(request, "REJECT", as_json)


def _midnight(configured: Settings, text: str | None, later: int = 0) -> dt.datetime | None:
    """The instant a day of the bank begins, or the day that many days later."""
    date = day(text)
    if date is None:
        return None
    return dt.datetime.combine(date + dt.timedelta(days=later), dt.time(), configured.timezone)


def _bytes_of(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"The corrected record {path} cannot be read: {error.strerror}.") from None


def _ask(record: int, action: Action, corrected: bytes | None, reason: str, as_json: bool) -> None:
    request = app.ask_for_quarantined(
        settings.load(), record, action, corrected, reason=reason, maker=log_in_name()
    )
    if as_json:
        return print_json({"request_id": request, "quarantine_id": record, "action": action})
    out.print(
        f"Request {request} waits for a second person: in Airflow, or "
        f"`lifecycle quarantine approve {request}`.",
        soft_wrap=True,
    )


def _decide(request: int, answer: Answer, as_json: bool) -> None:
    done = app.decide_quarantined(settings.load(), request, answer, checker=log_in_name())
    if as_json:
        return print_json(done)
    out.print(
        f"Record {done['quarantine_id']} is {done['status']}"
        + (f"; {done['facts']} facts applied, {done['alerts']} alerts" if done["facts"] else "")
    )


def _print_requests(rows: list[dict[str, Any]]) -> None:
    table = new_table("request", "record", "asks for", "reason", "by", "status", "decided by")
    for row in rows:
        table.add_row(
            str(row["request_id"]),
            str(row["quarantine_id"]),
            row["action"],
            plain(row["reason"]),
            plain(row["maker"]),
            row["status"],
            plain(row["checker"] or ""),
        )
    if rows:
        out.print(table)
