"""client, consent, refresh: one client's page, what may be used of it, and serving it anew."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.clients.consent import PURPOSES
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

Purposes = ", ".join(PURPOSES)


def register(application: typer.Typer) -> None:
    application.command()(client)
    application.command()(consent)
    application.command()(refresh)


def client(
    client_id: Annotated[str, typer.Argument(help="The client's id.")],
    purpose: Annotated[
        str,
        typer.Option(help=f"What it is read for, which is written down: one of {Purposes}."),
    ] = "P1_SERVICE",
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The profile of that night, YYYY-MM-DD.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One client: profile, credit, consents, scores and alerts."""
    asked: Any = one_of("--purpose", purpose, PURPOSES)
    page = app.client(
        settings.load(), client_id, purpose=asked, as_of=day(as_of), actor=log_in_name()
    )
    if as_json:
        return print_json(page)
    out.print(f"[bold]Client {client_id}[/bold]  profile as of {page['as_of'] or 'not yet built'}")
    if page["degraded"]:
        out.print(
            f"[yellow]degraded[/yellow]: {page['held']} facts of this client are in quarantine "
            f"(`lifecycle quarantine list --client {client_id}`); what stands here lacks them"
        )
    for gap in page["gaps"]:
        mark = "[red]incomplete[/red]" if gap["incomplete"] else "[yellow]gap[/yellow]"
        out.print(
            f"{mark}: {gap['missing']} facts of {plain(gap['source'])} missing since "
            f"{gap['opened_at']:%Y-%m-%d %H:%M} (`lifecycle gaps list --client {client_id}`)",
            highlight=False,
        )
    table = new_table("attribute", "value", "unit", "confidence", "sources", "")
    for row in page["attributes"]:
        value = row["value"] if row["value"] is not None else f"({row['null_reason']})"
        table.add_row(
            row["name"],
            value,
            row["unit"],
            f"{row['confidence']:.1f}",
            str(len(row["source_event_ids"])),
            _mark(row),
        )
    out.print(table)
    _print_risk(page)


def _mark(row: dict[str, Any]) -> str:
    return " [yellow]degraded[/yellow]" if row["degraded"] else ""


def _print_risk(page: dict[str, Any]) -> None:
    for score in page["scores"]:
        value = score["value"] if score["status"] == "SCORED" else score["status"]
        out.print(
            f"{score['score_type']} score {value}, band {score['band']} (expert points, no PD)"
            f"{_mark(score)}"
        )
        for reason in score["reason_codes"]:
            out.print(
                f"  {reason['code']} {reason['zh']} / {reason['en']} (-{reason['points_lost']})"
            )
    for facility in page["facilities"]:
        out.print(
            f"facility {facility['facility_id']}: {facility['tier']}, stage {facility['stage']}, "
            f"{facility['dpd']} days past due, outstanding {facility['outstanding']:,.2f} "
            f"{facility['currency']}{_mark(facility)}",
            highlight=False,
        )
    _print_purposes(page["consents"])
    for alert in page["alerts"]:
        out.print(f"{alert['severity']} {alert['rule_id']} {alert['message_en']}", highlight=False)


def consent(
    client_id: Annotated[str, typer.Argument(help="The client's id.")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As of the end of a date, YYYY-MM-DD.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What may be used of a client for which purpose, since when and why; and who read it."""
    shown = app.consent(settings.load(), client_id, day(as_of))
    if as_json:
        return print_json(shown)
    _print_purposes(shown["purposes"])
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
            _GROUNDS[each["ground"]],
        )
    out.print(read)


_GROUNDS = {
    "NOT_NEEDED": "yes: needs no consent",
    "GRANTED": "yes",
    "NEVER_ASKED": "no: the client was never asked",
    "NOT_YET": "no: the consent has not begun",
    "WITHDRAWN": "no: the client took it back",
    "EXPIRED": "no: the consent has expired",
}


def _print_purposes(permissions: list[dict[str, Any]]) -> None:
    table = new_table("purpose", "may be used", "since", "consent")
    for permission in permissions:
        since = permission["since"]
        table.add_row(
            permission["purpose"],
            _GROUNDS[permission["ground"]],
            f"{since:%Y-%m-%d %H:%M}" if since else "",
            permission["consent_id"] or "",
        )
    out.print(table)


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
