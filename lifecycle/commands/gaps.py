"""gaps list|accept: facts that producers numbered and nobody saw, and what people decide about them."""

from __future__ import annotations

from typing import Annotated

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, log_in_name, new_table, out, plain, print_json

group = typer.Typer(
    no_args_is_help=True, help="Sequence gaps: facts a producer numbered and nobody saw."
)


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="gaps")


@group.command("list")
def list_gaps(
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open gaps, oldest first. Warning and critical: gap_minutes in rules/operations/ingest.yaml."""
    rows = app.gaps(settings.load(), client)
    if as_json:
        return print_json(rows)
    table = new_table("client", "source", "missing", "open since", "state")
    colours = {"critical": "red", "warning": "yellow", "open": "default"}
    for row in rows:
        table.add_row(
            plain(row["client_id"]),
            plain(row["source"]),
            f"{row['missing']:,}",
            f"{row['opened_at']:%Y-%m-%d %H:%M}",
            f"[{colours[row['state']]}]{row['state']}[/]",
        )
    out.print(table)
    out.print(f"{len(rows):,} gaps")


@group.command()
def accept(
    client: Annotated[str, typer.Argument(help="The client's id.")],
    source: Annotated[str, typer.Argument(help="The producer, as `lifecycle gaps list` names it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")],
    as_json: AsJson = False,
) -> None:
    """Wait no longer for what is missing now: it was a duplicate, or discarded, and never comes.

    Who decided is your log-in of the system. A number that is left out later opens the gap anew.
    """
    done = app.accept_gap(settings.load(), client, source, actor=log_in_name(), reason=reason)
    if as_json:
        return print_json(done)
    out.print(
        f"{done['accepted']:,} facts of {source} are no longer waited for, client {client}",
        highlight=False,
        markup=False,
    )
