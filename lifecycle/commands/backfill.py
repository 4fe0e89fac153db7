"""backfill list: nights that facts came too late for, and how each is run again."""

from __future__ import annotations

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, new_table, out, print_json

group = typer.Typer(no_args_is_help=True, help="Nights that have to be run again.")


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="backfill")


@group.callback()
def backfill() -> None:
    """Nights that have to be run again."""


@group.command("list")
def list_requests(as_json: AsJson = False) -> None:
    """Business dates whose facts came after their night was out of reach, and what settles each."""
    rows = app.backfill_requests(settings.load())
    if as_json:
        return print_json(rows)
    table = new_table("business date", "facts", "clients", "asked for")
    for row in rows:
        table.add_row(
            str(row["business_date"]),
            f"{row['facts']:,}",
            f"{row['clients']:,}",
            f"{row['requested_at']:%Y-%m-%d %H:%M}",
        )
    out.print(table)
    for row in rows:
        # Not wrapped: it is to be copied.
        out.print(row["command"], highlight=False, soft_wrap=True)
