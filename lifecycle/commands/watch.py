"""status: health of every part, lag, books, last night. What the Operations page shows, as text."""

from __future__ import annotations

from typing import Any

import typer

from lifecycle import app, platform, settings
from lifecycle.commands.console import AsJson, new_table, out, plain, print_json
from lifecycle.errors import NotRunning
from lifecycle.operations import why_stopped
from lifecycle.settings import Settings


def register(application: typer.Typer) -> None:
    application.command()(status)


def status(as_json: AsJson = False) -> None:
    """Health of every part, lag, reconciliation, alerts, last night and its proof."""
    configured = settings.load()
    now = app.status(configured)
    if as_json:
        print_json(now)
    else:
        _print(now)
    if not now["healthy"]:
        raise NotRunning(_what_is_ill(now["parts"], configured))


def _what_is_ill(parts: dict[str, dict[str, Any]], configured: Settings) -> str:
    ill = [name for name, part in parts.items() if not part["healthy"]]
    if all(part["detail"] == platform.DOWN for part in parts.values()):
        return "Nothing is running here: `lifecycle up` starts the platform."
    said = f"Not healthy: {', '.join(ill)}: `lifecycle up` starts what is down"
    # What ends again and again is not down: only its log says why.
    ending = [name for name in ill if parts[name]["restarts"]]
    logs = ", ".join(str(configured.home / "run" / f"{name}.log") for name in ending)
    return f"{said}; why a part ended is at the end of {logs}." if ending else f"{said}."


def _print_standing(now: dict[str, Any]) -> None:
    """What does not move by itself, since when, and what to do about it."""
    for row in now["stopped"]:
        out.print(
            f"stopped  since {row['stopped_at']}: {why_stopped(row)}",
            highlight=False,
            markup=False,
        )
    for row in now["parked"]:
        out.print(
            f"parked   {row['facts']:,} {row['type']} wait for their {row['waits_for']} since "
            f"{row['oldest']}",
            highlight=False,
        )
    for row in now["gaps"]:
        out.print(
            f"gaps     {row['clients']:,} clients miss facts of {row['source']} since "
            f"{row['oldest']}: `lifecycle gaps list`",
            highlight=False,
            markup=False,
        )
    if now["backfills"]:
        out.print(
            f"backfill {len(now['backfills']):,} nights have to be run again since "
            f"{now['backfills'][0]['requested_at']}: `lifecycle backfill list`",
            highlight=False,
        )
    for row in now["quarantine"]:
        out.print(
            f"held     {row['rows']:,} records by gate {row['stage']}: {row['reason']}, since "
            f"{row['oldest']}",
            highlight=False,
        )


def _print(now: dict[str, Any]) -> None:
    parts = new_table("part", "", "detail", "restarts")
    for name, part in now["parts"].items():
        mark = "[green]healthy[/green]" if part["healthy"] else "[red]ill[/red]"
        parts.add_row(name, mark, plain(part["detail"]), str(part["restarts"]))
    out.print(parts)
    books = now["reconciliation"]
    if books:
        counts = " ".join(f"{k} {books[k]:,}" for k in books if k != "balanced")
        balanced = "[green]balanced[/green]" if books["balanced"] else "[red]NOT balanced[/red]"
        out.print(f"books    {counts}  {balanced}", highlight=False)
        out.print(f"lag      {sum(sum(p.values()) for p in now['lag'].values()):,} records")
    _print_standing(now)
    night = now.get("nightly")
    if night:
        proof = {True: "proof equal", False: "proof DIFFERENT", None: "not proved"}[night["equal"]]
        out.print(
            f"night    {night['business_date']} {night['status']}, {proof}",
            highlight=False,
        )
    for severity in now.get("alerts", []):
        out.print(f"alerts   {severity['severity']}: {severity['open']:,} open")
    if now["urls"]:
        out.print(
            f"Airflow  {now['urls']['airflow']}  (user {now['log_in']['user']}, password in "
            f"{now['log_in']['passwords']})",
            highlight=False,
            soft_wrap=True,
        )
