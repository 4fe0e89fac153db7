"""client, clients: one client's page; finding, listing and exporting many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.alerts.owners import ROLES
from lifecycle.clients.labels import ATTRIBUTES as LABELS
from lifecycle.commands.console import (
    AsJson,
    day,
    log_in_name,
    new_table,
    one_of,
    out,
    print_json,
)
from lifecycle.events.fields import PURPOSES

LANGUAGES = ("en", "zh")
ROWS_SHOWN = 500


def register(application: typer.Typer) -> None:
    application.command()(client)
    application.command()(clients)


Purpose = Annotated[
    str,
    typer.Option(help=f"What it is read for, which is written down: one of {', '.join(PURPOSES)}."),
]


def client(
    client_id: Annotated[str, typer.Argument(help="The client's id.")],
    purpose: Purpose = "P1_SERVICE",
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
    from lifecycle.commands.page import print_page

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


def clients(
    where: Annotated[
        str,
        typer.Option(
            help="Conditions, e.g. 'state = AT_RISK and aum > 50000'; on attributes, client_id, "
            "client_type, state, since and grade."
        ),
    ] = "",
    purpose: Purpose = "P1_SERVICE",
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The profiles of that night, YYYY-MM-DD.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write them to this file: .csv or .parquet.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Clients that meet conditions: list them, or export what may be read for the purpose."""
    from lifecycle import client_list

    asked: Any = one_of("--purpose", purpose, PURPOSES)
    found = app.clients(
        settings.load(), where, purpose=asked, as_of=day(as_of), actor=log_in_name()
    )
    if export:
        client_list.export(found, export)
    if as_json:
        return print_json(found)
    if export:
        return out.print(f"{len(found):,} clients: {export}", highlight=False)
    shown = (
        "age",
        "income_observed_monthly",
        "net_cashflow",
        "aum",
        "exposures",
        "open_complaints",
    )
    table = new_table("client", "kind", "state", "since", "grade", *(LABELS[n][1] for n in shown))
    for row in found[:ROWS_SHOWN]:
        table.add_row(
            row["client_id"],
            row["client_type"] or "",
            row["state"] or "",
            str(row["since"] or ""),
            row["grade"] or "",
            *(row["attributes"].get(name) or "" for name in shown),
        )
    out.print(table)
    left = f", the first {ROWS_SHOWN:,} shown" if len(found) > ROWS_SHOWN else ""
    out.print(f"{len(found):,} clients{left}.", highlight=False)
