"""overrides: a band in the place of a score's own, asked for by one person and approved by another."""

from __future__ import annotations

import datetime as dt
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
)
from lifecycle.override import STATUSES, Answer, Override

group = typer.Typer(no_args_is_help=True, help=__doc__)

OverrideId = Annotated[int, typer.Argument(help="Its number, from `overrides list`.")]


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="overrides")


@group.command()
def request(
    client: Annotated[str, typer.Argument(help="The client's id.")],
    band: Annotated[str, typer.Option(help="The band that shall count.")],
    reason: Annotated[str, typer.Option(help="Why; an auditor reads it.")],
    until: Annotated[str, typer.Option(help="Its last day, YYYY-MM-DD.")],
    type: Annotated[str, typer.Option(help="The type of the score.")] = "CREDIT",
    as_json: AsJson = False,
) -> None:
    """Ask for another band; a second person approves. The score itself stays as it is."""
    last = day(until)
    assert last is not None
    wanted = Override(
        client_id=client,
        score_type=type.upper(),
        band=band.upper(),
        reason=reason,
        valid_until=last,
    )
    made = app.ask_for_override(settings.load(), wanted, maker=log_in_name())
    if as_json:
        return print_json({"override_id": made, **_named(wanted)})
    out.print(
        f"Override {made} waits for a second person: `lifecycle overrides approve {made}`.",
        soft_wrap=True,
    )


@group.command("list")
def list_(
    status: Annotated[str, typer.Option(help="WAITING, APPROVED, REJECTED or all.")] = "WAITING",
    as_json: AsJson = False,
) -> None:
    """What people asked for, the newest first."""
    wanted = one_of("--status", status, (*STATUSES, "all"))
    with app.overrides(settings.load()) as store:
        rows = store.list(None if wanted == "all" else wanted)
    if as_json:
        return print_json(rows)
    table = new_table("id", "client", "score", "band", "until", "reason", "by", "status", "second")
    for row in rows:
        table.add_row(
            str(row["override_id"]),
            plain(row["client_id"]),
            row["score_type"],
            row["band"],
            str(row["valid_until"]),
            plain(row["reason"]),
            plain(row["maker"]),
            row["status"],
            plain(row["checker"] or ""),
        )
    out.print(table)
    out.print(f"{len(rows):,} overrides")


@group.command()
def approve(override: OverrideId, as_json: AsJson = False) -> None:
    """Let the other band count from now on; not by the person who asked."""
    _decide(override, "APPROVED", as_json)


@group.command()
def reject(override: OverrideId, as_json: AsJson = False) -> None:
    """Leave the score's own band; not by the person who asked."""
    _decide(override, "REJECTED", as_json)


def _decide(override: int, answer: Answer, as_json: bool) -> None:
    with app.overrides(settings.load()) as store:
        done = store.decide(override, answer, checker=log_in_name(), now=dt.datetime.now(dt.UTC))
    if as_json:
        return print_json(done)
    out.print(f"Override {override} of {plain(done['client_id'])} is {answer}.")


def _named(wanted: Override) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in wanted.__struct_fields__}
