"""consent, refresh: what may be used of a client and who read it; serving profiles anew."""

from __future__ import annotations

from typing import Annotated

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, day, new_table, out, plain, print_json


def register(application: typer.Typer) -> None:
    application.command()(consent)
    application.command()(refresh)


def consent(
    client_id: Annotated[str, typer.Argument(help="The client's id.")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As of the end of a date, YYYY-MM-DD.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What may be used of a client for which purpose, since when and why; and who read it."""
    from lifecycle.commands.page import GROUNDS, purposes_table

    shown = app.consent(settings.load(), client_id, day(as_of))
    if as_json:
        return print_json(shown)
    out.print(purposes_table(shown["purposes"], "en"))
    table = new_table("consent", "purpose", "status", "since", "given", "by", "text", "evidence")
    for given in shown["consents"]:
        granted = given["granted"]
        table.add_row(
            given["consent_id"],
            given["purpose"],
            given["status"],
            f"{given['since']:%Y-%m-%d %H:%M}",
            f"{granted['at']:%Y-%m-%d %H:%M}",
            granted["channel"],
            granted["text_version"] or "",
            granted["event_id"],
        )
    out.print(table)
    read = new_table("read", "by", "for", "as of", "allowed")
    for each in shown["reads"]:
        read.add_row(
            f"{each['read_at']:%Y-%m-%d %H:%M:%S}",
            plain(each["actor"]),
            each["purpose"],
            str(each["as_of"] or "served"),
            GROUNDS[each["ground"]][1],
        )
    out.print(read)


def refresh(as_json: AsJson = False) -> None:
    """Serve profiles of clients whose facts or consents changed since the last refresh."""
    done = app.refresh_profiles(settings.load())
    if as_json:
        return print_json({"ran": done is not None, **(done._asdict() if done else {})})
    if done is None:
        return out.print("A night runs: what it publishes will be newer.")
    out.print(
        f"{done.clients:,} clients were built anew, {done.left:,} are left for the night; "
        f"{done.withdrawn:,} values were taken away whose consent is gone."
    )
