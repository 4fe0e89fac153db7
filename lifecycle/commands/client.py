"""client and quarantine: one client's page, and what was kept out."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, out, print_json

quarantine = typer.Typer(no_args_is_help=True, help="Records that were kept out, with the reason.")


def register(application: typer.Typer) -> None:
    application.command()(client)
    application.add_typer(quarantine, name="quarantine")


def client(
    client_id: Annotated[str, typer.Argument(help="The client's id.")], as_json: AsJson = False
) -> None:
    """One client: profile, credit, consents, scores and alerts."""
    page = app.client(settings.load(), client_id)
    if as_json:
        return print_json(page)
    out.print(f"[bold]Client {client_id}[/bold]  profile as of {page['as_of'] or 'not yet built'}")
    table = Table("attribute", "value", "unit", "confidence", "sources")
    for row in page["attributes"]:
        value = row["value"] if row["value"] is not None else f"({row['null_reason']})"
        table.add_row(
            row["name"],
            value,
            row["unit"],
            f"{row['confidence']:.1f}",
            str(len(row["source_event_ids"])),
        )
    out.print(table)
    _print_risk(page)


def _print_risk(page: dict[str, Any]) -> None:
    for score in page["scores"]:
        value = score["value"] if score["status"] == "SCORED" else score["status"]
        out.print(
            f"{score['score_type']} score {value}, band {score['band']} (expert points, no PD)"
        )
        for reason in score["reason_codes"]:
            out.print(
                f"  {reason['code']} {reason['zh']} / {reason['en']} (-{reason['points_lost']})"
            )
    for facility in page["facilities"]:
        out.print(
            f"facility {facility['facility_id']}: {facility['tier']}, stage {facility['stage']}, "
            f"{facility['dpd']} days past due, outstanding {facility['outstanding']:,.2f} "
            f"{facility['currency']}",
            highlight=False,
        )
    for consent in page["consents"]:
        out.print(f"consent {consent['purpose']} ({consent['consent_id']})", highlight=False)
    for alert in page["alerts"]:
        out.print(f"{alert['severity']} {alert['rule_id']} {alert['message_en']}", highlight=False)


@quarantine.command("list")
def list_quarantine(
    reason: Annotated[str | None, typer.Option(help="Only this reason, e.g. SCHEMA.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was kept out, newest first."""
    rows = app.quarantine(settings.load(), reason)
    if as_json:
        return print_json(rows)
    table = Table("id", "stage", "reason", "detail", "where", "status")
    for row in rows:
        where = f"{row['topic']}/{row['partition']}/{row['kafka_offset']}"
        table.add_row(
            str(row["quarantine_id"]),
            row["stage"],
            row["reason"],
            row["detail"],
            where,
            row["status"],
        )
    out.print(table)


@quarantine.command("show")
def show_quarantine(
    quarantine_id: Annotated[int, typer.Argument(help="Its number.")], as_json: AsJson = False
) -> None:
    """One record that was kept out, with its raw bytes."""
    row = app.quarantined(settings.load(), quarantine_id)
    if as_json:
        return print_json(row)
    for name, value in row.items():
        out.print(f"{name:15} {value}", highlight=False, markup=False)
