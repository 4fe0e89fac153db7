"""aml: what a night found of money laundering, for compliance alone. Nothing is filed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.alerts.owners import ROLES
from lifecycle.commands.console import AsJson, day, new_table, one_of, out, plain, print_json

group = typer.Typer(no_args_is_help=True, help=__doc__)

Role = Annotated[
    str, typer.Option(help="Your role: CO, compliance, is the only one that may read.")
]
Date = Annotated[
    str | None, typer.Option(help="The night's business date; the one served, if not given.")
]
Client = Annotated[str | None, typer.Option(help="Of this client only.")]


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="aml")


@group.command()
def large(role: Role, date: Date = None, client: Client = None, as_json: AsJson = False) -> None:
    """The statutory list: large transactions by client, day and kind, with the day each is due."""
    _tell("large_transaction", role, date, client, as_json)


@group.command()
def reviews(role: Role, date: Date = None, client: Client = None, as_json: AsJson = False) -> None:
    """Level of every client, both parts of its score, its last review and the next one."""
    _tell("aml_review", role, date, client, as_json)


@group.command()
def hits(role: Role, date: Date = None, client: Client = None, as_json: AsJson = False) -> None:
    """Typologies that were found, with the day, points before they fade, figures and evidence."""
    _tell("aml_hit", role, date, client, as_json)


def _tell(product: str, role: str, date: str | None, client: str | None, as_json: bool) -> None:
    asked = one_of("--role", role, ROLES)
    rows = app.aml(settings.load(), product, day(date), client, asked)
    if as_json:
        return print_json(rows)
    names = [name for name in rows[0] if name not in _LONG] if rows else []
    table = new_table(*names)
    for row in rows:
        table.add_row(*(plain(_cell(row[name])) for name in names))
    if rows:
        out.print(table)
    out.print(f"{len(rows):,} rows")


_LONG = ("sources", "figures")
"""Columns that only --json shows."""


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
