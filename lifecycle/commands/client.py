"""client: one client's page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.alerts.owners import ROLES
from lifecycle.clients.consent import PURPOSES
from lifecycle.commands.console import AsJson, day, log_in_name, one_of, out, print_json
from lifecycle.commands.page import print_page

LANGUAGES = ("en", "zh")


def register(application: typer.Typer) -> None:
    application.command()(client)


def client(
    client_id: Annotated[str, typer.Argument(help="The client's id.")],
    purpose: Annotated[
        str,
        typer.Option(
            help=f"What it is read for, which is written down: one of {', '.join(PURPOSES)}."
        ),
    ] = "P1_SERVICE",
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The profile of that night, YYYY-MM-DD.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="As this role may see it: what compliance owns is for CO alone."),
    ] = None,
    language: Annotated[str, typer.Option("--lang", help="en or zh.")] = "en",
    plot: Annotated[
        Path | None, typer.Option(help="Also draw balance and flows into this PNG file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A client as one reads it before a visit: who, profile, conflicts, consents, needs, questions."""
    asked: Any = one_of("--purpose", purpose, PURPOSES)
    spoken: Any = one_of("--lang", language, LANGUAGES)
    config = settings.load()
    page = app.client(
        config,
        client_id,
        purpose=asked,
        as_of=day(as_of),
        role=one_of("--role", role, ROLES),
        actor=log_in_name(),
    )
    if plot:
        app.plot_client(config, client_id, day(as_of), plot, spoken)
    if as_json:
        return print_json(page)
    print_page(page, spoken)
    if plot:
        out.print(f"{plot}", highlight=False)
