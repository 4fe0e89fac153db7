"""client: one client's page."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, new_table, out, plain, print_json


def register(application: typer.Typer) -> None:
    application.command()(client)


def client(
    client_id: Annotated[str, typer.Argument(help="The client's id.")], as_json: AsJson = False
) -> None:
    """One client: profile, credit, consents, scores and alerts."""
    page = app.client(settings.load(), client_id)
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
    for consent in page["consents"]:
        out.print(f"consent {consent['purpose']} ({consent['consent_id']})", highlight=False)
    for alert in page["alerts"]:
        out.print(f"{alert['severity']} {alert['rule_id']} {alert['message_en']}", highlight=False)
